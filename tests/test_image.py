from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_s2clip import image as module
from napari_s2clip.image import RGBImage, to_rgb


def grey(values, **options):
    """One row of pixels, its grey levels after conversion."""
    pixels = to_rgb(np.array([values]), **options).pixels
    assert (pixels == pixels[..., :1]).all()
    return pixels[0, :, 0].tolist()


def test_uint8_colour_passes_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    result = to_rgb(image)
    assert np.array_equal(result.pixels, image)
    assert result.notes == ()


def test_the_result_is_a_copy():
    for image in (np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), np.uint8)):
        result = to_rgb(image)
        image[:] = 9
        assert not result.pixels.any()


def test_grey_is_repeated():
    assert grey(np.array([0, 9, 255], np.uint8)) == [0, 9, 255]
    assert to_rgb(np.zeros((4, 5, 1), np.uint8)).pixels.shape == (4, 5, 3)
    assert to_rgb(np.zeros((1, 1), np.uint8)).pixels.tolist() == [[[0, 0, 0]]]


def test_bool_is_black_and_white():
    assert grey([False, True]) == [0, 255]
    assert grey([True, True]) == [255, 255]
    colour = np.array([[[True, False, True]]])
    assert to_rgb(colour).pixels.tolist() == [[[255, 0, 255]]]
    assert to_rgb(colour).notes == ()


def test_float_colour_in_unit_range_is_multiplied():
    image = np.array([[[0.0, 0.5, 1.0]]])
    assert to_rgb(image).pixels.tolist() == [[[0, 128, 255]]]
    assert to_rgb(image).notes == ()
    assert to_rgb(image / 4).pixels.tolist() == [[[0, 32, 64]]]


def test_one_value_beyond_the_unit_range_is_not_missed_by_sampling():
    image = np.zeros((1500, 1500, 3), np.float32)
    image[:, 700:] = 1
    image[1001, 1001, 1] = 200  # on no sampled row
    assert "percentile" in to_rgb(image).notes[0]


def test_float_colour_beyond_the_unit_range_is_stretched_together():
    image = np.linspace(0, 1000, 300).reshape(10, 10, 3)
    result = to_rgb(image)
    assert "float64 stretched from 10" in result.notes[0]
    # 1st percentile 10, 99.8th 998: one scale for red, green and blue.
    np.testing.assert_allclose(
        result.pixels, ((image - 10) / 988 * 255).clip(0, 255), atol=0.51
    )


def test_uint16_is_stretched_between_percentiles_and_says_so():
    values = np.arange(1001, dtype=np.uint16) * 60
    result = to_rgb(values[None])
    row = result.pixels[0, :, 0]
    # The 1st percentile is 600, the 99.8th 59,880.
    assert row[10] == 0
    assert row[998] == 255
    assert row[504] == pytest.approx(255 * (504 - 10) / 988, abs=1)
    assert "600 to 59880" in result.notes[0]


@pytest.mark.parametrize("dtype", [">u2", "<u2", "int16", "int32", "int64", "float16"])
def test_every_dtype_gives_the_same_levels(dtype):
    values = np.arange(201).reshape(3, 67)
    expected = to_rgb(values.astype(np.float64)).pixels
    assert np.array_equal(to_rgb(values.astype(dtype)).pixels, expected)
    if np.dtype(dtype).kind == "i":
        assert np.array_equal(to_rgb((values - 100).astype(dtype)).pixels, expected)


def test_percentiles_of_large_images_come_from_a_subsample_and_it_is_said():
    image = np.arange(3000 * 3000, dtype=np.uint32).reshape(3000, 3000)
    result = to_rgb(image)
    assert "every 2th" not in result.notes[0]
    assert "every second row and column" in result.notes[0]
    expected = ((image / 9e6 - 0.01) / 0.988 * 255).clip(0, 255)
    assert abs(result.pixels[..., 0] - expected).max() < 1.2


