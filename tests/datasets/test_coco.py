import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.mask import encode

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.datasets import (
    Coco,
    DatasetError,
    DatasetWriter,
    Item,
    connected,
    from_ids,
)

from .maps import label_maps, masks

CLASSES = ClassSet([ClassEntry("cat", colour="#123456", id=7), "große Katze", "dog"])
MANY = ClassSet([f"class {n}" for n in range(300)])
FRAME = np.array([[1, 1, 1, 0], [1, 0, 1, 2], [1, 1, 1, 0]])


def items(labels: np.ndarray) -> Iterator[Item]:
    """As connected regions, and with ids of their own that have gaps."""
    values = np.array([0, *CLASSES.ids])[labels]
    yield Item("a b", values, CLASSES)
    ids = (np.arange(labels.size) % 5 * 1000).reshape(labels.shape)
    instances, classes, _ = from_ids(ids, values)
    yield Item("ü", values, CLASSES, None, instances, classes)


@contextmanager
def written(form: Coco, *given: Item, **options) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        writer = DatasetWriter(folder, form, given[0].classes, **options)
        for item in given:
            writer.add(item)
        writer.finish()
        yield Path(folder)


def assert_same(item: Item, back: Item) -> None:
    assert back.name == item.name
    assert back.classes == ClassSet(
        [ClassEntry(e.name, (), e.colour, e.id) for e in item.classes]
    )
    np.testing.assert_array_equal(back.labels, item.labels)
    instances, classes = item.objects()
    np.testing.assert_array_equal(back.instances, instances)
    assert back.instance_classes == classes


@pytest.mark.parametrize("how", ["auto", "rle", "compressed", "polygons"])
@settings(max_examples=30, deadline=None)
@given(labels=label_maps())
def test_what_is_read_is_what_was_written(how: str, labels: np.ndarray) -> None:
    given = list(items(labels))
    with written(Coco(how), *given) as folder:
        for item, back in zip(given, Coco().read(folder), strict=True):
            assert_same(item, back)
        # And pycocotools sees the same.
        foreign = COCO(folder / "annotations" / "instances_train.json")
        for item, image in zip(given, foreign.dataset["images"], strict=True):
            instances, classes = item.objects()
            found = foreign.loadAnns(foreign.getAnnIds(imgIds=[image["id"]]))
            assert len(found) == len(classes)
            for one in found:
                mask = foreign.annToMask(one).astype(bool)
                own = one["attributes"]["instance"]
                np.testing.assert_array_equal(mask, instances == own)
                assert one["category_id"] == classes[own]
                assert one["area"] == mask.sum()
                assert one["iscrowd"] == 0


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(301)))
def test_300_classes(order: list[int]) -> None:
    labels = np.array([*order, *order[:19]]).reshape(16, 20)
    with written(Coco(), Item("a", labels, MANY)) as folder:
        (back,) = Coco().read(folder)
    assert_same(Item("a", labels, MANY), back)


@pytest.mark.parametrize(
    ("how", "kind"),
    [("auto", list), ("rle", list), ("compressed", str), ("polygons", None)],
)
def test_holes_are_runs_or_cuts(how: str, kind: type | None, tmp_path: Path) -> None:
    item = Item("a", FRAME, ClassSet(["cat", "dog"]))
    record = Coco(how).write(item, tmp_path, "train")
    frame, dog = (a["segmentation"] for a in record.data["annotations"])
    if kind is None:
        assert len(frame) > 1
        assert "1 objects with holes" in record.skipped[1]
    else:
        assert frame["size"] == [3, 4]
        assert type(frame["counts"]) is kind
    if how in {"auto", "polygons"}:
        assert dog == [[3, 1, 4, 1, 4, 2, 3, 2]]


