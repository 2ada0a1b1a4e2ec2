from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_s2clip import ClassSet
from napari_s2clip.datasets import Item, SemanticPNG, Voc, connected, from_ids
from napari_s2clip.datasets.instances import each, present
from napari_s2clip.datasets.item import MAX_NAME, safe_name
from napari_s2clip.image import Levels
from napari_s2clip.io.files import read_image

CLASSES = ClassSet(["cat", "dog"])
LABELS = np.array([[1, 0, 2], [0, 1, 2]])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a/b"),
        ("name", "a\nb"),
        ("name", " a"),
        ("name", ".."),
        ("name", "ü" * 121),
        ("labels", LABELS.astype(float)),
        ("labels", LABELS[0]),
        ("labels", LABELS[:0]),
        ("labels", LABELS + 1),
        ("labels", LABELS - 1),
        ("image", np.zeros((2, 2), np.uint8)),
        ("image", np.zeros((2, 3, 5), np.uint8)),
        ("instances", np.zeros((3, 3), np.int32)),
        ("instances", -LABELS),
        ("instances", np.ones_like(LABELS)),
        ("ignore", np.zeros((2, 3))),
        ("ignore", LABELS == 1),
        ("pixel_size", (1.0, 0.0)),
        ("split", "valid"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(field: str, value: object) -> None:
    fields = {"name": "a", "labels": LABELS, "classes": CLASSES, field: value}
    if field == "instances":
        fields["instance_classes"] = {1: 1}
    with pytest.raises(ValueError, match=rf"^{field}: [^\n]+$"):
        Item(**fields)


def test_an_instance_needs_a_class() -> None:
    with pytest.raises(ValueError, match=r"^instance_classes: instance 2"):
        Item("a", LABELS, CLASSES, instances=LABELS, instance_classes={1: 1})


def test_long_and_unicode_names_are_names() -> None:
    for name in ("ü" * 120, "große Katze 1.5 µm", "a" * 200):
        assert Item(name, LABELS, CLASSES).name == name


def test_regions_touch_at_corners_and_end_at_classes() -> None:
    instances, classes = connected(np.array([[2, 0, 1], [0, 2, 1], [1, 0, 0]]))
    np.testing.assert_array_equal(instances, [[1, 0, 2], [0, 1, 2], [3, 0, 0]])
    assert classes == {1: 2, 2: 1, 3: 1}


def test_ids_of_several_classes_are_split() -> None:
    ids = np.array([[7, 7, 7, 9], [7, 7, 7, 0]])
    labels = np.array([[1, 1, 2, 0], [1, 1, 2, 1]])
    instances, classes, notes = from_ids(ids, labels)
    np.testing.assert_array_equal(instances, [[7, 7, 8, 0], [7, 7, 8, 0]])
    assert classes == {7: 1, 8: 2}
    assert len(notes) == 1
    assert "instance 7 " in notes[0]
    item = Item("a", labels, CLASSES, instances=instances, instance_classes=classes)
    every, of = item.objects()
    np.testing.assert_array_equal(every, [[7, 7, 8, 0], [7, 7, 8, 9]])
    assert of == {7: 1, 8: 2, 9: 1}


@given(arrays(np.int32, (5, 7), elements=st.sampled_from([0, 1, 2, 5, 2**31 - 1])))
def test_each_is_every_pixel_once(instances: np.ndarray) -> None:
    seen = np.zeros_like(instances)
    found = list(each(instances, dict.fromkeys([1, 2, 5, 2**31 - 1], 1)))
    for one in found:
        x, y, width, height = one.bbox
        assert one.mask.shape == (height, width)
        assert one.area == one.mask.sum()
        assert one.mask.any(0)[[0, -1]].all()
        assert one.mask.any(1)[[0, -1]].all()
        seen[y : y + height, x : x + width][one.mask] += one.id
    np.testing.assert_array_equal(seen, instances)
    assert [one.id for one in found] == np.unique(instances[instances > 0]).tolist()
    assert present(instances).tolist() == [one.id for one in found]


def test_names_are_made_safe() -> None:
    assert safe_name(" a/b\\c:d\n. ") == "a_b_c_d_"
    assert safe_name("..") == safe_name("") == "image"
    long = safe_name("ä" * 300)
    assert len(long.encode()) <= MAX_NAME - 60
    assert Item(long, np.ones((1, 1), int), ClassSet(["a"])).name == long


def test_contrast_is_used_where_values_cannot_be_kept(tmp_path: Path) -> None:
    image = np.array([[10.0, 15.0, 20.0]])
    levels = Levels(((10, 20),))
    item = Item("a", np.ones((1, 3), int), ClassSet(["a"]), image, levels=levels)
    SemanticPNG().write(item, tmp_path, "train")
    pixels = read_image(tmp_path / "images/train/a.png")
    assert pixels[0, :, 0].tolist() == [0, 128, 255]
    Voc().write(item, tmp_path, "train")
    pixels = read_image(tmp_path / "JPEGImages/a.jpg")
    assert abs(pixels[0, :, 0].astype(int) - [0, 128, 255]).max() <= 3
