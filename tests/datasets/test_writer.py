import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from napari_s2clip import ClassSet
from napari_s2clip.datasets import (
    DatasetError,
    DatasetWriter,
    Item,
    ItemExistsError,
    Record,
    split_of,
    tiled,
)
from napari_s2clip.io.atomic import replace_text

CLASSES = ClassSet(["cat", "dog"])
LABELS = np.array([[1, 0], [0, 2]])


@dataclass(frozen=True)
class Plain:
    """Writes the names of images."""

    option: int = 1
    name = "plain"

    def write(self, item, folder, split):
        height, width = item.shape
        file = f"{item.source or item.name}.txt"
        replace_text(folder / file, item.name)
        skipped = ("it has no image",) if item.image is None else ()
        return Record(item.name, split, height, width, (file,), 2, skipped)

    def finish(self, folder, records, classes):
        replace_text(folder / "index.txt", " ".join(r.name for r in records))

    def read(self, path):
        raise NotImplementedError


def item(name: str, **fields) -> Item:
    return Item(name, LABELS, CLASSES, **fields)


def test_the_index_has_the_order_of_the_names_whoever_added_them(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data set"
    for name in ("b", "a"):
        DatasetWriter(folder, Plain(), CLASSES).add(
            item(name, provenance={"model": name}, edited=name == "a")
        )
    report = DatasetWriter(folder, Plain(), CLASSES).finish()
    assert (folder / "index.txt").read_text() == "a b"
    assert (report.images, report.objects) == (2, 4)
    assert report.skipped == (("a", "it has no image"), ("b", "it has no image"))
    about = json.loads((folder / ".s2clip" / "dataset.json").read_text())
    assert [one["edited"] for one in about["images"]] == [True, False]
    assert [
        about["provenance"][one["provenance"]]["model"] for one in about["images"]
    ] == ["a", "b"]
    # Opening it again loses nothing.
    DatasetWriter(folder, Plain(), CLASSES)
    assert json.loads((folder / ".s2clip" / "dataset.json").read_text()) == about


def test_an_image_is_replaced_only_if_asked(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, Plain(), CLASSES)
    writer.add(item("a", source="old"))
    assert "a" in writer
    assert "b" not in writer
    with pytest.raises(ItemExistsError, match="overwrite"):
        writer.add(item("a", source="old"))
    again = DatasetWriter(tmp_path, Plain(), CLASSES, overwrite=True)
    again.add(item("a", source="new"))
    assert {p.name for p in tmp_path.glob("*.txt")} == {"new.txt"}
    with pytest.raises(ItemExistsError, match="new and other"):
        again.add(item("a", source="other"))
    assert again.finish().images == 1


def test_a_failed_write_leaves_no_record(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, Plain(), CLASSES)
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(DatasetError, match="not written"):
        writer.add(item("a"))
    assert "a" not in writer
    assert not list(tmp_path.rglob("*.new"))


@pytest.mark.parametrize(
    ("plain", "classes", "fields", "word"),
    [
        (Plain(2), CLASSES, {}, "options"),
        (Plain(), ClassSet(["dog", "cat"]), {}, "classes"),
        (Plain(), CLASSES, {"val": 0.5}, "val"),
    ],
)
def test_another_dataset_is_refused(
    tmp_path: Path, plain: Plain, classes: ClassSet, fields: dict, word: str
) -> None:
    DatasetWriter(tmp_path, Plain(), CLASSES)
    with pytest.raises(DatasetError, match=word):
        DatasetWriter(tmp_path, plain, classes, **fields)


def test_an_item_of_other_classes_is_refused(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, Plain(), CLASSES)
    with pytest.raises(DatasetError, match="classes"):
        writer.add(replace(item("a"), classes=ClassSet(["dog", "cat"])))


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, Plain(), CLASSES)
    writer.add(item("a"))
    (tmp_path / ".s2clip" / "items" / "a.json").write_text("{")
    with pytest.raises(DatasetError, match=r"a\.json: it is damaged"):
        writer.finish()


def test_a_read_only_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"^[^\n]*file[^\n]*$"):
        DatasetWriter(tmp_path / "file", Plain(), CLASSES)


