import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from napari_s2clip.datasets import DatasetError, DatasetWriter, HuggingFace, Item
from napari_s2clip.datasets.huggingface_rows import METADATA
from napari_s2clip.datasets.pictures import read_png

from .exact import CLASSES, MANY, assert_exact, full_item
from .maps import label_maps

MAP = np.array([[1, 0, 1], [3, 2, 3]])


def write(folder: Path, *items: Item, **options) -> None:
    writer = DatasetWriter(folder, HuggingFace(), items[0].classes, **options)
    for item in items:
        writer.add(item)
    writer.finish()


def rows(folder: Path, part: str = "train") -> list[dict]:
    lines = (folder / part / METADATA).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@settings(max_examples=40, deadline=None)
@given(labels=label_maps())
def test_what_is_read_is_what_was_written(labels: np.ndarray) -> None:
    item = full_item(labels)
    with TemporaryDirectory() as folder:
        write(Path(folder), item)
        (back,) = HuggingFace().read(Path(folder))
    assert_exact(item, back)


def test_300_classes_and_objects(tmp_path: Path) -> None:
    labels = np.arange(400).reshape(20, 20) % 301
    image = np.zeros(labels.shape, np.uint16)
    item = Item("a", labels, MANY, image, ignore=labels == 0)
    write(tmp_path, item)
    (back,) = HuggingFace().read(tmp_path)
    assert_exact(item, back)


def types(value: object) -> object:
    """What Arrow makes of it: one type a column, and one for what lists hold."""
    if isinstance(value, dict):
        return {key: types(one) for key, one in value.items()}
    if isinstance(value, list):
        return [types(one) for one in value[:1]]
    return type(value)


def test_the_rules_of_imagefolder_are_kept(tmp_path: Path) -> None:
    splits = ("train", "val", "test")
    items = [full_item(MAP, f"{n} test_1", split=s) for n, s in enumerate(splits * 2)]
    empty = Item("9", np.zeros((2, 2), int), CLASSES, items[0].image[:, :2])
    write(tmp_path, *items, replace(empty, split="train"))
    parts = {
        file.parent.name: rows(tmp_path, file.parent.name)
        for file in tmp_path.glob(f"*/{METADATA}")
    }
    assert set(parts) == {"train", "validation", "test"}
    # The same columns, of the same types, in every part, the image's first.
    wanted = types(parts["test"][0])
    assert next(iter(wanted)) == "file_name"
    assert wanted["objects"]["bbox"] == [[int]]
    seen = set()
    for part, found in parts.items():
        assert types(found[0]) == wanted
        for row in found:
            for key in ("file_name", "label_file_name", "instances_file_name"):
                path = PurePosixPath(row[key])
                assert not path.is_absolute()
                assert ".." not in path.parts
                file = tmp_path / part / path
                assert read_png(file).shape[:2] in {(2, 3), (2, 2)}
                seen.add(file)
            assert len({len(column) for column in row["objects"].values()}) == 1
    # There is nothing else that looks like an image.
    assert seen == set(tmp_path.rglob("*.png"))


def test_rows_say_what_the_objects_are(tmp_path: Path) -> None:
    scored = full_item(MAP, "a", attributes={2000: {"score": 1, "crowd": True}})
    write(tmp_path, scored)
    (row,) = rows(tmp_path)
    assert row["label_file_name"] == "labels/a.png"
    assert row["objects"] == {
        "id": [2000, 3000, 4000, 4001, 4002],
        "bbox": [[2, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1], [2, 1, 1, 1]],
        "category": [1, 3, 2, 1, 3],
        "area": [1] * 5,
        # Not all objects have a score, so it has no column.
        "attributes": ['{"score": 1, "crowd": true}', *["{}"] * 4],
    }
    names = json.loads((tmp_path / "id2label.json").read_text("utf-8"))
    assert names == {"0": "background", "1": "cat", "2": "große Katze", "3": "dog"}
    labels = read_png(tmp_path / "train/labels/a.png")
    np.testing.assert_array_equal(labels, [[1, 0, 1], [3, 2, 3]])
    instances = read_png(tmp_path / "train/instances/a.png")
    np.testing.assert_array_equal(instances, [[4, 0, 1], [2, 3, 5]])


def test_scores_of_all_objects_are_a_column(tmp_path: Path) -> None:
    item = full_item(MAP, "a")
    known = {number: {"score": 0.5} for number in item.objects()[1]}
    instances, classes = item.objects()
    item = replace(
        item, instances=instances, instance_classes=classes, attributes=known
    )
    write(tmp_path, item)
    objects = rows(tmp_path)[0]["objects"]
    assert objects["score"] == [0.5] * 5
    assert "attributes" not in objects
    assert_exact(item, next(HuggingFace().read(tmp_path)))


