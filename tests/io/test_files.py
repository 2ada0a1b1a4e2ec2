from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_s2clip._opencv import cv2
from napari_s2clip.io.files import read_image

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (5, 7, 3), np.uint8)
GREY = RNG.integers(0, 256, (5, 7), np.uint8)
ALPHA = RNG.integers(0, 256, (5, 7, 4), np.uint8)
DEEP = RNG.integers(0, 65536, (5, 7), np.uint16)


def same(path, expected):
    array = read_image(path)
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("array", [GREY, COLOUR, ALPHA, DEEP, GREY > 99])
def test_png_keeps_its_pixels(tmp_path, array):
    Image.fromarray(array).save(tmp_path / "a.png")
    same(tmp_path / "a.png", array)
    same(str(tmp_path / "a.png"), array)


@pytest.mark.parametrize("channels", [3, 4])
def test_png_keeps_16_bits_of_colour(tmp_path, channels):
    array = RNG.integers(0, 65536, (5, 7, channels), np.uint16)
    order = [2, 1, 0, 3][:channels]
    ok, data = cv2.imencode(".png", array[..., order])
    assert ok
    (tmp_path / "ä.png").write_bytes(data.tobytes())
    same(tmp_path / "ä.png", array)


def test_palettes_are_looked_up(tmp_path):
    image = Image.fromarray(np.uint8([[0, 1], [2, 0]]), "L").convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.png")
    colours = np.uint8([[10, 20, 30], [40, 50, 60], [70, 80, 90]])
    expected = colours[[[0, 1], [2, 0]]]
    same(tmp_path / "a.png", expected)
    image.save(tmp_path / "b.png", transparency=1)
    opacity = np.uint8([[255, 0], [255, 255]])
    same(tmp_path / "b.png", np.dstack([expected, opacity]))


def test_grey_with_alpha_becomes_rgba(tmp_path):
    Image.merge("LA", [Image.fromarray(GREY)] * 2).save(tmp_path / "a.png")
    same(tmp_path / "a.png", np.dstack([GREY] * 4))


def test_jpeg_is_read_and_other_colour_spaces_become_rgb(tmp_path):
    flat = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    for mode in ("RGB", "CMYK"):
        image = Image.fromarray(flat).convert(mode)
        image.save(tmp_path / f"{mode}.jpg", quality=95)
        array = read_image(tmp_path / f"{mode}.jpg")
        assert array.dtype == np.uint8
        np.testing.assert_allclose(array.astype(int), flat, atol=4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_orientation_is_applied(tmp_path, orientation, extension):
    # By hand: what is seen of the pixels 1 2 / 3 4 / 5 6.
    seen = {
        1: [[1, 2], [3, 4], [5, 6]],
        2: [[2, 1], [4, 3], [6, 5]],
        3: [[6, 5], [4, 3], [2, 1]],
        4: [[5, 6], [3, 4], [1, 2]],
        5: [[1, 3, 5], [2, 4, 6]],
        6: [[5, 3, 1], [6, 4, 2]],
        7: [[6, 4, 2], [5, 3, 1]],
        8: [[2, 4, 6], [1, 3, 5]],
    }[orientation]
    image = Image.fromarray(np.uint8([[1, 2], [3, 4], [5, 6]]))
    exif = image.getexif()
    exif[274] = orientation
    path = tmp_path / f"a.{extension}"
    image.save(path, exif=exif)
    same(path, np.uint8(seen))


def test_orientation_of_a_jpeg(tmp_path):
    array = np.zeros((8, 16, 3), np.uint8)
    array[:, :8] = 255
    image = Image.fromarray(array)
    exif = image.getexif()
    exif[274] = 6
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    result = read_image(tmp_path / "a.jpg")
    assert result.shape == (16, 8, 3)
    assert result[:7].mean() > 250
    assert result[9:].mean() < 5


@pytest.mark.parametrize(
    "array",
    [
        GREY,
        COLOUR,
        ALPHA,
        DEEP,
        DEEP.astype(">u2"),
        DEEP.astype(np.int32) - 30000,
        DEEP.astype(np.float32) / 7,
        DEEP.astype(np.float64) / 7,
        RNG.integers(0, 65536, (5, 7, 3), np.uint16),
        GREY[:1, :1],
        COLOUR[:1, :1],
        COLOUR[:, :1],
        np.float32([[np.nan, np.inf]]),
    ],
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_keeps_its_pixels(tmp_path, array, compression):
    photometric = "rgb" if array.ndim == 3 else "minisblack"
    tifffile.imwrite(
        tmp_path / "a.tif", array, photometric=photometric, compression=compression
    )
    result = read_image(tmp_path / "a.tif")
    assert result.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(result, array)


def test_tiff_by_planes_has_its_colours_last(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.moveaxis(COLOUR, -1, 0),
        photometric="rgb",
        planarconfig="separate",
    )
    same(tmp_path / "a.tif", COLOUR)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "jpeg", "group4"])
