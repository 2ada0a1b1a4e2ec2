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
from napari_s2clip.datasets.voc import Voc
from napari_s2clip.datasets.voc_classes import colour_map
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
        ("nan 0 0 0 1 1 1", "line 1: class must be from 0 to 2, got nan"),
        ("inf 0 0 0 1 1 1", "line 1: class must be from 0 to 2, got inf"),
        ("0.5 0 0 0 1 1 1", "line 1: class must be from 0 to 2, got 0.5"),
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


def test_tiff_keeps_what_is_known_of_objects(tmp_path):
    labels = np.array([[7, 0, 300]])
    known = {5: {"score": 0.25, "crowd": True, "word": "ü"}}
    ids = {"instances": np.array([[5, 0, 9]]), "instance_classes": {5: 7, 9: 300}}
    item = _item(labels, attributes=known, **ids)
    back, record = _there_and_back(Tiff(), item, tmp_path)
    assert back.attributes == known
    assert back.instance_classes == {5: 7, 9: 300}
    assert record.skipped == ()


@pytest.mark.parametrize("form", [Voc(), Yolo()], ids=lambda form: form.name)
def test_what_is_known_of_objects_and_has_no_place_is_said(form, tmp_path):
    ids = {"instances": np.array([[1, 0, 2]]), "instance_classes": {1: 7, 2: 300}}
    item = _item(np.array([[7, 0, 300]]), attributes={1: {"score": 0.5}}, **ids)
    _, record = _there_and_back(form, item, tmp_path)
    assert record.skipped == (
        "scores and whatever else is known of objects have no place",
    )


def test_voc_says_that_objects_are_numbered_anew(tmp_path):
    labels = np.array([[7, 0, 300]])
    for first, words in (
        (1, ()),
        (2, ("instances are numbered anew, from 1 in the order of their ids",)),
    ):
        ids = np.array([[first, 0, 3 * first - 1]])
        of = {first: 7, 3 * first - 1: 300}
        item = _item(labels, instances=ids, instance_classes=of)
        back, record = _there_and_back(Voc(), item, tmp_path / str(first))
        assert record.skipped == words
        assert back.instances.tolist() == [[1, 0, 2]]


def _voc(folder, *names, annotated=True):
    """A download of VOC: nothing says what the classes are."""
    from PIL import Image

    for part in ("SegmentationClass", "Annotations", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    picture = Image.fromarray(np.array([[0, 15, 20, 255]], np.uint8))
    picture.putpalette(colour_map().tobytes())
    picture.save(folder / "SegmentationClass/2007_000032.png")
    if annotated:
        objects = "".join(
            f"<object><name>{name}</name><part><name>head</name></part></object>"
            for name in names
        )
        text = f"<annotation><folder>VOC2012</folder>{objects}</annotation>"
        (folder / "Annotations/2007_000032.xml").write_text(text)
    (folder / "ImageSets/Segmentation/val.txt").write_text("2007_000032\n")


def test_voc_as_it_comes_has_its_twenty_classes(tmp_path):
    _voc(tmp_path, "person", "tvmonitor")
    (item,) = Voc().read(tmp_path)
    assert item.classes.names[::19] == ("aeroplane", "tvmonitor")
    assert item.classes.name_of(15) == "person"
    assert item.classes.colour_of(15) == "#c08080"
    assert item.labels.tolist() == [[0, 15, 20, 0]]
    assert item.ignore.tolist() == [[False, False, False, True]]
    assert item.split == "val"


@pytest.mark.parametrize(
    ("names", "annotated", "words"),
    [
        (["person", "cell"], True, "and cell is no class of VOC 2012; write a line"),
        ([], True, "there is no such file; write a line name:r,g,b::"),
        ([], False, "there is no such file; write a line name:r,g,b::"),
        (["<"], True, "it is no XML"),
    ],
)
def test_voc_of_other_classes_needs_their_names(names, annotated, words, tmp_path):
    _voc(tmp_path, *names, annotated=annotated)
    with pytest.raises(DatasetError, match=rf"^[^\n]*{words}[^\n]*$"):
        list(Voc().read(tmp_path))


def test_yolo_of_roboflow_is_read(tmp_path):
    from PIL import Image

    for part in ("train", "valid", "test"):
        for kind in ("images", "labels"):
            (tmp_path / part / kind).mkdir(parents=True)
        Image.new("RGB", (8, 4)).save(tmp_path / part / "images" / f"{part}_jpg.rf.jpg")
        row = "1 0 0 0.5 0 0.5 1 0 1\n"
        (tmp_path / part / "labels" / f"{part}_jpg.rf.txt").write_text(row)
    index = tmp_path / "data.yaml"
    index.write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\n"
        "nc: 2\nnames: ['cat', 'background']\n"
    )
    items = list(Yolo().read(tmp_path))
    assert {item.name: item.split for item in items} == {
        "test_jpg.rf": "test",
        "train_jpg.rf": "train",
        "valid_jpg.rf": "val",
    }
    assert items[0].classes.names == ("cat", "background")
    assert items[0].image.shape == (4, 8, 3)
    assert set(np.unique(items[0].labels[:, :4])) == {2}
    assert [item.name for item in Yolo().read(index)] == [item.name for item in items]


