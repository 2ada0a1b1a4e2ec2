"""Items with everything, and what must come back of them."""

from pathlib import Path

import numpy as np

from napari_s2clip.classes import ClassEntry, ClassSet
from napari_s2clip.datasets import DatasetWriter, Format, Item, Record, from_ids

__all__ = [
    "CLASSES",
    "MANY",
    "PLAIN",
    "assert_exact",
    "full_item",
    "item_of",
    "there_and_back",
]

CLASSES = ClassSet(
    [
        ClassEntry("cat", colour="#123456", id=7),
        "große Katze",
        ClassEntry("dog", id=300),
    ]
)
PLAIN = ClassSet([ClassEntry("cat", id=7), "dog", ClassEntry("bird", id=300)])
MANY = ClassSet([f"class {n}" for n in range(300)])


def full_item(labels: np.ndarray, name: str = "ü b", **fields) -> Item:
    """An item of a map of 0 to 3: ids with gaps, scores, a group, pixels to ignore."""
    values = np.array([0, *CLASSES.ids])[labels]
    ids = (np.arange(labels.size) % 5 * 1000).reshape(labels.shape)
    instances, classes, _ = from_ids(ids, values)
    ignore = (values == 0) & (np.arange(labels.size) % 3 == 0).reshape(labels.shape)
    attributes = {
        number: {"score": number / 7e3, "crowd": True} if number == 1000 else {"a": "ü"}
        for number in classes
    }
    image = (np.arange(labels.size * 3) % 251).astype(np.uint8)
    fields = {
        "image": image.reshape(*labels.shape, 3),
        "instances": instances,
        "instance_classes": classes,
        "attributes": attributes,
        "ignore": ignore if ignore.any() else None,
        **fields,
    }
    return Item(name, values, CLASSES, **fields)


def assert_exact(item: Item, back: Item) -> None:
    """Everything but the dtypes of maps is the same."""
    assert (back.name, back.classes) == (item.name, item.classes)
    np.testing.assert_array_equal(back.labels, item.labels)
    instances, classes = item.objects()
    np.testing.assert_array_equal(back.instances, instances)
    assert back.instance_classes == classes
    assert back.attributes == item.attributes
    for field in ("image", "ignore"):
        one, other = getattr(item, field), getattr(back, field)
        assert (one is None) == (other is None), field
        if one is not None:
            np.testing.assert_array_equal(other, one)
            assert other.dtype == one.dtype
    assert (back.pixel_size, back.unit) == (item.pixel_size, item.unit)
    assert not back.notes


def item_of(labels: np.ndarray, classes: ClassSet = PLAIN, **fields) -> Item:
    """With a black image, if none is given."""
    fields.setdefault("image", np.zeros(labels.shape, np.uint8))
    return Item("one", labels, classes, **fields)


def there_and_back(form: Format, item: Item, folder: str | Path) -> tuple[Item, Record]:
    """The one item of a dataset as it is read, and its record."""
    writer = DatasetWriter(folder, form, item.classes)
    record = writer.add(item)
    writer.finish()
    assert all((Path(folder) / file).is_file() for file in record.files)
    (back,) = form.read(Path(folder))
    return back, record