def test_tiff_of_other_compressions(tmp_path, compression):
    array = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    image = Image.fromarray(array)
    if compression == "group4":
        # Pillow before 13 crashes when it writes an image made from an array of bool.
        image = image.convert("L").convert("1", dither=Image.Dither.NONE)
        array = np.asarray(image)
    image.save(tmp_path / "a.tif", compression=compression)
    result = read_image(tmp_path / "a.tif")
    assert result.dtype == array.dtype
    np.testing.assert_allclose(result.astype(int), array.astype(int), atol=4)


def test_tiff_with_a_palette_and_tiff_with_white_as_zero(tmp_path):
    table = np.zeros((3, 256), np.uint16)
    table[:, 1] = np.uint16([10, 20, 30]) * 257
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.uint8([[0, 1]]),
        photometric="palette",
        colormap=table,
    )
    same(tmp_path / "a.tif", np.uint8([[[0, 0, 0], [10, 20, 30]]]))
    tifffile.imwrite(tmp_path / "b.tif", np.uint8([[0, 9]]), photometric="miniswhite")
    same(tmp_path / "b.tif", np.uint8([[255, 246]]))


@pytest.mark.parametrize(
    ("extra", "channels"), [("unassalpha", 4), ("assocalpha", 3), ("unspecified", 3)]
)
def test_only_alpha_is_kept_of_further_tiff_channels(tmp_path, extra, channels):
    tifffile.imwrite(tmp_path / "a.tif", ALPHA, photometric="rgb", extrasamples=[extra])
    same(tmp_path / "a.tif", ALPHA[..., :channels])


def test_smaller_copies_in_a_tiff_do_not_matter(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(COLOUR, photometric="rgb")
        tiff.write(COLOUR[::2, ::2], photometric="rgb", subfiletype=1)
    same(tmp_path / "a.tif", COLOUR)


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.zeros((3, 5, 7), np.uint8), {"photometric": "minisblack"}),
        (np.zeros((3, 5, 7), np.uint8), {"imagej": True}),
        (np.zeros((2, 5, 7, 3), np.uint8), {"photometric": "rgb"}),
        (np.zeros((2, 3, 5, 7), np.uint16), {"imagej": True}),
        (
            np.zeros((5, 7, 5), np.uint8),
            {"photometric": "minisblack", "planarconfig": "contig"},
        ),
    ],
)
def test_a_stack_is_refused_with_a_remedy(tmp_path, array, options):
    tifffile.imwrite(tmp_path / "stack.tif", array, **options)
    with pytest.raises(ValueError, match=r"stack\.tif.* one 2-D image at a time"):
        read_image(tmp_path / "stack.tif")


def test_several_images_in_one_file_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(GREY)
        tiff.write(COLOUR, photometric="rgb")
    with pytest.raises(ValueError, match="holds 2 images"):
        read_image(tmp_path / "a.tif")
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="holds 2 images"):
        read_image(tmp_path / "a.gif")


def test_the_photograph_of_a_phone_is_its_first_image(tmp_path):
    flat = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    flat[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=flat[1:])
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
    assert read_image(tmp_path / "a.jpg")[0, 0, 0] > 240


def test_the_content_counts_not_the_extension(tmp_path):
    tifffile.imwrite(tmp_path / "a.jpg", GREY)
    same(tmp_path / "a.jpg", GREY)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.png: there is no such file"):
        read_image(tmp_path / "no.png")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize(("kind", "size"), [("JPEG", 20), ("PNG", 10), ("GIF", 8)])
def test_an_image_that_breaks_off_is_damaged(tmp_path, kind, size):
    path = tmp_path / f"a.{kind.lower()}"
    Image.new("RGB", (64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(
        ValueError, match=f"damaged, or of a kind of {kind} that cannot be read"
    ):
        read_image(path)


def test_what_is_no_image(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("hello, this is plain text and no image at all", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.png: not an image .*; give PNG"):
        read_image(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="file is empty"):
        read_image(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "deep.png"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_file_says_so_in_one_line(tmp_path, name, share):
    path = tmp_path / name
    noise = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    if name == "deep.png":
        path.write_bytes(cv2.imencode(".png", noise * np.uint16(3))[1].tobytes())
    elif name == "a.tif":
        tifffile.imwrite(path, noise, compression="zlib", photometric="rgb")
    else:
        Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=f"{name}: ") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_too_many_pixels(tmp_path, monkeypatch):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    same(tmp_path / "a.png", COLOUR)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match="too many pixels"):
        read_image(tmp_path / "a.png")
