import errno
import os
from pathlib import Path

import pytest

from napari_s2clip.io.atomic import (
    reason,
    replace_bytes,
    replace_text,
    replacing,
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
    folder = tmp_path / f".{hexadecimal}.new"
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
