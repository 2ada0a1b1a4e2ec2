import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from napari_s2clip.datasets import DatasetError, DatasetWriter, Item, OmeZarr
from napari_s2clip.datasets import ome_zarr as module

from .exact import MANY, assert_exact, full_item
from .maps import label_maps

MAP = np.array([[1, 0, 1], [3, 2, 3]])
SHORT = [
    {
        "axes": [{"name": "y"}, {"name": "x"}],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [{"type": "scale", "scale": [1]}],
            }
        ],
    }
]
LOST = {"class": "x", "score": float("nan")}


def write(folder: Path, *items: Item, **options) -> None:
    writer = DatasetWriter(folder, OmeZarr(), items[0].classes, **options)
    for item in items:
        writer.add(item)
    writer.finish()


def ome(path: Path, name: str = "") -> dict:
    return dict(zarr.open_group(path / name, mode="r").attrs["ome"])


@settings(max_examples=20, deadline=None)
@given(labels=label_maps())
def test_what_is_read_is_what_was_written(labels: np.ndarray) -> None:
    item = full_item(labels, pixel_size=(0.25, 0.5), unit="µm")
    with TemporaryDirectory() as folder:
        write(Path(folder), item)
        (back,) = OmeZarr().read(Path(folder))
        # Also without our records, by the file alone.
        path = Path(folder, "train", "ü b.ome.zarr")
        (alone,) = OmeZarr().read(path.rename(Path(folder, "ü b.ome.zarr")))
    assert_exact(item, back)
    assert_exact(replace(item, unit="micrometer"), alone)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.uint16, np.int32, np.float32])
def test_300_classes_and_any_kind_of_image(kind: type, tmp_path: Path) -> None:
    labels = np.arange(400).reshape(20, 20) % 301
    item = Item("a", labels, MANY, (labels / 3).astype(kind), ignore=labels == 0)
    write(tmp_path, item)
    (back,) = OmeZarr().read(tmp_path)
    assert_exact(item, back)


def seen(path: Path) -> dict:
    """What the reader of ome-zarr finds, by the name of the group."""
    nodes = Reader(parse_url(path))()
    return {node.zarr.basename(): node for node in nodes}


def test_the_reader_of_ome_zarr_sees_image_and_labels(tmp_path: Path) -> None:
    item = full_item(MAP, "a", pixel_size=(2.0, 3.0), unit="nm")
    write(tmp_path, item)
    nodes = seen(tmp_path / "train" / "a.ome.zarr")
    assert set(nodes) == {"a.ome.zarr", "labels", "classes", "objects"}
    (image,) = nodes["a.ome.zarr"].data
    np.testing.assert_array_equal(np.moveaxis(image.compute(), 0, 2), item.image)
    (classes,) = nodes["classes"].data
    np.testing.assert_array_equal(classes.compute(), item.labels)
    (objects,) = nodes["objects"].data
    np.testing.assert_array_equal(objects.compute(), item.objects()[0])
    about = nodes["classes"].metadata
    assert about["properties"][7] == {"class": "cat"}
    np.testing.assert_allclose(about["color"][7], [18 / 255, 52 / 255, 86 / 255, 1])
    about = nodes["objects"].metadata
    assert about["properties"][2000] == {"class": "cat", "a": "ü"}
    assert about["axes"] == [
        {"name": axis, "type": "space", "unit": "nanometer"} for axis in "yx"
    ]


