"""Files and folders that are replaced as a whole: there is the old one or the new."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = [
    "remove",
    "replace_bytes",
    "replace_text",
    "replacing",
    "replacing_folder",
    "sweep",
    "sync",
]

_LEFT: Final = re.compile(r"\.[0-9a-f]{32}\.(new|old)")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write beside ``path``, which takes its place at the end.

    Yields
    ------
    Path
        Does not exist yet.

    Raises
    ------
    OSError
        If it cannot be written; the file that was there stays.
    """
    # The name of the file may be as long as names can be, so it is no part of this one.
    new = path.with_name(f".{uuid.uuid4().hex}.new")
    try:
        yield new
        sync(new)
        new.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            new.unlink()
        _name(error, new, path)
        raise


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to fill beside ``path``, which takes its place at the end.

    What was there is moved away first and removed last, because no system replaces a
    folder in one step. Whoever is stopped between the two leaves no folder of this
    name, never a half one.

    Yields
    ------
    Path
        Does not exist yet.

    Raises
    ------
    OSError
        If it cannot be written; what was there stays.
    """
    mark = uuid.uuid4().hex
    new, old = path.with_name(f".{mark}.new"), path.with_name(f".{mark}.old")
    try:
        yield new
        for file in new.rglob("*"):
            if file.is_file():
                sync(file)
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)  # `sweep` goes by it
            path.rename(old)
        try:
            new.rename(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                old.rename(path)
            raise
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)
        _name(error, new, path)
        raise
    remove(old)


def _name(error: BaseException, new: Path, path: Path) -> None:
    """Give an error the name that the user knows."""
    if isinstance(error, OSError):
        given = None if error.filename is None else Path(error.filename)
        if given is None or given == new or new in given.parents:
            error.filename = str(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def replace_bytes(path: Path, data: bytes) -> None:
    """Write a file under another name, then give it its own.

    Raises
    ------
    OSError
        If it cannot be written; the file that was there stays.
    """
    with replacing(path) as new:
        new.write_bytes(data)


def replace_text(path: Path, text: str) -> None:
    """Write a text file as `replace_bytes` does."""
    replace_bytes(path, text.encode())


def sync(path: Path) -> None:
    """Let a file reach the disk before anything that is written later."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def sweep(folder: Path, *, hours: float = 24) -> None:
    """Remove what was left in a folder and those in it where replacing was killed.

    Files that were changed in the last ``hours`` stay: another program may be writing
    them now.
    """
    latest = time.time() - 3600 * hours
    for home, folders, files in os.walk(folder):
        for name in filter(_LEFT.fullmatch, [*folders, *files]):
            path = Path(home, name)
            with contextlib.suppress(OSError):
                if path.stat().st_mtime > latest:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