def test_images_splits_groups_and_attributes_come_back() -> None:
    values = np.where(FRAME > 0, 7, 0)
    instances, classes = connected(values)
    image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    ignore = values == 0
    given = [
        Item(
            f"{n} image",
            values,
            CLASSES,
            image + n,
            instances,
            classes,
            {1: {"score": 0.5, "crowd": n == 0, "method": "s2clip"}},
            ignore,
        )
        for n in range(8)
    ]
    with written(Coco(), *given, val=0.5) as folder:
        files = sorted(p.name for p in (folder / "annotations").iterdir())
        assert files == ["instances_train.json", "instances_val.json"]
        back = sorted(Coco().read(folder), key=lambda i: i.name)
        ids = [
            entry["id"]
            for file in files
            for entry in json.loads((folder / "annotations" / file).read_text())[
                "annotations"
            ]
        ]
        assert sorted(ids) == list(range(1, 9))
    for item, read in zip(given, back, strict=True):
        assert_same(item, read)
        np.testing.assert_array_equal(read.image, item.image)
        wanted = {k: v for k, v in item.attributes[1].items() if v is not False}
        assert read.attributes[1] == wanted
        assert not read.notes


def foreign(**fields) -> dict:
    """A small file as other programs write it."""
    annotation = {
        "id": 0,
        "image_id": 0,
        "category_id": 0,
        "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]],
        "iscrowd": 0,
    }
    data = {
        "images": [{"id": 0, "file_name": "sub/x.jpg", "height": 3, "width": 4}],
        "annotations": [annotation],
        "categories": [{"id": 0, "name": "cat"}, {"id": 9, "name": "dog"}],
    }
    for path, value in fields.items():
        *keys, last = path.split("__")
        target = data
        for key in keys:
            target = target[key]
            if isinstance(target, list):
                target = target[0]
        if value is ...:
            del target[last]
        else:
            target[last] = value
    return data


def read(folder: Path, data: object) -> list[Item]:
    file = folder / "x.json"
    file.write_text(json.dumps(data))
    return list(Coco().read(file))


def test_ids_from_0_and_gaps_are_read(tmp_path: Path) -> None:
    (item,) = read(tmp_path, foreign())
    assert item.classes.names == ("cat", "dog")
    assert item.classes.ids == (1, 9)
    assert item.name == "x"
    np.testing.assert_array_equal(item.labels[:2, :2], 1)
    assert item.labels.sum() == 4
    # A category 0 that nothing is of, as Roboflow writes it, is left out.
    (item,) = read(tmp_path, foreign(annotations__category_id=9))
    assert item.classes.names == ("dog",)


def test_the_smaller_of_two_objects_has_the_pixels(tmp_path: Path) -> None:
    data = foreign(annotations__category_id=9)
    whole = {"size": [3, 4], "counts": [0, 12]}
    data["annotations"].append(
        {"image_id": 0, "category_id": 0, "segmentation": whole, "score": 0.25}
    )
    data["annotations"].append({"image_id": 0, "category_id": 0, "bbox": [0, 0, 1, 1]})
    (item,) = read(tmp_path, data)
    assert (item.labels == 9).sum() == 4
    assert (item.labels == 1).sum() == 8
    assert item.attributes == {2: {"score": 0.25}}
    assert "annotations[2]" in item.notes[0]
    assert item.notes[1].startswith("4 pixels")


def test_groups_of_pycocotools_lie_below_single_objects(tmp_path: Path) -> None:
    whole, corner = np.ones((3, 4), np.uint8), np.zeros((3, 4), np.uint8)
    corner[0, :2] = 1
    data = foreign(annotations__image_id=40, images__id=40)
    data["images"].append({"id": 7, "file_name": "y.jpg", "height": 1, "width": 1})
    data["annotations"] = [
        # A group smaller than the object: its pixels are the object's all the same.
        {"image_id": 40, "category_id": 9, "segmentation": runs(corner), "iscrowd": 1},
        {"image_id": 40, "category_id": 0, "segmentation": runs(whole), "iscrowd": 0},
    ]
    first, second = read(tmp_path, data)
    assert (first.labels == 1).all()
    assert first.notes[0].startswith("2 pixels")
    assert first.attributes == {1: {"crowd": True}}
    assert (second.name, second.labels.tolist()) == ("y", [[0]])


def runs(mask: np.ndarray) -> dict:
    """Compressed by pycocotools, as files have it."""
    encoded = encode(np.asfortranarray(mask))
    return {**encoded, "counts": encoded["counts"].decode("ascii")}


