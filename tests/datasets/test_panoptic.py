import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from napari_s2clip import ClassSet
from napari_s2clip.datasets import DatasetError, DatasetWriter, Item, Panoptic, from_ids

from .maps import label_maps

CLASSES = ClassSet(["cat", "dog", "sky"])
MAP = np.array([[1, 0, 1], [3, 2, 3]])


def write(folder: Path, *given: Item, **options) -> Path:
    writer = DatasetWriter(folder, Panoptic(**options), CLASSES)
    for item in given:
        writer.add(item)
    writer.finish()
    return folder / "annotations" / "panoptic_train.json"


@settings(max_examples=30, deadline=None)
@given(labels=label_maps())
def test_what_is_read_is_what_was_written(labels: np.ndarray) -> None:
    ids = (np.arange(labels.size) % 5 * 70_000).reshape(labels.shape)
    instances, classes, _ = from_ids(ids, labels)
    image = (labels * 80).astype(np.uint8)
    known = {n: {"score": n / 7e6, "a": "ü"} for n in classes}
    if classes:
        known[min(classes)] = {"crowd": True}
    given = Item("ü b", labels, CLASSES, image, instances, classes, known)
    with TemporaryDirectory() as folder:
        index = json.loads(write(Path(folder), given).read_text(encoding="utf-8"))
        (back,) = Panoptic().read(Path(folder))
        png = Path(folder, "annotations", "panoptic_train", "ü b.png")
        pixels = np.asarray(Image.open(png)).astype(int)
    np.testing.assert_array_equal(back.labels, labels)
    instances, classes = given.objects()
    np.testing.assert_array_equal(back.instances, instances)
    np.testing.assert_array_equal(back.image, image)
    assert back.instance_classes == classes
    assert back.attributes == known
    assert (back.name, back.classes) == (given.name, CLASSES)
    assert not back.notes
    # What panopticapi asks for: the same ids in both, and these areas.
    found = pixels @ [1, 256, 65536]
    (annotation,) = index["annotations"]
    areas = {s["id"]: s["area"] for s in annotation["segments_info"]}
    values, counts = np.unique(found[found > 0], return_counts=True)
    assert areas == dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert annotation["image_id"] == index["images"][0]["id"]
    assert all(kind["isthing"] == 1 for kind in index["categories"])


def test_scores_of_other_programs_are_read(tmp_path: Path) -> None:
    index = write(tmp_path, Item("a", MAP, CLASSES, split="val"))
    index = index.with_name("panoptic_val.json")
    data = json.loads(index.read_text())
    data["annotations"][0]["segments_info"][0]["score"] = 0.5
    index.write_text(json.dumps(data))
    (item,) = Panoptic().read(index)
    assert item.attributes == {1: {"score": 0.5}}


def test_stuff_is_one_segment_and_this_is_said(tmp_path: Path) -> None:
    item = Item("a", MAP, CLASSES)
    index = json.loads(write(tmp_path, item, stuff=("sky",)).read_text())
    assert [kind["isthing"] for kind in index["categories"]] == [1, 1, 0]
    kinds = [s["category_id"] for s in index["annotations"][0]["segments_info"]]
    assert sorted(kinds) == [1, 1, 2, 3]
    record = Panoptic(("sky",)).write(item, tmp_path, "val")
    assert record.skipped[0].startswith("2 regions of sky")


def test_ids_that_no_colour_holds_are_refused(tmp_path: Path) -> None:
    ids = np.where(MAP > 0, MAP + 2**24, 0)
    instances, classes, _ = from_ids(ids, MAP)
    item = Item("a", MAP, CLASSES, None, instances, classes)
    with pytest.raises(DatasetError, match="16777219 is above"):
        Panoptic().write(item, tmp_path, "train")
    with pytest.raises(ValueError, match="stuff: 'sea' is no class"):
        Panoptic(("sea",)).write(item, tmp_path, "train")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("segments_info", [], r"segment 1 is not in .*annotations\[0\]\.segments_info"),
        ("image_id", 7, r"images\[0\]\.id"),
        ("file_name", "b.png", r"annotations\[0\]\.file_name: b\.png"),
        ("file_name", 3, r"annotations\[0\]\.file_name: must be str"),
        ("segments_info", [{"id": 1}], r"segments_info\[0\]\.category_id: is missing"),
        (
            "segments_info",
            [{"id": 1, "category_id": 5}],
            r"segments_info\[0\]\.category_id: there is no category 5",
        ),
        (
            "segments_info",
            [{"id": 0, "category_id": 1}],
            r"segments_info\[0\]\.id: 0",
        ),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, key: str, value: object, words: str
) -> None:
    index = write(tmp_path, Item("a", MAP, CLASSES))
    data = json.loads(index.read_text())
    data["annotations"][0][key] = value
    index.write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=rf"^[^\n]*{words}[^\n]*$"):
        list(Panoptic().read(index))
