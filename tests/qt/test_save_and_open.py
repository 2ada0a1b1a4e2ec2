"""Datasets by napari's own File > Save and File > Open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from napari.components import ViewerModel
from napari.layers import Labels
from npe2 import PluginManager
from pycocotools.coco import COCO

import napari_s2clip
from napari_s2clip import ClassSet
from napari_s2clip.datasets import FORMATS, Coco, DatasetError, DatasetWriter, Item
from napari_s2clip.datasets.detect import detect
from napari_s2clip.io.files import read_image
from napari_s2clip.layers import add_segmentation, reader, writers
from napari_s2clip.layers.reader import get_reader

PHOTO = np.arange(96, dtype=np.uint8).reshape(8, 12)
OURS = "napari-s2clip"


@pytest.fixture(scope="module", autouse=True)
def plugins() -> PluginManager:
    """Those that are installed, which else come with the first window."""
    manager = PluginManager.instance()
    manager.discover()
    return manager


@pytest.fixture
def viewer(make_result: Any) -> ViewerModel:
    viewer = ViewerModel()
    image = viewer.add_image(PHOTO, name="photo")
    add_segmentation(viewer, image, make_result(PHOTO.shape, ClassSet(["cat", "dog"])))
    for layer in list(viewer.layers):
        if layer.name not in ("photo", "photo refined"):
            viewer.layers.remove(layer)
    return viewer


def contributions() -> Any:
    path = Path(napari_s2clip.__file__).with_name("napari.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))["contributions"]


def ending_of(form: str) -> str:
    command = f"{OURS}.write_{form.replace('-', '_')}"
    (writer,) = (w for w in contributions()["writers"] if w["command"] == command)
    (ending,) = writer["filename_extensions"]
    return str(ending)


def test_every_format_has_a_writer() -> None:
    given = contributions()["writers"]
    assert [w["command"] for w in given] == [
        f"{OURS}.write_{form.replace('-', '_')}" for form in FORMATS
    ]
    titles = [w["display_name"] for w in given]
    assert len(set(titles)) == len(titles)
    for name in ("write_gone", "other"):
        with pytest.raises(AttributeError):
            getattr(writers, name)


@pytest.mark.parametrize("form", [f for f in FORMATS if f not in {"coco", "png"}])
def test_labels_and_image_become_a_folder(
    viewer: ViewerModel, tmp_path: Path, form: str
) -> None:
    refined = viewer.layers["photo refined"]
    paths = viewer.layers.save(str(tmp_path / f"mine{ending_of(form)}"))
    assert paths == [str(tmp_path / "mine")]
    assert detect(tmp_path / "mine") == form
    (item,) = FORMATS[form]().read(tmp_path / "mine")
    assert item.name == "mine"
    np.testing.assert_array_equal(item.labels, refined.data)
    assert item.classes.names == ("cat", "dog")
    assert item.image.shape[:2] == PHOTO.shape
    # What is there is not lost by saving once more.
    with pytest.raises(OSError, match=r"it is in .*mine already"):
        viewer.layers.save(str(tmp_path / f"mine{ending_of(form)}"))


def test_coco_is_the_file_that_was_named(viewer: ViewerModel, tmp_path: Path) -> None:
    refined = viewer.layers["photo refined"]
    path = tmp_path / "a b.json"
    for _ in range(2):  # napari has asked whether to replace it
        paths = viewer.layers.save(str(path))
        assert paths == [str(path), str(tmp_path / "a b" / "a b.png")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a b", "a b.json"]
    coco = COCO(str(path))
    found = np.zeros(PHOTO.shape, int)
    for one in coco.loadAnns(coco.getAnnIds()):
        found[coco.annToMask(one) > 0] = one["category_id"]
    np.testing.assert_array_equal(found, refined.data)

    other = ViewerModel()
    layers = other.open(str(path), plugin=OURS)
    assert [layer.name for layer in layers] == [
        "a b",
        "a b labels",
        "a b objects",
    ]
    np.testing.assert_array_equal(layers[0].data, PHOTO)
    np.testing.assert_array_equal(layers[1].data, refined.data)
    np.testing.assert_array_equal(layers[1].get_color(2), refined.get_color(2))
    # There is no other reader, so that none is asked for.
    assert len(ViewerModel()._open_or_raise_error([str(path)])) == 3


def test_a_label_map_as_png(viewer: ViewerModel, tmp_path: Path) -> None:
    refined = viewer.layers["photo refined"]
    viewer.layers.selection = {refined}
    paths = viewer.layers.save(str(tmp_path / "x.png"), selected=True)
    assert paths == [str(tmp_path / "x.png"), str(tmp_path / "x.classes.json")]
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), refined.data)
    rows = json.loads((tmp_path / "x.classes.json").read_text())["classes"]
    assert [(row["index"], row["name"]) for row in rows] == [(1, "cat"), (2, "dog")]
    paths = viewer.layers.save(str(tmp_path / "x.png"))
    assert paths[2:] == [str(tmp_path / "x" / "x.png")]
    np.testing.assert_array_equal(read_image(paths[2]), PHOTO)


def test_a_stack_is_one_image_a_slice(tmp_path: Path) -> None:
    viewer = ViewerModel()
    data = np.zeros((2, 4, 5), np.uint8)
    data[1, 1, 1] = 3
    viewer.add_image(data * 50)
    viewer.add_labels(data)
    paths = viewer.layers.save(str(tmp_path / "s.png"))
    assert [Path(p).name for p in paths] == [
        *("s_z000.png", "s_z001.png", "s.classes.json"),
        *("s_z000.png", "s_z001.png"),
    ]
    viewer.layers.save(str(tmp_path / "s.json"))
    items = list(Coco().read(tmp_path / "s.json"))
    assert [item.name for item in items] == ["s_z000", "s_z001"]
    assert all(item.image is not None for item in items)
    assert items[1].labels[1, 1] == 3
    assert items[1].classes.names == ("label 3",)


def test_what_cannot_be_saved_says_why(tmp_path: Path) -> None:
    labels = Labels(np.ones((4, 4), int)).as_layer_data_tuple()
    with pytest.raises(OSError, match=r"nowhere.*: not written"):
        writers.write_coco(str(tmp_path / "nowhere" / "a.json"), [labels])
    with pytest.raises(OSError, match=r"^layers: select one Labels layer"):
        writers.write_voc(str(tmp_path / "a.voc"), [labels, labels])
    (tmp_path / "a").write_text("in the way")
    with pytest.raises(OSError, match="not written"):
        writers.write_voc(str(tmp_path / "a.voc"), [labels])


def test_ordinary_saving_stays_with_napari(
    viewer: ViewerModel, plugins: PluginManager, tmp_path: Path
) -> None:
    both = ["image", "labels"]
    for path, types, command in (
        ("a", ["labels"], "napari.write_labels"),
        ("a.tif", ["labels"], "napari.write_labels"),
        ("a.npz", ["labels"], "napari.write_labels"),
        ("a", ["image"], "napari.write_image"),
        ("a.png", ["image"], "napari.write_image"),
        ("a", both, "napari.write_directory"),
        ("a", ["labels", "labels"], "napari.write_directory"),
        ("a", ["image", "image"], "napari.write_directory"),
    ):
        writer, _ = plugins.get_writer(path, types)
        assert writer is not None
        assert writer.command == command, (path, types)
    refined = viewer.layers["photo refined"]
    viewer.layers.selection = {refined}
    (path,) = viewer.layers.save(str(tmp_path / "l"), selected=True)
    np.testing.assert_array_equal(tifffile.imread(path), refined.data)


def test_ordinary_opening_stays_with_napari(
    plugins: PluginManager, tmp_path: Path
) -> None:
    for name in ("a.png", "a.tif", "a.tiff", "a.jpg", "a.ome.tif", "a.ome.zarr", "a"):
        (tmp_path / name).mkdir()
        for path in (tmp_path / name, Path("gone") / name):
            found = plugins.iter_compatible_readers([str(path)])
            assert OURS not in [r.plugin_name for r in found], path


def test_only_datasets_are_read(tmp_path: Path, monkeypatch: Any) -> None:
    plain = tmp_path / "a.json"
    plain.write_text("{}")
    picture = tmp_path / "a.png"
    picture.touch()
    zarr = tmp_path / "a.zarr"
    zarr.mkdir()
    for path in (plain, picture, zarr, tmp_path, tmp_path / "gone"):
        assert get_reader(str(path)) is None
    assert get_reader([str(plain)]) is None

    classes = ClassSet(["cat"])
    for form in ("yolo", "voc", "tiff"):
        folder = tmp_path / form
        writer = DatasetWriter(folder, FORMATS[form](), classes)
        for name in "ab":
            ones = np.ones((4, 4), int)
            writer.add(Item(name, ones, classes, ones.astype(np.uint8)))
        writer.finish()
        file = {"yolo": "data.yaml", "voc": "labelmap.txt"}.get(form, "classes.json")
        layers = ViewerModel().open(str(folder / file), plugin=OURS)
        assert [layer.name for layer in layers[:2]] == ["a", "a labels"]
        assert get_reader(str(folder)) is not None
    monkeypatch.setattr(reader, "_MOST", 1)
    with pytest.raises(DatasetError, match="more than 1 images; choose some"):
        reader.read_dataset(str(tmp_path / "voc"))
