import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_s2clip.classes import ClassSet
from napari_s2clip.datasets.semantic import SemanticPNG
from napari_s2clip.datasets.tiff import Tiff
from napari_s2clip.datasets.voc import Voc
from napari_s2clip.datasets.yolo import Yolo

from .exact import PLAIN, item_of, there_and_back

_FORMATS = [SemanticPNG(), Voc(), Yolo(), Tiff()]

_maps = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.sampled_from([0, *PLAIN.ids]))
)


@pytest.mark.parametrize("form", _FORMATS, ids=lambda form: form.name)
@settings(max_examples=40, deadline=None)
@given(labels=_maps)
def test_labels_come_back(form, labels):
    with tempfile.TemporaryDirectory() as folder:
        back, _ = there_and_back(form, item_of(labels), folder)
    np.testing.assert_array_equal(back.labels, labels)
    assert back.classes == PLAIN
    assert back.name == "one"


@pytest.mark.parametrize("form", _FORMATS[1:], ids=lambda form: form.name)
@settings(max_examples=40, deadline=None)
@given(labels=_maps)
def test_objects_come_back(form, labels):
    item = item_of(labels)
    with tempfile.TemporaryDirectory() as folder:
        back, _ = there_and_back(form, item, folder)
    np.testing.assert_array_equal(back.objects()[0], item.objects()[0])


@pytest.mark.parametrize(
    "form", [SemanticPNG(), Yolo(), Tiff()], ids=lambda form: form.name
)
def test_300_classes_come_back(form, tmp_path):
    labels = np.arange(400).reshape(20, 20) % 301
    classes = ClassSet([f"class {i}" for i in range(300)])
    back, _ = there_and_back(form, item_of(labels, classes), tmp_path)
    np.testing.assert_array_equal(back.labels, labels)


@pytest.mark.parametrize(
    "form", [SemanticPNG(), Voc(), Tiff()], ids=lambda form: form.name
)
def test_pixels_to_ignore_come_back(form, tmp_path):
    ignore = np.eye(3, dtype=bool)
    item = item_of(np.where(ignore, 0, 7), ignore=ignore)
    back, _ = there_and_back(form, item, tmp_path)
    np.testing.assert_array_equal(back.ignore, ignore)
    np.testing.assert_array_equal(back.labels, item.labels)


@pytest.mark.parametrize("form", [Voc(), Yolo()], ids=lambda form: form.name)
def test_what_is_known_of_objects_and_has_no_place_is_said(form, tmp_path):
    ids = {"instances": np.array([[1, 0, 2]]), "instance_classes": {1: 7, 2: 300}}
    labels = np.array([[7, 0, 300]])
    group = "1 groups are written as objects, each as if it were one"
    other = "scores and whatever else is known of objects have no place"
    for number, (known, words) in enumerate(
        (
            ({"score": 0.5}, (other,)),
            ({"crowd": True}, (group,)),
            ({"score": 0.5, "crowd": True}, (group, other)),
        )
    ):
        item = item_of(labels, attributes={1: known}, **ids)
        _, record = there_and_back(form, item, tmp_path / str(number))
        assert record.skipped == words


def test_parts_have_the_names_that_people_give_them(tmp_path):
    from PIL import Image

    form = SemanticPNG()
    there_and_back(form, item_of(np.array([[7, 300]])), tmp_path)
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
        ("validation_val", "val"),  # a name is that of one image
    ]
