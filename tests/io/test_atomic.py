import errno
import os
from pathlib import Path

import pytest

from napari_s2clip.errors import reason
from napari_s2clip.io.atomic import (
    remove,
    replace_bytes,
    replace_text,
    replacing,
    replacing_folder,
    sweep,
)

DAY = 24 * 3600


def interrupted(path: Path) -> None:
    with replacing(path) as new:
        new.write_text("half")
        raise KeyboardInterrupt


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 120 + ".txt")
    replace_text(path, "old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert path.read_text() == "old"
    replace_bytes(path, b"new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        replace_text(path, "")
    assert caught.value.filename == str(path)
    with pytest.raises(OSError, match="disk") as caught, replacing(path):
        raise OSError(errno.ENOSPC, "the disk is full")
    assert caught.value.filename == str(path)
    # Another file's name stays.
    with pytest.raises(OSError, match="other") as caught, replacing(path):
        raise OSError(errno.EACCES, "no", "other")
    assert caught.value.filename == "other"


def test_what_was_left_a_day_ago_is_swept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    hexadecimal = "0123456789abcdef" * 2
    old, fresh = (tmp_path / "a" / f".{n}{hexadecimal[1:]}.new" for n in "01")
    folder = tmp_path / f".{hexadecimal}.old"
    folder.mkdir()
    others = [tmp_path / name for name in ("b.new", f"{hexadecimal}.new", "c")]
    for path in (old, fresh, folder / "inside", *others):
        path.write_text("")
    for path in (old, folder, *others):
        os.utime(path, (0, path.stat().st_mtime - 2 * DAY))
    sweep(tmp_path)
    assert {*tmp_path.rglob("*")} == {tmp_path / "a", fresh, *others}
    sweep(tmp_path, hours=-24)
    assert not fresh.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EFBIG, errno.EIO])
def test_reasons_are_one_phrase(number: int) -> None:
    text = reason(OSError(number, os.strerror(number)))
    assert text
    assert "\n" not in text


def fill(folder: Path, text: str) -> None:
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file.txt").write_text(text)


def text_of(folder: Path) -> str:
    return (folder / "deep" / "file.txt").read_text()


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with replacing_folder(path) as new:
        fill(new, "first")
        assert not path.exists()
    with replacing_folder(path) as new:
        fill(new, "second")
        assert text_of(path) == "first"
    assert text_of(path) == "second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "x")])
def test_what_was_there_stays_if_writing_stops(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a"
    with replacing_folder(path) as new:
        fill(new, "first")

    def stopped(replacing_one: object, target: Path) -> None:
        with replacing_one(target) as new:
            if replacing_one is replacing:
                new.write_text("half")
            else:
                fill(new, "half")
            raise error

    for replacing_one, target in ((replacing_folder, path), (replacing, path / "b")):
        with pytest.raises(type(error)):
            stopped(replacing_one, target)
    assert text_of(path) == "first"
    assert list(tmp_path.iterdir()) == [path]
    assert [p.name for p in path.iterdir()] == ["deep"]


def test_what_was_there_comes_back_if_the_last_step_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    with replacing_folder(path) as new:
        fill(new, "first")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.suffix == ".new":
            raise PermissionError(errno.EACCES, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PermissionError) as caught, replacing_folder(path) as new:
        fill(new, "second")
    assert reason(caught.value).startswith("it may not be written to")
    assert text_of(path) == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_files_folders_and_nothing_are_removed(tmp_path: Path) -> None:
    fill(tmp_path / "folder", "")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove(tmp_path / "link")
    assert (tmp_path / "folder").exists()
    for name in ("folder", "file", "nothing"):
        remove(tmp_path / name)
    assert not list(tmp_path.iterdir())