@settings(max_examples=30, deadline=None)
@given(mask=masks)
def test_runs_of_pycocotools_are_read(mask: np.ndarray) -> None:
    height, width = mask.shape
    data = foreign(
        images__height=height,
        images__width=width,
        annotations__segmentation=runs(mask.astype(np.uint8)),
        annotations__iscrowd=1,
    )
    with TemporaryDirectory() as folder:
        (item,) = read(Path(folder), data)
    np.testing.assert_array_equal(item.labels, mask)


def test_fields_that_are_not_needed_may_be_missing(tmp_path: Path) -> None:
    annotation = {
        "image_id": 0.0,
        "category_id": 9.0,
        "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2], [3, 0, 4, 0, 4, 1, 3, 1]],
    }
    data = foreign(images__license=3)
    boxes = [{"segmentation": given} for given in ([], None, {})]
    data["annotations"] = [annotation, *({**annotation, **box} for box in boxes)]
    (item,) = read(tmp_path, data)
    assert item.labels.tolist() == [[9, 9, 0, 9], [9, 9, 0, 0], [0] * 4]
    assert item.instance_classes == {1: 9}
    # What has no segmentation is told, each.
    lines = [f"annotations[{n}] has no segmentation" for n in (1, 2, 3)]
    assert [note[: len(lines[0])] for note in item.notes[:3]] == lines


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_val2017.json", "val"),
        ("train.json", "train"),
        ("valid/_annotations.coco.json", "val"),
        ("annotations.json", None),
    ],
)
def test_the_split_is_known_by_the_name(
    tmp_path: Path, name: str, split: str | None
) -> None:
    file = tmp_path / "set" / name
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(foreign()))
    (item,) = Coco().read(file)
    assert item.split == split


def test_large_and_odd_ids_of_categories_are_numbered(tmp_path: Path) -> None:
    data = foreign(annotations__category_id=70_000)
    data["categories"] = [{"id": n, "name": f"c {n}"} for n in (70_000, 3, 12)]
    (item,) = read(tmp_path, data)
    assert item.classes.ids == (1, 3, 12)
    assert item.labels.max() == 1
    assert item.classes.name_of(1) == "c 70000"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"images": ...}, "images: is missing"),
        ({"images__id": "1"}, r"images\[0\]\.id"),
        ({"images__id": float("nan")}, r"images\[0\]\.id: must be a whole number"),
        ({"annotations__image_id": float("inf")}, r"annotations\[0\]\.image_id"),
        ({"images__width": ...}, r"images\[0\]\.width: is missing"),
        ({"images__height": 0}, r"images\[0\]\.height"),
        ({"annotations__image_id": 4}, r"annotations\[0\]\.image_id"),
        ({"annotations__category_id": 4}, r"annotations\[0\]\.category_id"),
        ({"annotations__category_id": ...}, r"annotations\[0\]\.category_id"),
        ({"annotations__segmentation": [[1]]}, r"annotations\[0\]\.segmentation"),
        ({"annotations__segmentation": [["a", 2]]}, r"annotations\[0\]\.segm"),
        ({"annotations__segmentation": {"size": [1, 1]}}, r"segmentation\.size"),
        (
            {"annotations__segmentation": {"size": [3, 4], "counts": [1]}},
            r"segmentation\.counts",
        ),
        (
            {"annotations__segmentation": {"size": [3, 4], "counts": "ä"}},
            r"segmentation\.counts",
        ),
        ({"categories__name": ...}, r"categories\[0\]\.name"),
        ({"categories__name": "Dog"}, "categories: .*twice"),
        ({"categories__id": 9}, r"categories\[1\]\.id: 9 is given twice"),
        ({"categories": []}, "category_id|categories"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, fields: dict, words: str) -> None:
    with pytest.raises(DatasetError, match=rf"^[^\n]*x\.json[^\n]*{words}[^\n]*$"):
        read(tmp_path, foreign(**fields))


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_what_is_no_coco_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DatasetError, match=r"x\.json"):
        list(Coco().read(tmp_path / "x.json"))


def test_images_outside_of_the_folder_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    data = foreign(images__file_name="../../../x.png")
    (item,) = read(tmp_path / "a" / "b" / "c", data)
    assert item.image is None
    assert "not found" in item.notes[0]


def test_the_way_to_write_is_checked() -> None:
    with pytest.raises(ValueError, match="segmentation"):
        Coco("polygon")
