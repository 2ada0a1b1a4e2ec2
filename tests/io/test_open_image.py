from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_s2clip.io.open_image import open_image

RANDOM = np.random.default_rng(0)


def values(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return RANDOM.integers(0, 255, shape).astype(dtype)


def written(path: Path, data: np.ndarray, **options) -> Path:
    tifffile.imwrite(path, data, **options)
    return path


def read_all(opened) -> np.ndarray:
    """All planes, each asked for as runs do."""
    hidden = opened.shape[:-2]
    planes = [opened.data[(*i, slice(None), slice(None))] for i in np.ndindex(hidden)]
    return np.stack(planes).reshape(*hidden, *planes[0].shape)


@pytest.mark.parametrize(
    ("data", "options", "axes", "channel", "rgb"),
    [
        (values(5, 8, 9), {"metadata": {"axes": "ZYX"}}, "zyx", None, False),
        (values(5, 8, 9), {"metadata": {"axes": "TYX"}}, "tyx", None, False),
        (values(5, 8, 9), {"photometric": "minisblack"}, "zyx", None, False),
        (values(2, 8, 9), {"metadata": {"axes": "CYX"}}, "cyx", 0, False),
        (values(4, 2, 8, 9), {"metadata": {"axes": "ZCYX"}}, "zcyx", 1, False),
        (values(4, 8, 9, 3), {"photometric": "rgb"}, "zyx", None, True),
        (values(5, 8, 9), {"compression": "zlib"}, "zyx", None, False),
        (
            values(3, 2, 8, 9, dtype=np.uint16),
            {"imagej": True, "metadata": {"axes": "ZCYX"}},
            "zcyx",
            1,
            False,
        ),
    ],
)
def test_stacks_of_tiff(tmp_path, data, options, axes, channel, rgb):
    path = written(tmp_path / "a.tif", data, **options)
    with open_image(path) as opened:
        assert opened.axes == tuple(axes)
        assert (opened.channel_axis, opened.rgb) == (channel, rgb)
        assert opened.shape == data.shape[: len(axes)]
        assert opened.data.dtype == data.dtype
        assert np.array_equal(read_all(opened), data)
        where = (0,) * (len(axes) - 2)
        part = opened.data[(*where, slice(2, 5), slice(1, 4))]
        assert np.array_equal(part, data[(*where, slice(2, 5), slice(1, 4))])


def test_planar_colours_of_a_stack_come_last(tmp_path):
    data = values(4, 3, 8, 9)
    options = {"photometric": "rgb", "planarconfig": "separate"}
    with open_image(written(tmp_path / "a.tif", data, **options)) as opened:
        assert opened.rgb
        assert np.array_equal(read_all(opened), np.moveaxis(data, 1, -1))


def test_unknown_axes_have_numbers(tmp_path):
    path = written(tmp_path / "a.tif", values(2, 3, 8, 9), photometric="minisblack")
    with open_image(path) as opened:
        assert opened.axes == ("axis0", "axis1", "y", "x")


def test_pages_are_read_one_by_one(tmp_path, monkeypatch):
    data = values(50, 8, 9)
    path = written(tmp_path / "a.tif", data, compression="zlib")
    read = []
    asarray = tifffile.TiffFrame.asarray
    monkeypatch.setattr(
        tifffile.TiffFrame,
        "asarray",
        lambda self, *a, **k: read.append(self.index) or asarray(self, *a, **k),
    )
    with open_image(path) as opened:
        assert np.array_equal(opened.data[7, :, :], data[7])
        assert np.array_equal(opened.data[7, 2:4, :], data[7, 2:4])
    assert read == [7]


def test_a_single_plane_is_what_read_image_gives(tmp_path):
    data = values(1, 8, 9)
    with open_image(written(tmp_path / "a.tif", data)) as opened:
        assert opened.axes == ("y", "x")
        assert np.array_equal(read_all(opened), data[0])
    Image.fromarray(values(8, 9, 4)).save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as opened:
        assert opened.rgb
        assert opened.shape == (8, 9)


def test_the_first_of_several_images_is_taken(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(values(3, 8, 9), photometric="minisblack")
        tiff.write(values(20, 30), photometric="minisblack")
    with open_image(tmp_path / "a.tif") as opened:
        assert opened.shape == (3, 8, 9)
        assert opened.notes == ("the first of 2 images in the file",)


@pytest.mark.parametrize("shape", [(8, 9), (3, 8, 9)])
def test_the_size_of_a_pixel(tmp_path, shape):
    axes = "ZYX"[-len(shape) :]
    ome = {"axes": axes, "PhysicalSizeY": 0.25, "PhysicalSizeX": 500}
    ome |= {"PhysicalSizeYUnit": "nm", "PhysicalSizeXUnit": "nm"}
    written(tmp_path / "a.ome.tif", values(*shape), metadata=ome)
    written(
        tmp_path / "ij.tif",
        values(*shape),
        imagej=True,
        resolution=(4, 2),
        photometric="minisblack",
        metadata={"unit": "um", "axes": axes},
    )
    written(
        tmp_path / "cm.tif",
        values(*shape),
        resolution=(10, 20),
        resolutionunit="CENTIMETER",
        photometric="minisblack",
    )
    plain = {"photometric": "minisblack"}
    written(tmp_path / "no.tif", values(*shape), resolution=(72, 72), **plain)
    ours = {"pixel_size": [2.0, 3.0], "unit": "mm", "axes": axes}
    written(tmp_path / "ours.tif", values(*shape), metadata=ours, **plain)
    found = {}
    for path in tmp_path.iterdir():
        with open_image(path) as opened:
            found[path.name] = (opened.pixel_size, opened.unit)
    assert found == {
        "a.ome.tif": ((0.25, 500.0), "nm"),
        "ij.tif": ((0.5, 0.25), "um"),
        "cm.tif": ((0.05, 0.1), "cm"),
        "no.tif": (None, ""),
        "ours.tif": ((2.0, 3.0), "mm"),
    }


def test_arrays_of_numpy_are_not_read_whole(tmp_path):
    data = values(3, 8, 9)
    np.save(tmp_path / "a.npy", data)
    with open_image(tmp_path / "a.npy") as opened:
        assert opened.axes == ("z", "y", "x")
        assert isinstance(opened.data, np.memmap)
        assert np.array_equal(read_all(opened), data)
    np.save(tmp_path / "b.npy", values(8, 9, 3))
    assert open_image(tmp_path / "b.npy").rgb
    np.save(tmp_path / "c.npy", values(8))
    with pytest.raises(ValueError, match=r"c\.npy: its shape \(8,\) is no image's"):
        open_image(tmp_path / "c.npy")
    np.save(tmp_path / "d.npy", np.array([["a"]]))
    with pytest.raises(ValueError, match=r"d\.npy: <U1 is no picture"):
        open_image(tmp_path / "d.npy")
    (tmp_path / "e.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:90])
    with pytest.raises(ValueError, match=r"e\.npy: the array is damaged"):
        open_image(tmp_path / "e.npy")


def test_animations_are_stacks(tmp_path):
    frames = [Image.fromarray(values(8, 9)) for _ in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with open_image(tmp_path / "a.gif") as opened:
        assert opened.axes == ("t", "y", "x")
        assert opened.shape[0] == 3


def test_plain_zarr(tmp_path):
    data = values(3, 8, 9)
    stored = zarr.create_array(
        str(tmp_path / "a.zarr"), shape=data.shape, dtype=data.dtype
    )
    stored[...] = data
    with open_image(tmp_path / "a.zarr") as opened:
        assert opened.axes == ("z", "y", "x")
        assert np.array_equal(read_all(opened), data)


AXES = [
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def ome_zarr(path: Path, *, version: str = "0.5", axes=AXES, **more) -> Path:
    group = zarr.open_group(str(path), mode="w")
    datasets = []
    for number, step in enumerate((1, 2)):
        shape = (2, 8 // step, 6 // step)
        group.create_array(str(number), shape=shape, dtype="u1")[...] = number
        scale = {"type": "scale", "scale": [1, 0.5 * step, 0.25 * step]}
        datasets.append({"path": str(number), "coordinateTransformations": [scale]})
    about = {"multiscales": [{"axes": axes, "datasets": datasets, **more}]}
    group.attrs.update({"ome": about} if version == "0.5" else about)
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path, version, monkeypatch):
    path = ome_zarr(tmp_path / "a.zarr", version=version)
    with open_image(path) as opened:
        assert opened.axes == ("c", "y", "x")
        assert opened.channel_axis == 0
        assert (opened.pixel_size, opened.unit) == ((0.5, 0.25), "um")
        assert opened.shape == (2, 8, 6)
        assert opened.notes == ()
    # Of large images a coarser level.
    monkeypatch.setattr("napari_s2clip.io.zarr_image._MAX_SIDE", 5)
    with open_image(path) as opened:
        assert opened.shape == (2, 4, 3)
        assert opened.pixel_size == (1.0, 0.5)
        assert opened.notes == ("level 1 of 2",)


@pytest.mark.parametrize(
    ("scale", "size"),
    [
        ([0, 0.5, 0.25], (0.5, 0.25)),  # what other axes have does not matter
        ([1, 0, 0.25], None),
        ([1, float("inf"), 0.25], None),
        ([0.5, 0.25], None),
    ],
)
def test_lengths_of_pixels_are_lengths(tmp_path, scale, size):
    path = ome_zarr(tmp_path / "a.zarr")
    group = zarr.open_group(str(path), mode="r+")
    about = group.attrs["ome"]
    steps = [{"type": "scale", "scale": scale}]
    about["multiscales"][0]["datasets"][0]["coordinateTransformations"] = steps
    group.attrs["ome"] = about
    with open_image(path) as opened:
        assert opened.pixel_size == size
        assert opened.unit == ("um" if size else "")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ome": {"plate": {}}}, "it is a plate; give the fields in it"),
        ({"ome": {"multiscales": []}}, "multiscales: it is missing"),
        ({"ome": 3}, "ome: it is no object"),
        (
            {"ome": {"multiscales": [{"datasets": [{"path": "7"}]}]}},
            r"multiscales\[0\].datasets: KeyError",
        ),
        (
            {"ome": {"multiscales": [{"datasets": [{"path": "0"}], "axes": [1]}]}},
            r"multiscales\[0\].axes: there must be 3",
        ),
        (
            {
                "ome": {
                    "multiscales": [{"datasets": [{"path": "0"}], "axes": [1, 2, 3]}]
                }
            },
            r"axes\[0\].name: is missing",
        ),
        (
            {
                "ome": {
                    "multiscales": [
                        {"datasets": [{"path": "0"}], "axes": ["x", "y", "c"]}
                    ]
                }
            },
            "the last two must be y and x",
        ),
        *(
            (
                {
                    "ome": {
                        "multiscales": [
                            {
                                "datasets": [{"path": "0"}],
                                "axes": AXES,
                                "coordinateTransformations": wrong,
                            }
                        ]
                    }
                },
                "coordinateTransformations must be numbers",
            )
            for wrong in (5, [{"scale": [None, 1, 1]}], [{"scale": ["a", 1, 1]}])
        ),
    ],
)
def test_wrong_zarr_is_named(tmp_path, change, sentence):
    path = ome_zarr(tmp_path / "a.zarr")
    group = zarr.open_group(str(path), mode="r+")
    group.attrs.update(change)
    with pytest.raises(ValueError, match=sentence) as error:
        open_image(path)
    assert str(error.value).startswith(str(path))


def test_damage_is_one_sentence(tmp_path):
    path = written(tmp_path / "a.tif", values(5, 64, 64), compression="zlib")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"a\.tif: the (TIFF|image) is damaged"):
        open_image(path)
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "zarr.json").write_text("{")
    with pytest.raises(ValueError, match=r"b\.zarr: the zarr is damaged"):
        open_image(tmp_path / "b.zarr")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        open_image(tmp_path / "none.png")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        open_image(tmp_path)