def test_yolo_needs_the_image_or_our_word_for_its_size(tmp_path):
    labels = np.array([[7, 0], [0, 300]])
    _there_and_back(Yolo(), _item(labels, image=None), tmp_path)
    (item,) = Yolo().read(tmp_path)
    np.testing.assert_array_equal(item.labels, labels)
    assert item.image is None
    assert item.notes == ("the image was not given, so there are only labels",)
    (tmp_path / ".s2clip/items/one.json").unlink()
    words = r"one\.txt: its image is missing in .*images, and without it the size is"
    with pytest.raises(DatasetError, match=words):
        list(Yolo().read(tmp_path))


def test_yolo_classes_that_others_renamed_are_theirs(tmp_path):
    _there_and_back(Yolo(), _item(np.array([[7, 300]])), tmp_path)
    index = tmp_path / "data.yaml"
    index.write_text(index.read_text().replace("0: cat", "0: cow"))
    (item,) = Yolo().read(tmp_path)
    assert item.classes.names == ("cow", "dog", "bird")
    assert item.classes.ids == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 3", "names: they are missing"),
        ("nc: 3", "names: it is no list of names"),
        ("names: {0: cat, 2: dog}", "names: they must be numbered from 0 without gaps"),
        ("names: [no]", "name of 0: False is no text"),
        ("names: [cat, cat]", "is named twice"),
        ("names: [", "it is no YAML"),
    ],
)
def test_yolo_refuses_an_index_by_its_field(text, words, tmp_path):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DatasetError, match=rf"^[^\n]*data\.yaml: [^\n]*{words}[^\n]*$"):
        list(Yolo().read(tmp_path))


def test_parts_have_the_names_that_people_give_them(tmp_path):
    from PIL import Image

    form = SemanticPNG()
    _there_and_back(form, _item(np.array([[7, 300]])), tmp_path)
    (tmp_path / ".s2clip/items/one.json").unlink()
    for part, split in (("validation", "val"), ("Test", "test"), ("deep/valid", "val")):
        folder = tmp_path / "masks" / part
        folder.mkdir(parents=True)
        Image.new("L", (2, 2)).save(folder / f"{split}.png")
    (tmp_path / "masks" / "other").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "masks" / "other" / "train.png")
    splits = [(item.name, item.split) for item in form.read(tmp_path)]
    assert sorted(splits, key=str) == [
        ("one", "train"),
        ("test", "test"),
        ("train", None),
        ("val", "val"),
        ("val", "val"),
    ]
