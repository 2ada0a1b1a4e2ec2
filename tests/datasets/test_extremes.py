"""Full and read-only disks, odd names, and more classes than anybody has."""

import errno
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_s2clip import ClassSet
from napari_s2clip.datasets import (
    FORMATS,
    Coco,
    DatasetError,
    DatasetWriter,
    Format,
    Item,
    ItemExistsError,
    SemanticPNG,
)
from napari_s2clip.datasets.names import check_name

from .scenes import CLASSES, scene

HARD = [
    "two words",
    "Größe 1.5 µm",
    unicodedata.normalize("NFD", "é"),
    "ab" * 100,
    "ü" * 120,
    "ends with dots..",
    "x..png",
    "a.tif",
    "-rf",
    "%20{}$HOME'",
    "日本語",
    # Windows refuses these.
    *(["CON", "nul.txt", 'a:b*?"<|>'] if os.name != "nt" else []),
]


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]()


def small(name: str) -> Item:
    image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    return Item(name, np.array([[7, 7, 0, 1]] * 3), CLASSES, image)


def test_odd_names_come_back(form: Format, tmp_path: Path) -> None:
    folder = tmp_path / "an odd – folder"
    writer = DatasetWriter(folder, form, CLASSES, val=0.4)
    for name in HARD:
        writer.add(small(name))
        assert name in writer
    assert writer.finish().images == len(HARD)
    found = {item.name: item for item in form.read(folder)}
    assert sorted(found) == sorted(HARD)
    for item in found.values():
        np.testing.assert_array_equal(item.labels, small("a").labels)
        assert item.image is not None, item.name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Cat", "cat"),
        ("straße", "STRASSE"),
        (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")),
    ],
)
def test_names_that_are_the_same_elsewhere_are_refused(
    first: str, second: str, tmp_path: Path
) -> None:
    DatasetWriter(tmp_path, SemanticPNG(), CLASSES).add(small(first))
    for overwrite in (False, True):
        writer = DatasetWriter(tmp_path, SemanticPNG(), CLASSES, overwrite=overwrite)
        with pytest.raises(
            DatasetError, match=r"^[^\n]*same file on many disks[^\n]*$"
        ):
            writer.add(small(second))
    assert writer.finish().images == 1


def test_the_same_stem_in_two_folders_is_refused(tmp_path: Path) -> None:
    for overwrite in (False, True):
        folder = tmp_path / str(overwrite)
        writer = DatasetWriter(folder, Coco(), CLASSES, overwrite=overwrite)
        writer.add(replace(small("a"), source="one/a.tif"))
        with pytest.raises(ItemExistsError, match=r"one/a\.tif and two/a\.tif"):
            writer.add(replace(small("a"), source="two/a.tif"))


@pytest.mark.parametrize("name", ["CON", "con.1", "COM1", "a:b", "what?", "a|b"])
def test_names_that_windows_refuses_are_refused_there(name: str) -> None:
    with pytest.raises(DatasetError, match=r"^[^\n]*Windows[^\n]*$"):
        check_name(name, windows=True)
    check_name(name, windows=False)


def test_other_names_are_names_on_windows() -> None:
    for name in ("console", "com10", "a.con", "Größe"):
        check_name(name, windows=True)


@pytest.mark.parametrize("name", [".", "..", ".a", "/a", "a\\b", "a\0", "\ud800"])
def test_hidden_files_and_paths_are_no_names(name: str) -> None:
    with pytest.raises(ValueError, match=r"^name: [^\n]+$"):
        small(name)


@pytest.mark.parametrize("stem", ["x" * 251, "ü" * 125, ".hidden", " . a", "\x07"])
def test_names_of_foreign_files_become_names(stem: str, tmp_path: Path) -> None:
    data: dict[str, Any] = {"annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    data["images"] = [
        {"id": n, "width": 4, "height": 3, "file_name": f"{stem}.jpg"} for n in (1, 2)
    ]
    file = tmp_path / "x.json"
    file.write_text(json.dumps(data))
    first, second = Coco().read(file)
    assert first.name != second.name
    assert stem.strip(" .")[:30].replace("\x07", "_") in first.name


# Disks.


