"""Every format of `FORMATS`: what is read is what was written, or was said to be lost.

Labels and classes are exact. Instances are exact too, or a sentence says that they are
not; then those that are read are parts of those that were written, up to their numbers.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.datasets import (
    FORMATS,
    DatasetWriter,
    Item,
    Panoptic,
    Record,
    Yolo,
    from_ids,
)
from napari_s2clip.datasets.instances import present

from .maps import label_maps
from .scenes import MANY, scene, scenes

CLASSES = ClassSet(
    [
        ClassEntry("große Katze", colour="#123456", id=9),
        "yes",
        ClassEntry("a: #1, 'b' \\ \"c\"", colour="#000000", id=300),
    ]
)
NAMES = st.sampled_from(["a", "a b.c", "Größe 1.5 µm", "a" * 200, "x.", "x..png"])


@st.composite
def items(draw: st.DrawFn) -> Item:
    """With or without instances, which may have gaps, parts, and pixels without one."""
    labels = np.array([0, *CLASSES.ids])[draw(label_maps())]
    step = draw(st.sampled_from([0, 1, 1000, 15_000_000]))
    instances, classes = None, {}
    if step:
        ids = np.arange(labels.size).reshape(labels.shape) // 2 % 5 % 4
        instances, classes, _ = from_ids(ids * step // 3, labels)
    ignore = None
    if draw(st.booleans()):
        ignore = (labels == 0) & (np.arange(labels.size).reshape(labels.shape) % 3 == 0)
    image = (np.arange(labels.size) * 7 % 256).astype(np.uint8).reshape(labels.shape)
    if draw(st.booleans()):
        image = np.stack([image, image // 2, 255 - image], -1)
    return Item(draw(NAMES), labels, CLASSES, image, instances, classes, ignore=ignore)


def there_and_back(form, *given: Item, **options) -> list[tuple[Item, Record]]:
    """What was read of each, and the record of its writing."""
    with TemporaryDirectory() as folder:
        writer = DatasetWriter(folder, form, given[0].classes, **options)
        records = {item.name: writer.add(item) for item in given}
        report = writer.finish()
        said = [(n, text) for n in sorted(records) for text in records[n].skipped]
        assert sorted(report.skipped) == sorted(said)
        read = {item.name: item for item in form.read(Path(folder))}
        for record in records.values():
            assert all(Path(folder, file).exists() for file in record.files)
        assert not [p for p in Path(folder).rglob("*") if p.suffix == ".new"]
    assert sorted(read) == sorted(records)
    return [(read[item.name], records[item.name]) for item in given]


def assert_agrees(form, item: Item, back: Item, record: Record) -> None:
    said = " ".join(record.skipped)
    table = [(e.id, e.name, e.colour) for e in item.classes]
    assert [(e.id, e.name, e.colour) for e in back.classes] == table
    np.testing.assert_array_equal(back.labels, item.labels)
    instances, classes = item.objects()
    if back.instances is None:
        # Told apart as connected regions are, which is all that there was to tell.
        same = np.array_equal(back.objects()[0], instances)
    else:
        same = np.array_equal(back.instances, instances)
        assert {n: back.instance_classes[n] for n in present(back.instances)} == {
            n: int(back.labels[back.instances == n][0]) for n in present(back.instances)
        }
    if same and back.instances is not None:
        assert back.instance_classes == classes
    if not same:
        assert "instance" in said or "object" in said
        found = back.objects()[0]
        np.testing.assert_array_equal(found > 0, instances > 0)
        if back.instances is not None:
            for number in present(found).tolist():
                assert present(instances[found == number]).size == 1
    if item.ignore is None or not item.ignore.any():
        assert back.ignore is None
    elif back.ignore is None:
        assert "ignore" in said
    else:
        np.testing.assert_array_equal(back.ignore, item.ignore)
    assert back.image is not None
    if form.name == "voc":  # a JPEG: the same size
        assert back.image.shape[:2] == item.shape
    else:
        np.testing.assert_array_equal(back.image, item.image)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40)
@given(item=items())
def test_what_is_read_is_what_was_written_or_said_to_be_lost(
    name: str, item: Item
) -> None:
    form = FORMATS[name]()
    ((back, record),) = there_and_back(form, item)
    assert_agrees(form, item, back, record)


@pytest.mark.parametrize("name", FORMATS)
def test_large_maps_of_all_parts_come_back(name: str) -> None:
    form, given = FORMATS[name](), scenes()
    found = there_and_back(form, *given, val=0.4, test=0.2)
    assert len({record.split for _, record in found}) > 1
    for item, (back, record) in zip(given, found, strict=True):
        assert_agrees(form, item, back, record)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "voc"])
def test_300_classes_come_back(name: str) -> None:
    form, item = FORMATS[name](), scene(1, MANY)
    ((back, record),) = there_and_back(form, item)
    assert_agrees(form, item, back, record)


@pytest.mark.parametrize("name", FORMATS)
def test_an_image_without_labels_is_an_image_of_the_dataset(name: str) -> None:
    labels = np.zeros((3, 5), np.uint16)
    image = np.full((3, 5, 3), 90, np.uint8)
    item = Item("empty", labels, CLASSES, image)
    ((back, record),) = there_and_back(FORMATS[name](), item)
    assert_agrees(FORMATS[name](), item, back, record)
    assert record.objects == 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_group_comes_back_as_a_group_or_this_is_said(name: str) -> None:
    labels = np.array([[9, 9, 0, 1]])
    image = np.zeros(labels.shape, np.uint8)
    group = {1: {"crowd": True}}
    instances = np.array([[1, 1, 0, 2]])
    item = Item("a", labels, CLASSES, image, instances, {1: 9, 2: 1}, group)
    ((back, record),) = there_and_back(FORMATS[name](), item)
    if back.instances is not None and not back.attributes.get(1, {}).get("crowd"):
        assert "group" in " ".join(record.skipped)


@settings(max_examples=40)
@given(item=items())
def test_bridges_of_yolo_cover_as_many_pixels_as_was_said(item: Item) -> None:
    ((back, record),) = there_and_back(Yolo("bridges"), item)
    covered = [int(text.split()[-3]) for text in record.skipped if "bridges" in text]
    changed = back.labels != item.labels
    assert np.count_nonzero(changed) <= sum(covered)
    if not covered:
        np.testing.assert_array_equal(back.objects()[0] > 0, item.objects()[0] > 0)
    assert record.objects == len(item.objects()[1])


@settings(max_examples=40)
@given(item=items())
def test_stuff_of_panoptic_is_one_segment_and_nothing_else_changes(item: Item) -> None:
    ((back, record),) = there_and_back(Panoptic(("yes",)), item)
    np.testing.assert_array_equal(back.labels, item.labels)
    value = CLASSES.id_of("yes")
    instances, classes = item.objects()
    stuff = item.labels == value
    assert len(present(back.instances[stuff])) == min(1, np.count_nonzero(stuff))
    np.testing.assert_array_equal(back.instances[~stuff], instances[~stuff])
    merged = sum(of == value for of in classes.values())
    assert any(f"{merged} regions of yes" in s for s in record.skipped) == (merged > 1)