def test_contrast_limits_come_first():
    assert grey(np.uint16([0, 100, 150, 200, 900]), contrast_limits=(100, 200)) == [
        0,
        0,
        128,
        255,
        255,
    ]
    assert grey(np.uint8([0, 50, 100]), contrast_limits=(0, 100)) == [0, 128, 255]
    result = to_rgb(np.uint8([[3]]), contrast_limits=(0, 255))
    assert result.pixels[0, 0, 0] == 3
    assert result.notes == ()


def test_alpha_is_composited_on_black_and_says_so():
    image = np.uint8([[[200, 100, 50, 255], [200, 100, 50, 51], [9, 9, 9, 0]]])
    result = to_rgb(image)
    assert result.pixels.tolist() == [[[200, 100, 50], [40, 20, 10], [0, 0, 0]]]
    assert result.notes == ("alpha composited on black",)
    half = np.array([[[1.0, 0.5, 0.0, 0.5]]])
    assert to_rgb(half).pixels.tolist() == [[[128, 64, 0]]]


@pytest.mark.parametrize(
    ("image", "opacity"),
    [
        (np.uint16([[[0, 9, 9, 65535], [0, 9, 9, 13107], [0, 9, 9, 0]]]), 0.2),
        (np.float32([[[0, 90, 90, 255], [0, 90, 90, 51], [0, 90, 90, np.nan]]]), 0.2),
        ([[[0, 9, 9, 255], [0, 9, 9, 51], [0, 9, 9, -3]]], 0.2),
        (np.array([[[0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 0]]], bool), 1),
    ],
)
def test_alpha_has_the_full_scale_of_its_kind(image, opacity):
    pixels = to_rgb(image).pixels
    assert pixels[0, :, 1].tolist() == [255, 255 * opacity, 0]
    assert not pixels[..., 0].any()


def test_values_that_are_not_finite():
    values = np.array([0.0, 1.0, np.nan, np.inf, -np.inf, 0.5])
    assert grey(values, contrast_limits=(0, 1)) == [0, 255, 0, 255, 0, 128]
    notes = to_rgb(values[None]).notes
    assert "2 values that are NaN or -inf set to black" in notes
    assert "1 values that are infinite set to white" in notes
    assert grey(np.full(3, np.nan)) == [0, 0, 0]
    assert grey(np.full(3, np.inf)) == [255, 255, 255]
    assert grey(np.float32([7, np.nan, 7, np.inf, -np.inf])) == [128, 0, 128, 255, 0]


def test_float_colour_with_a_hole_keeps_its_unit_range():
    image = np.array([[[0.2, np.nan, np.inf]]])
    assert to_rgb(image).pixels.tolist() == [[[51, 0, 255]]]


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_constant_image_is_grey(value):
    assert grey(np.full(4, value, np.uint16)) == [128] * 4
    assert "constant" in to_rgb(np.full((4, 4), value, np.uint16)).notes[0]
    assert grey(np.full(4, value, np.float32)) == [128] * 4
    assert grey(np.full(4, value % 256, np.uint8)) == [value % 256] * 4


def test_a_few_bright_pixels_on_a_constant_ground_are_seen():
    values = np.zeros((100, 100), np.float32)
    values[5, 5] = 3
    result = to_rgb(values)
    pixels = result.pixels[..., 0]
    assert pixels[5, 5] == 255
    assert pixels.sum() == 255
    assert "all values" in result.notes[0]
    # Nor are they lost between the sampled rows of a large image.
    large = np.zeros((1500, 1500), np.uint16)
    large[1001, 1001] = 3
    assert to_rgb(large).pixels[1001, 1001, 0] == 255


def test_lazy_and_non_contiguous_arrays():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    assert np.array_equal(to_rgb(da.from_array(image, chunks=3)).pixels, image)
    for view in (image[::-1, ::2], np.asfortranarray(image), image.swapaxes(0, 1)):
        result = to_rgb(view).pixels
        assert np.array_equal(result, view)
        assert result.flags.c_contiguous
    plane = image[..., 1].astype(np.uint16)
    assert np.array_equal(
        to_rgb(plane[::2, ::-3]).pixels, to_rgb(plane[::2, ::-3].copy()).pixels
    )
    assert np.array_equal(
        to_rgb([[0, 255], [255, 0]]).pixels[..., 0], [[0, 255], [255, 0]]
    )


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(11, 7, 4))
    whole = to_rgb(image).pixels
    monkeypatch.setattr(module, "_BLOCK", 40)
    assert np.array_equal(to_rgb(image).pixels, whole)