def assert_one_sentence(error: DatasetError, folder: Path) -> None:
    assert "\n" not in str(error)
    assert "not written: " in str(error)
    assert str(folder) in str(error)
    assert ".new" not in str(error)


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("fsync", errno.ENOSPC),
        ("replace", errno.EROFS),
        ("open", errno.EACCES),
        ("mkdir", errno.ENOSPC),
    ],
)
def test_any_step_may_fail_and_the_next_try_succeeds(
    form: Format,
    number: int,
    call: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time one step more succeeds, until all do."""
    item = scene(1)
    failed = 0
    while True:
        folder = tmp_path / str(failed)
        left = failed

        def fails(self_or_fd: Any, *args: Any, real: Any, **options: Any) -> Any:
            nonlocal left
            writes = call != "open" or "w" in str(args) or "+" in str(args)
            if writes:
                left -= 1
                if left < 0:
                    path = () if call == "fsync" else (str(self_or_fd),)
                    raise OSError(number, os.strerror(number), *path)
            return real(self_or_fd, *args, **options)

        home: Any = os if call == "fsync" else Path
        real = getattr(home, call)
        with monkeypatch.context() as patch:
            patch.setattr(
                home, call, lambda *a, real=real, **k: fails(*a, real=real, **k)
            )
            try:
                DatasetWriter(folder, form, CLASSES).add(item)
            except DatasetError as error:
                assert_one_sentence(error, folder)
                failed += 1
            else:
                break
        assert not list(tmp_path.rglob("*.new"))
        again = DatasetWriter(folder, form, CLASSES)
        assert item.name not in again
        again.add(item)
        assert again.finish().images == 1
    assert failed > (0 if call == "mkdir" else 1)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 96 kB, where this user may make one."""
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("only the superuser of Linux mounts disks")
    folder = tmp_path / "disk"
    folder.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", "size=96k", "none", folder]
    if subprocess.run(size, capture_output=True, check=False).returncode:
        pytest.skip("disks cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_keeps_what_is_complete(form: Format, disk: Path) -> None:
    folder = disk / "data"
    writer = DatasetWriter(folder, form, CLASSES)
    done = []

    def fill() -> None:
        for number in range(100):
            writer.add(replace(scene(number % 3), name=f"image {number}"))
            done.append(f"image {number}")

    with pytest.raises(DatasetError, match="the disk is full; free some") as caught:
        fill()
    assert_one_sentence(caught.value, folder)
    assert 0 < len(done) < 100
    assert not list(folder.rglob("*.new"))
    assert [n for n in range(100) if f"image {n}" in writer] == [*range(len(done))]
    # With more space, as many as there are can be finished.
    larger = ["mount", "-o", "remount,size=4m", disk]
    subprocess.run(larger, check=True, capture_output=True)
    assert DatasetWriter(folder, form, CLASSES).finish().images == len(done)


def test_a_disk_that_is_read_only_is_named(form: Format, disk: Path) -> None:
    writer = DatasetWriter(disk / "data", form, CLASSES)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True, capture_output=True)
    for refused in (
        lambda: writer.add(small("a")),
        writer.finish,
        lambda: DatasetWriter(disk / "other", form, CLASSES),
    ):
        with pytest.raises(
            DatasetError, match="may not be written to; choose"
        ) as caught:
            refused()
        assert_one_sentence(caught.value, disk)


# Classes.


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "voc"])
def test_50000_classes_come_back(name: str, tmp_path: Path) -> None:
    classes = ClassSet([f"class {n}" for n in range(50_000)])
    labels = np.linspace(0, 50_000, 30 * 40).astype(int).reshape(30, 40)
    item = Item("a", labels, classes, np.zeros(labels.shape, np.uint8))
    writer = DatasetWriter(tmp_path, FORMATS[name](), classes)
    writer.add(item)
    writer.finish()
    (back,) = FORMATS[name]().read(tmp_path)
    np.testing.assert_array_equal(back.labels, labels)
    assert back.classes.names == classes.names
    assert back.classes.ids == classes.ids


def test_65535_classes_are_refused_with_the_limit() -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*at most 65,534[^\n]*$"):
        ClassSet([f"class {n}" for n in range(65_535)])


def test_65534_classes_leave_a_value_to_ignore(tmp_path: Path) -> None:
    classes = ClassSet([f"class {n}" for n in range(65_534)])
    labels = np.array([[65_534, 1, 0, 0]])
    item = Item("a", labels, classes, ignore=np.array([[False, False, True, False]]))
    writer = DatasetWriter(tmp_path, SemanticPNG(), classes)
    writer.add(item)
    writer.finish()
    (back,) = SemanticPNG().read(tmp_path)
    np.testing.assert_array_equal(back.labels, labels)
    np.testing.assert_array_equal(back.ignore, item.ignore)