def check_multiscales(path: Path, group: str, axes: list[str]) -> None:
    """The rules of version 0.5, https://ngff.openmicroscopy.org/0.5."""
    about = ome(path, group)
    assert about["version"] == "0.5"
    (scales,) = about["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == axes
    kinds = [axis["type"] for axis in scales["axes"]]
    assert kinds == ["channel"] * (len(axes) - 2) + ["space", "space"]
    before = None
    for level in scales["datasets"]:
        array = zarr.open_group(path, mode="r")[f"{group}/{level['path']}".strip("/")]
        assert array.metadata.zarr_format == 3
        assert list(array.metadata.dimension_names) == axes
        steps = level["coordinateTransformations"]
        assert [step["type"] for step in steps] in [["scale"], ["scale", "translation"]]
        assert all(len(step[step["type"]]) == len(axes) for step in steps)
        if before is not None:
            assert array.shape[-1] < before.shape[-1]
            assert array.dtype == before.dtype
        before = array


@pytest.mark.parametrize("value", [0, 1])
def test_the_metadata_keep_the_rules(value: int, tmp_path: Path) -> None:
    ignore = np.zeros((2, 3), bool)
    ignore[0, 0] = value == 0
    item = full_item(np.full((2, 3), value), "a", ignore=ignore, unit="px")
    write(tmp_path, item)
    path = tmp_path / "train" / "a.ome.zarr"
    check_multiscales(path, "", ["c", "y", "x"])
    assert ome(path, "labels") == {"version": "0.5", "labels": ["classes", "objects"]}
    for name in ("classes", "objects"):
        check_multiscales(path, f"labels/{name}", ["y", "x"])
        label = ome(path, f"labels/{name}")["image-label"]
        assert label["version"] == "0.5"
        assert label["source"] == {"image": "../../"}
        # Lists are not there where they would be empty.
        filled = value or name == "classes"
        assert set(label) >= ({"colors", "properties"} if filled else set())
        assert all(len(label[key]) for key in ("colors", "properties") if key in label)
        for colour in label.get("colors", []):
            assert len(colour["rgba"]) == 4
            assert {type(v) for v in colour["rgba"]} == {int}
        values = [one["label-value"] for one in label.get("properties", [])]
        assert len(set(values)) == len(values)
        array = zarr.open_group(path, mode="r")[f"labels/{name}/s0"]
        assert np.issubdtype(array.dtype, np.integer)
        assert set(np.unique(array[...])) <= {0, *values}


def test_large_images_get_smaller_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", 4)
    labels = np.arange(13 * 9).reshape(13, 9) % 4
    item = full_item(labels, "a", pixel_size=(2.0, 3.0), unit="nm")
    write(tmp_path, item)
    (back,) = OmeZarr().read(tmp_path)
    assert_exact(item, back)
    path = tmp_path / "train" / "a.ome.zarr"
    check_multiscales(path, "", ["c", "y", "x"])
    nodes = seen(path)
    first, second, third = (level.compute() for level in nodes["objects"].data)
    assert third.shape == (4, 3)
    np.testing.assert_array_equal(second, first[::2, ::2])
    np.testing.assert_array_equal(third, first[::4, ::4])
    (scale,) = nodes["objects"].metadata["coordinateTransformations"][2]
    assert scale["scale"] == [8.0, 12.0]
    first, second, third = (level.compute() for level in nodes["a.ome.zarr"].data)
    mean = first[:, 2:4, 4:6].mean((1, 2))
    np.testing.assert_array_equal(second[:, 1, 2], np.rint(mean))
    # The last row has no other below it.
    mean = first[:, 12, 4:6].mean(1)
    np.testing.assert_array_equal(second[:, 6, 2], np.rint(mean))
    # Their first pixel is the mean of 4 × 4, whose centre is 1.5 pixels further.
    scale, shift = nodes["a.ome.zarr"].metadata["coordinateTransformations"][2]
    assert scale["scale"] == [1.0, 8.0, 12.0]
    assert shift["translation"] == [0.0, 3.0, 4.5]


def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = full_item(MAP, "a")
    write(tmp_path, first)
    second = full_item(MAP[::-1], "a")

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_describe", stop)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, second, overwrite=True)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, replace(second, name="b"))
    assert [p.name for p in (tmp_path / "train").iterdir()] == ["a.ome.zarr"]
    (back,) = OmeZarr().read(tmp_path)
    assert_exact(first, back)
    monkeypatch.undo()
    write(tmp_path, replace(second, split="val"), overwrite=True)
    assert not list((tmp_path / "train").iterdir())
    (back,) = OmeZarr().read(tmp_path)
    assert_exact(second, back)


def test_without_the_library_writing_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, full_item(MAP, "a"))
    monkeypatch.setitem(sys.modules, "ome_zarr.writer", None)
    words = r'^[^\n]*pip install "napari-s2clip\[ome-zarr\]"[^\n]*$'
    with pytest.raises(DatasetError, match=words):
        write(tmp_path, full_item(MAP, "b"))
    # Reading does not need it.
    assert [item.name for item in OmeZarr().read(tmp_path)] == ["a"]


def test_what_has_no_place_is_said(tmp_path: Path) -> None:
    item = full_item(MAP, "a", image=None, attributes={2000: LOST | {"b": 1}})
    record = OmeZarr().write(item, tmp_path, "val")
    assert record.files == ("val/a.ome.zarr",)
    words = "what is known as class, score of objects has no place"
    assert record.skipped[1:] == (words,)
    (back,) = OmeZarr().read(tmp_path)
    assert back.attributes == {2000: {"b": 1}}
    assert back.image is None
    assert back.notes == ("there is no image beside the labels",)
    assert back.split == "val"