def test_a_large_image():
    image = np.broadcast_to(np.arange(4096, dtype=np.uint16), (4096, 4096))
    pixels = to_rgb(image).pixels
    assert pixels.shape == (4096, 4096, 3)
    assert pixels[17, [0, 2068, 4095], 1].tolist() == [0, 128, 255]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_floats_do_not_overflow(dtype):
    top = np.finfo(dtype).max
    values = np.array([-top, 0, top], dtype)
    assert grey(values, contrast_limits=(-top, top)) == [0, 128, 255]
    assert grey(values)[::2] == [0, 255]


NUMBERS = st.sampled_from(
    [
        np.uint8,
        np.int8,
        np.uint16,
        np.int32,
        np.uint64,
        np.float16,
        np.float32,
        np.float64,
        np.bool_,
    ]
)


@given(hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_any_grey_image_becomes_rgb(image):
    pixels = to_rgb(image).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*image.shape, 3)


@given(hnp.arrays(NUMBERS, st.tuples(st.just(3), st.just(2), st.sampled_from([3, 4]))))
def test_any_colour_image_becomes_rgb(image):
    pixels = to_rgb(image).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (3, 2, 3)
    assert pixels.flags.c_contiguous


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=30))
def test_brighter_never_becomes_darker(values):
    order = np.argsort(values, kind="stable")
    levels = np.array(grey(np.array(values)), int)[order]
    assert (np.diff(levels) >= 0).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((0, 4)), "image is empty"),
        (np.zeros((4, 0, 3)), "image is empty"),
        ([], "image is empty"),
        (np.zeros((4, 4), complex), "complex numbers.*np.abs"),
        (np.array([["a", "b"]]), "image holds"),
        (np.array([[None, 1]]), "image holds objects"),
        (np.array([["2020"]], "M8[Y]"), "image holds datetime64"),
        (None, "image holds objects"),
        (7, "not one plane.*rows and columns"),
        (np.zeros(5), "not one plane.*rows and columns"),
        (np.zeros((5, 5, 2)), "choose one plane"),
        (np.zeros((3, 5, 6)), r"np\.moveaxis"),
        (np.zeros((5, 5, 5, 3)), "choose one plane"),
        ([[1, 2], [3]], "image cannot be read"),
    ],
)
def test_what_is_no_image_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        to_rgb(data)


def test_the_colour_axis_can_be_said():
    stack = np.zeros((5, 5, 3), np.uint8)
    for planes in (stack, stack[..., :1]):
        with pytest.raises(ValueError, match="choose one plane"):
            to_rgb(planes, rgb=False)
    with pytest.raises(ValueError, match="no colour axis"):
        to_rgb(stack[..., 0], rgb=True)
    assert to_rgb(stack[..., 0], rgb=False).pixels.shape == (5, 5, 3)
    assert to_rgb(stack, rgb=True).pixels.shape == (5, 5, 3)


@pytest.mark.parametrize(
    "limits", [(1, 0), (1, 1), (np.nan, 1), (0, np.inf), (1, 2, 3), ("a", 1), 5]
)
def test_contrast_limits_must_make_sense(limits):
    for data in (np.zeros((2, 2)), np.zeros((2, 2), np.uint8)):
        with pytest.raises(ValueError, match="contrast_limits"):
            to_rgb(data, contrast_limits=limits)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros((4, 4, 3), np.uint8)[::-1],
        [[[1, 2, 3]]],
    ],
)
def test_an_rgb_image_cannot_be_made_wrongly(pixels):
    with pytest.raises(ValueError, match="pixels must be"):
        RGBImage(pixels)
