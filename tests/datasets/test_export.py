"""Exports: what is written, what is left out and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_s2clip import ClassSet
from napari_s2clip.datasets import Coco, DatasetError, DatasetWriter, Item, Voc
from napari_s2clip.datasets.export import export_items
from napari_s2clip.progress import Cancelled

CLASSES = ClassSet(["cat"])


def item(name: str, side: int = 4, value: int = 1) -> Item:
    labels = np.zeros((side, side), int)
    labels[0, 0] = value
    return Item(name, labels, CLASSES, np.zeros((side, side), np.uint8))


def test_a_summary(tmp_path: Path) -> None:
    names: list[str] = []
    writer = DatasetWriter(tmp_path, Coco(), CLASSES, val=1)
    done = export_items([item("a"), item("b")], writer, progress=names.append)
    assert names == ["a", "b"]
    assert (done.images, done.objects, done.total) == (2, 2, 2)
    assert done.splits == {"val": 2}
    assert done.skipped == ()
    again = DatasetWriter(tmp_path, Coco(), CLASSES, val=1)
    done = export_items([item("b"), item("c")], again)
    assert (done.images, done.total) == (1, 3)
    ((name, why),) = done.skipped
    assert name == "b"
    assert why.startswith("it is in")
    bare = Item("d", np.ones((2, 2), int), CLASSES)
    done = export_items([bare], DatasetWriter(tmp_path, Coco(), CLASSES, val=1))
    assert done.skipped[0][0] == "d"
    assert (done.images, done.total) == (1, 4)


def test_tiles_without_labels_are_left_out_if_that_is_wanted(tmp_path: Path) -> None:
    for empty, images in ((True, 4), (False, 1)):
        writer = DatasetWriter(tmp_path / str(empty), Coco(), CLASSES)
        done = export_items([item("a")], writer, tile=2, empty=empty)
        assert done.images == images
    assert done.skipped == (("a", "3 tiles have no labels"),)


def test_cancelled_it_keeps_what_is_there(tmp_path: Path) -> None:
    def items() -> Iterator[Item]:
        yield item("a")
        raise Cancelled

    writer = DatasetWriter(tmp_path, Coco(), CLASSES)
    done = export_items(items(), writer)
    assert done.cancelled
    assert (done.images, done.total) == (1, 1)
    assert [i.name for i in Coco().read(tmp_path)] == ["a"]


def test_one_image_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    wide = Item(
        "wide",
        np.ones((1, 65_501), int),
        CLASSES,
        np.zeros((1, 65_501), np.uint8),
    )
    done = export_items([wide, item("a")], DatasetWriter(tmp_path, Voc(), CLASSES))
    assert done.images == 1
    assert [name for name, _ in done.skipped] == ["wide"]
    assert "65500" in done.skipped[0][1]


def test_a_folder_that_cannot_be_written_ends_it(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, Coco(), CLASSES)
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(DatasetError, match="images"):
        export_items([item("a")], writer)