def test_the_split_hangs_on_the_name_alone() -> None:
    names = [f"image {n}" for n in range(2000)]
    splits = [split_of(name, 0.2, 0.1) for name in names]
    assert abs(splits.count("val") - 400) < 80
    assert abs(splits.count("test") - 200) < 60
    # More validation takes from training only.
    for name, split in zip(names, splits, strict=True):
        if split != "train":
            assert split_of(name, 0.3, 0.1) == split
    assert {split_of(name, 0, 0) for name in names} == {"train"}
    assert {split_of(name, 0.5, 0.5) for name in names} == {"val", "test"}


class Stopping(Plain):
    """Fails after its first file."""

    def write(self, item, folder, split):
        super().write(item, folder, split)
        raise OSError(28, "full")


def test_an_image_that_was_replaced_in_part_is_out_until_it_is_whole(
    tmp_path: Path,
) -> None:
    DatasetWriter(tmp_path, Plain(), CLASSES).add(item("a", source="old"))
    again = DatasetWriter(tmp_path, Stopping(), CLASSES, overwrite=True)
    with pytest.raises(DatasetError, match="the disk is full"):
        again.add(item("a", source="new"))
    assert "a" not in again
    assert again.finish().images == 0
    # Whoever adds it next removes files that it no longer has.
    DatasetWriter(tmp_path, Plain(), CLASSES).add(item("a", source="newer"))
    assert {p.name for p in tmp_path.glob("*.txt")} == {
        "index.txt",
        "new.txt",
        "newer.txt",
    }
    assert [p.name for p in (tmp_path / ".s2clip" / "items").iterdir()] == ["a.json"]


def test_an_item_keeps_the_split_it_has(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, Plain(), CLASSES, test=1)
    assert writer.add(item("a", split="val")).split == "val"
    assert writer.add(item("b")).split == "test"
    assert writer.finish().splits == {"train": 0, "val": 1, "test": 1}


@pytest.mark.parametrize("other", ["Größe", "GRÖSSE", "gro\u0308ße"])
def test_names_that_some_disks_take_for_one_are_refused(
    other: str, tmp_path: Path
) -> None:
    DatasetWriter(tmp_path, Plain(), CLASSES).add(item("größe"))
    writer = DatasetWriter(tmp_path, Plain(), CLASSES, overwrite=True)
    with pytest.raises(
        DatasetError, match=rf"^{other}: the dataset has größe, [^\n]+$"
    ):
        writer.add(item(other))
    writer.add(item("größe"))
    # Of one that was added by another program since, it hears when it finishes.
    late = DatasetWriter(tmp_path / "late", Plain(), CLASSES)
    second = DatasetWriter(tmp_path / "late", Plain(), CLASSES)
    late.add(item("größe"))
    if other not in second:
        second.add(item(other))
        with pytest.raises(DatasetError, match="the same file on many disks"):
            late.finish()


def test_folders_of_a_replaced_image_are_removed(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Folders(Plain):
        def write(self, item, folder, split):
            file = folder / item.source / "part.txt"
            file.parent.mkdir()
            file.write_text("")
            return Record(item.name, split, 2, 2, (item.source,))

    writer = DatasetWriter(tmp_path, Folders(), CLASSES, overwrite=True)
    writer.add(item("a", source="old"))
    again = DatasetWriter(tmp_path, Folders(), CLASSES, overwrite=True)
    again.add(item("a", source="new"))
    assert not (tmp_path / "old").exists()
    assert (tmp_path / "new" / "part.txt").is_file()


def test_slices_and_tiles_of_an_image_are_in_one_part(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, Plain(), CLASSES, val=0.3, test=0.3)
    parts = set()
    for number in range(20):
        slices = [item(f"{number}_z{z}", group=f"stack {number}") for z in range(3)]
        tiles = tiled(item(f"{number}"), 1)
        for several in (slices, tiles):
            (part,) = {writer.add(one).split for one in several}
            parts.add(part)
    assert parts == {"train", "val", "test"}


def test_files_of_others_are_no_place_for_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_text("mine")
    with pytest.raises(DatasetError, match="holds files that are no dataset of ours"):
        DatasetWriter(tmp_path, Plain(), CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
    # What a program left that was killed at its first step is no obstacle.
    (tmp_path / "d" / ".s2clip" / "items").mkdir(parents=True)
    DatasetWriter(tmp_path / "d", Plain(), CLASSES).add(item("a"))
