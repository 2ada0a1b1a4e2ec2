import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_s2clip.classes import ClassEntry, ClassSet
from napari_s2clip.datasets import DatasetError, DatasetWriter, Item
from napari_s2clip.datasets.semantic import SemanticPNG
from napari_s2clip.datasets.tiff import Tiff
from napari_s2clip.datasets.voc import Voc, colour_map
from napari_s2clip.datasets.yolo import Yolo

_CLASSES = ClassSet([ClassEntry("cat", id=7), "dog", ClassEntry("bird", id=300)])
_FORMATS = [SemanticPNG(), Voc(), Yolo(), Tiff()]

_maps = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.sampled_from([0, *_CLASSES.ids]))
)


def _item(labels, classes=_CLASSES, **fields):
    fields.setdefault("image", np.zeros(labels.shape, np.uint8))
    return Item("one", labels, classes, **fields)


def _there_and_back(form, item, folder):
    writer = DatasetWriter(folder, form, item.classes)
    record = writer.add(item)
    writer.finish()
    assert all((Path(folder) / file).is_file() for file in record.files)
    (back,) = form.read(Path(folder))
    return back, record


@pytest.mark.parametrize("form", _FORMATS, ids=lambda form: form.name)
@settings(max_examples=40, deadline=None)
@given(labels=_maps)
def test_labels_come_back(form, labels):
    with tempfile.TemporaryDirectory() as folder:
        back, _ = _there_and_back(form, _item(labels), folder)
    np.testing.assert_array_equal(back.labels, labels)
    assert back.classes == _CLASSES
    assert back.name == "one"


@pytest.mark.parametrize("form", _FORMATS[1:], ids=lambda form: form.name)
@settings(max_examples=40, deadline=None)
@given(labels=_maps)
def test_objects_come_back(form, labels):
    item = _item(labels)
    with tempfile.TemporaryDirectory() as folder:
        back, _ = _there_and_back(form, item, folder)
    np.testing.assert_array_equal(back.objects()[0], item.objects()[0])


@pytest.mark.parametrize(
    "form", [SemanticPNG(), Yolo(), Tiff()], ids=lambda form: form.name
)
def test_300_classes_come_back(form, tmp_path):
    labels = np.arange(400).reshape(20, 20) % 301
    classes = ClassSet([f"class {i}" for i in range(300)])
    back, _ = _there_and_back(form, _item(labels, classes), tmp_path)
    np.testing.assert_array_equal(back.labels, labels)


def test_voc_refuses_255_classes(tmp_path):
    classes = ClassSet([f"class {i}" for i in range(255)])
    with pytest.raises(DatasetError, match="up to 254 classes, there are 255"):
        Voc().write(_item(np.zeros((2, 2), int), classes), tmp_path, "train")


@pytest.mark.parametrize(
    "form", [SemanticPNG(), Voc(), Tiff()], ids=lambda form: form.name
)
def test_pixels_to_ignore_come_back(form, tmp_path):
    ignore = np.eye(3, dtype=bool)
    item = _item(np.where(ignore, 0, 7), ignore=ignore)
    back, _ = _there_and_back(form, item, tmp_path)
    np.testing.assert_array_equal(back.ignore, ignore)
    np.testing.assert_array_equal(back.labels, item.labels)


@pytest.mark.parametrize("to_pixels", [np.floor, np.rint])
def test_opencv_fills_rows_of_yolo_whether_cut_or_rounded(to_pixels, tmp_path):
    labels = (np.random.default_rng(1).random((97, 113)) < 0.6) * 7
    Yolo().write(_item(labels), tmp_path, "train")
    filled = np.zeros(labels.shape, np.uint8)
    for row in (tmp_path / "labels/train/one.txt").read_text().splitlines():
        points = np.array(row.split()[1:], np.float32).reshape(-1, 2) * (113, 97)
        cv2.fillPoly(filled, [to_pixels(points).astype(np.int32)], 1)
    np.testing.assert_array_equal(filled, labels == 7)


@pytest.mark.parametrize(("parts", "rows"), [("rows", 2), ("bridges", 1)])
def test_yolo_says_what_becomes_of_parts(parts, rows, tmp_path):
    labels = np.zeros((3, 9), int)
    labels[:, :2] = labels[:, 6:] = 7
    item = _item(labels, instances=np.minimum(labels, 1), instance_classes={1: 7})
    back, record = _there_and_back(Yolo(parts), item, tmp_path)
    assert len(back.instance_classes) == rows
    assert len(record.skipped) == 1
    assert (back.labels != labels).sum() == (0 if parts == "rows" else 4)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 0.5 0.5 0.1 0.1", "line 1: it is a box"),
        ("9 0 0 0 1 1 1", "line 1: class must be from 0 to 2, got 9"),
        ("0 0 0 1 1 0", "line 1: an outline needs three points"),
        ("0 0 0 3 1 1 1", "line 1: coordinates must be fractions"),
        ("cat 0 0 0 1 1 1", "line 1: it must hold numbers only"),
    ],
)
def test_yolo_refuses_rows_by_their_line(row, message, tmp_path):
    _there_and_back(Yolo(), _item(np.zeros((4, 4), int)), tmp_path)
    (tmp_path / "labels/train/one.txt").write_text(row)
    with pytest.raises(DatasetError, match=message):
        list(Yolo().read(tmp_path))


def test_torchvision_reads_voc(tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")
    labels = np.array([[0, 7], [300, 1]])
    _there_and_back(Voc(), _item(labels), tmp_path / "VOCdevkit/VOC2012")
    ((image, target),) = datasets.VOCSegmentation(tmp_path, image_set="train")
    assert image.size == (2, 2)
    np.testing.assert_array_equal(np.array(target), [[0, 1], [3, 2]])


def test_colours_of_voc():
    assert colour_map()[[0, 1, 2, 15, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [192, 128, 128],
        [224, 224, 192],
    ]


def test_voc_of_others_is_read_by_its_colours(tmp_path):
    from PIL import Image

    (tmp_path / "SegmentationClass").mkdir()
    pixels = np.array([[[0, 0, 0], [9, 8, 7]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "SegmentationClass/one.png")
    lines = "background:0,0,0::\ncat:1,1,1::\ndog:9,8,7::\n"
    (tmp_path / "labelmap.txt").write_text(lines)
    (item,) = Voc().read(tmp_path)
    assert item.labels.tolist() == [[0, 2]]
    assert item.classes.names == ("cat", "dog")


@pytest.mark.parametrize("unit", ["µm", "px"])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_tiff_keeps_values_and_the_size_of_a_pixel(shape, unit, tmp_path):
    image = np.random.default_rng(0).random(shape, np.float32)
    labels = np.full((4, 5), 7)
    item = _item(labels, image=image, pixel_size=(0.25, 0.5), unit=unit)
    back, _ = _there_and_back(Tiff(), item, tmp_path)
    np.testing.assert_array_equal(back.image, image)
    assert (back.pixel_size, back.unit) == ((0.25, 0.5), unit)
