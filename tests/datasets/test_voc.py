import shutil

import numpy as np
import pytest

from napari_s2clip.classes import ClassSet
from napari_s2clip.datasets import DatasetError, Voc
from napari_s2clip.datasets.voc_classes import colour_map

from .exact import item_of, there_and_back


def test_voc_refuses_255_classes(tmp_path):
    classes = ClassSet([f"class {i}" for i in range(255)])
    with pytest.raises(DatasetError, match="up to 254 classes, there are 255"):
        Voc().write(item_of(np.zeros((2, 2), int), classes), tmp_path, "train")


def test_torchvision_reads_voc(tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")
    labels = np.array([[0, 7], [300, 1]])
    there_and_back(Voc(), item_of(labels), tmp_path / "VOCdevkit/VOC2012")
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


def test_voc_says_that_objects_are_numbered_anew(tmp_path):
    labels = np.array([[7, 0, 300]])
    for first, words in (
        (1, ()),
        (2, ("instances are numbered anew, from 1 in the order of their ids",)),
    ):
        ids = np.array([[first, 0, 3 * first - 1]])
        of = {first: 7, 3 * first - 1: 300}
        item = item_of(labels, instances=ids, instance_classes=of)
        back, record = there_and_back(Voc(), item, tmp_path / str(first))
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


@pytest.mark.parametrize("void", [False, True])
def test_void_has_a_name_where_there_is_some(void, tmp_path):
    ignore = np.array([[void, False, False]])
    item = item_of(np.array([[0, 7, 300]]), ignore=ignore)
    there_and_back(Voc(), item, tmp_path)
    text = (tmp_path / "labelmap.txt").read_text()
    assert ("ignored:224,224,192::" in text) == void
    # Without our own lists it is no class.
    (tmp_path / "classes.json").unlink()
    shutil.rmtree(tmp_path / ".s2clip")
    (back,) = Voc().read(tmp_path)
    assert back.classes.names == ("cat", "dog", "bird")
    assert back.labels.tolist() == [[0, 1, 3]]
    assert (back.ignore is not None) == void
