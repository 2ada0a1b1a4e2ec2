"""Formats are known by a look at them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_s2clip import ClassSet
from napari_s2clip.datasets import FORMATS, DatasetWriter, Item
from napari_s2clip.datasets import detect as module
from napari_s2clip.datasets.detect import dataset_of, detect

CLASSES = ClassSet(["cat"])


def write(folder: Path, name: str) -> Path:
    writer = DatasetWriter(folder, FORMATS[name](), CLASSES)
    image = np.zeros((4, 4), np.uint8)
    writer.add(Item("a", np.eye(4, dtype=int), CLASSES, image))
    writer.finish()
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_ours_say_what_they_are(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "data", name)
    assert detect(folder) == detect(str(folder)) == name
    (item,) = FORMATS[name]().read(folder)
    assert item.name == "a"


@pytest.mark.parametrize("name", FORMATS)
def test_those_of_others_are_known_by_their_files(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, name)
    shutil.rmtree(folder / ".s2clip")
    assert detect(folder) == name
    for file in folder.rglob("*"):
        if file.suffix in {".png", ".tif", ".jpg", ".txt"} and file.is_file():
            assert detect(file) == (name if file.name == "labelmap.txt" else None)


def test_files_that_stand_for_a_dataset(tmp_path: Path) -> None:
    yolo = write(tmp_path / "y", "yolo")
    assert detect(yolo / "data.yaml") == "yolo"
    assert dataset_of(yolo / "data.yaml") == yolo
    head = yolo / ".s2clip" / "dataset.json"
    assert detect(head) == "yolo"
    assert dataset_of(head) == yolo
    coco = write(tmp_path / "c", "coco") / "annotations" / "instances_train.json"
    assert detect(coco) == "coco"
    assert dataset_of(coco) == coco


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({}, None),
        ([], None),
        ({"images": [], "annotations": [], "categories": []}, "coco"),
        ({"images": [], "annotations": [{"bbox": []}], "categories": []}, None),
        ({"images": [], "annotations": [{"segmentation": []}]}, None),
        (
            {
                "images": [],
                "annotations": [{"segments_info": []}],
                "categories": [],
            },
            "panoptic",
        ),
    ],
)
def test_json_of_all_kinds(tmp_path: Path, content: object, name: str | None) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert detect(path) == name
    assert detect(tmp_path) == name


def test_what_is_no_dataset(tmp_path: Path) -> None:
    assert detect(tmp_path) is None
    assert detect(tmp_path / "gone") is None
    (tmp_path / "a.json").write_bytes(b"\x00\xff{")
    (tmp_path / "classes.json").write_text("{")
    (tmp_path / "masks").mkdir()
    (tmp_path / "b.png").write_bytes(b"")
    assert detect(tmp_path) is None
    (tmp_path / ".s2clip").mkdir()
    (tmp_path / ".s2clip" / "dataset.json").write_text('{"format": "from later"}')
    assert detect(tmp_path) is None


def test_only_the_ends_of_a_large_file_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as stream:
        stream.write(b'{"annotations": [{"segmentation": []}], "x": "')
        stream.seek(10 * 2**30)  # a hole, which takes no room
        stream.write(b'", "images": [], "categories": []}')
    monkeypatch.setattr(module, "_LOOK", 4096)
    assert detect(path) == "coco"