def test_scores_that_are_no_numbers_are_text(tmp_path: Path) -> None:
    labels = np.array([[7]])
    known = {1: {"score": float("inf")}}
    ids = {"instances": labels // 7, "instance_classes": {1: 7}}
    write(tmp_path, Item("a", labels, CLASSES, attributes=known, **ids))
    (row,) = rows(tmp_path)
    assert row["objects"]["attributes"] == ['{"score": Infinity}']
    (back,) = HuggingFace().read(tmp_path)
    assert back.attributes == known


def test_images_that_are_not_given_have_no_file(tmp_path: Path) -> None:
    without = replace(full_item(MAP, "a"), image=None)
    write(tmp_path / "some", without, full_item(MAP, "b"))
    assert [row["file_name"] for row in rows(tmp_path / "some")] == [None, "b.png"]
    (back, _) = HuggingFace().read(tmp_path / "some")
    assert_exact(without, back)
    write(tmp_path / "none", without)
    assert "file_name" not in rows(tmp_path / "none")[0]
    (back,) = HuggingFace().read(tmp_path / "none")
    assert_exact(without, back)


def test_a_part_that_has_lost_its_images_is_gone(tmp_path: Path) -> None:
    write(tmp_path, full_item(MAP, "a", split="val"))
    write(tmp_path, full_item(MAP, "a", split="train"), overwrite=True)
    assert not list(tmp_path.glob("validation/**/*.*"))
    assert [item.split for item in HuggingFace().read(tmp_path)] == ["train"]


def foreign(folder: Path, row: object, names: object) -> list[Item]:
    """As others write it: no objects, no classes.json."""
    (folder / "validation" / "masks").mkdir(parents=True, exist_ok=True)
    pixels = np.array([[0, 1], [2, 255]], np.uint8)
    Image.fromarray(pixels).save(folder / "validation" / "masks" / "x.png")
    Image.fromarray(pixels).save(folder / "validation" / "x.jpg")
    Image.fromarray(pixels[:1]).save(folder / "validation" / "small.png")
    Image.new("RGB", (2, 2)).save(folder / "validation" / "colours.png")
    (folder / "validation" / METADATA).write_text(f"\n{json.dumps(row)}\n")
    (folder / "id2label.json").write_text(json.dumps(names))
    return list(HuggingFace().read(folder))


ROW = {"file_name": "x.jpg", "mask_file_name": "masks/x.png"}
NAMES = {"0": "Background", "2": "dog", "1": "cat"}


def test_folders_of_others_are_read(tmp_path: Path) -> None:
    (item,) = foreign(tmp_path, ROW, NAMES)
    assert (item.name, item.split) == ("x", "val")
    assert item.classes.names == ("cat", "dog")
    assert item.labels.tolist() == [[0, 1], [2, 0]]
    assert item.ignore.tolist() == [[False, False], [False, True]]
    assert item.image.shape == (2, 2)
    assert item.source == str(tmp_path / "validation" / "x.jpg")
    # Without a background 0 is a class.
    (item,) = foreign(tmp_path, ROW, ["sea", "cat", "dog"])
    assert item.classes.names == ("sea", "cat", "dog")
    assert item.labels.tolist() == [[3, 1], [2, 0]]
    # Instances may be of one bit.
    Image.new("1", (2, 2), 1).save(tmp_path / "validation" / "one.png")
    (item,) = foreign(tmp_path, {**ROW, "instances_file_name": "one.png"}, NAMES)
    assert item.instances.tolist() == [[0, 1], [2, 0]]
    assert item.instance_classes == {1: 1, 2: 2}
    # Boxes alone are no labels.
    boxes = {**ROW, "objects": {"bbox": [[0, 0, 1, 1]], "categories": [0]}}
    (item,) = foreign(tmp_path, boxes, NAMES)
    assert item.notes == ("1 boxes have no map of instances and are left out",)


@pytest.mark.parametrize(
    ("fields", "names", "words"),
    [
        ({"mask_file_name": None}, NAMES, r"line 2: label_file_name must be the path"),
        ({"mask_file_name": "../x.png"}, NAMES, "mask_file_name must be a path below"),
        ({"mask_file_name": "/x.png"}, NAMES, "mask_file_name must be a path below"),
        ({"mask_file_name": "C:/x.png"}, NAMES, "mask_file_name must be a path below"),
        ({"mask_file_name": "y.png"}, NAMES, r"y\.png: it cannot be read"),
        ({"mask_file_name": "colours.png"}, NAMES, "it has colours, not one value"),
        ({"file_name": 3}, NAMES, "file_name must be the path of a file, got 3"),
        ({"objects": {"id": 1}}, NAMES, r"objects\.id must be a list, got 1"),
        ({"objects": [1]}, NAMES, "line 2: objects must be an object of lists"),
        (
            {"objects": {"id": [4]}, "instances_file_name": "masks/x.png"},
            NAMES,
            r"line 2: objects\.id must be a whole number for each of 255",
        ),
        ({"instances_file_name": "small.png"}, NAMES, r"small\.png: its size is not"),
        ({}, {"0": "background", "1": "cat"}, r"x\.png: the value 2 is no class"),
        ({}, {"a": "cat"}, r"id2label\.json: id2label: 'a' is no whole number"),
        ({}, {"0": "background"}, r"id2label\.json: classes is empty"),
        ({}, 3, r"id2label\.json: id2label: it is no list of names"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, fields: dict, names: object, words: str
) -> None:
    with pytest.raises(DatasetError, match=rf"^[^\n]*{words}[^\n]*$"):
        foreign(tmp_path, ROW | fields, names)


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"id2label\.json: there is no such file; w"):
        list(HuggingFace().read(tmp_path))
    (tmp_path / "id2label.json").write_text("{")
    with pytest.raises(DatasetError, match=r"id2label\.json: it is no JSON"):
        list(HuggingFace().read(tmp_path))
    (tmp_path / "id2label.json").write_text('["background", "cat"]')
    with pytest.raises(DatasetError, match=r"there is no metadata\.jsonl"):
        list(HuggingFace().read(tmp_path))
    for text, words in (("{", "it is no JSON"), ("[]", "it must be an object")):
        (tmp_path / METADATA).write_text(text)
        with pytest.raises(DatasetError, match=f"line 1: {words}"):
            list(HuggingFace().read(tmp_path))
    (tmp_path / METADATA).write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match="it is no text"):
        list(HuggingFace().read(tmp_path))