def foreign(folder: Path, version: int = 3) -> zarr.Group:
    """As others write it: t, c and z of length 1, version 0.4 in zarr 2."""
    root = zarr.open_group(folder / "x.zarr", mode="w", zarr_format=version)
    names = ["t", "c", "z", "y", "x"]
    for path, pixels in (
        ("", np.arange(6, dtype=np.uint8).reshape(1, 1, 1, 2, 3)),
        ("labels/classes", np.array(MAP).reshape(1, 1, 1, 2, 3)),
    ):
        group = root.require_group(path) if path else root
        array = group.create_array("0", shape=pixels.shape, dtype=pixels.dtype)
        array[...] = pixels
        steps = [{"type": "scale", "scale": [1, 1, 1, 0.5, 0.25]}]
        about = {
            "multiscales": [
                {
                    "axes": [{"name": name} for name in names],
                    "datasets": [{"path": "0", "coordinateTransformations": steps}],
                }
            ]
        }
        if path:
            about["image-label"] = {
                "properties": [
                    {"label-value": n, "class": name}
                    for n, name in enumerate(["sea", "a", "b", "c"])
                ]
            }
        group.attrs.update({"ome": about} if version == 3 else about)
    return root


@pytest.mark.parametrize("version", [2, 3])
def test_folders_of_others_are_read(version: int, tmp_path: Path) -> None:
    foreign(tmp_path, version)
    (item,) = OmeZarr().read(tmp_path / "x.zarr")
    assert (item.name, item.classes.names) == ("x", ("a", "b", "c"))
    np.testing.assert_array_equal(item.labels, MAP)
    np.testing.assert_array_equal(item.image, np.arange(6).reshape(2, 3))
    assert (item.pixel_size, item.instances) == ((0.5, 0.25), None)


def edited(root: zarr.Group, path: str, **fields: object) -> None:
    group = root[path] if path else root
    group.attrs["ome"] = {**group.attrs["ome"], **fields}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r["labels"].__delitem__("classes"), "labels/classes is missing; n"),
        (
            lambda r: edited(r, "labels/classes", multiscales=[]),
            "multiscales: it is",
        ),
        (
            lambda r: edited(r, "labels/classes", multiscales=SHORT),
            r"labels/classes: multiscales\[0\].axes: there must be 5",
        ),
        (
            lambda r: edited(r, "labels/classes", **{"image-label": {}}),
            "labels/classes: image-label.properties must give each label-value a class",
        ),
        (
            lambda r: edited(
                r, "labels/classes", **{"image-label": {"properties": [{"class": 1}]}}
            ),
            "image-label.properties must be a list of objects with a label-value",
        ),
        (
            lambda r: edited(
                r,
                "labels/classes",
                **{"image-label": {"properties": [{"label-value": 1, "class": "a"}]}},
            ),
            "the value 2 is no class",
        ),
        (
            lambda r: r.create_array(
                "labels/objects", shape=(1, 2), chunks=(1, 2), dtype="i4"
            ),
            "labels/objects must be a group",
        ),
        (
            lambda r: r["labels/classes"].create_array(
                "0", shape=(2, 3), chunks=(1, 2), dtype="i4", overwrite=True
            ),
            r"labels/classes: multiscales\[0\].axes: there must be 2",
        ),
        (
            lambda r: r["labels/classes"].create_array(
                "0", shape=(1, 1, 4, 2, 3), dtype="i4", overwrite=True
            ),
            "labels/classes: it has 4 planes along z; only single planes are read",
        ),
        (
            lambda r: r["labels/classes"].create_array(
                "0", shape=(1, 1, 1, 2, 3), dtype="f4", overwrite=True
            ),
            "labels/classes: it must hold whole numbers",
        ),
    ],
)
def test_what_is_wrong_is_named(change: object, words: str, tmp_path: Path) -> None:
    change(foreign(tmp_path))
    with pytest.raises(DatasetError, match=rf"^[^\n]*x\.zarr[^\n]*{words}[^\n]*$"):
        list(OmeZarr().read(tmp_path))


def test_an_image_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    root = foreign(tmp_path)
    root.create_array("0", shape=(1, 2, 1, 2, 3), dtype="u1", overwrite=True)
    (item,) = OmeZarr().read(tmp_path)
    assert item.image is None
    assert item.notes == ("the image of shape (2, 3, 2) does not go with its labels",)


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is no folder with the ending"):
        list(OmeZarr().read(tmp_path))
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(DatasetError, match=r"a\.zarr: it cannot be read"):
        list(OmeZarr().read(tmp_path))
    for text in ("{", "3", '"x"'):
        (tmp_path / "a.zarr" / "zarr.json").write_text(text)
        with pytest.raises(DatasetError, match=r"a\.zarr: it cannot be read"):
            list(OmeZarr().read(tmp_path))
