"""Files that are replaced as a whole: a reader sees the old one or the new."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["reason", "replace_bytes", "replace_text", "replacing", "sync"]

_REASONS: Final = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your share of the disk is full; free some of it",
    errno.ENAMETOOLONG: "its name is too long here; choose another folder",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "it may not be written to; choose another folder",
    ),
}


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
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


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


def reason(error: OSError) -> str:
    """Why something could not be written, and what to do, in a few words."""
    return _REASONS.get(error.errno or 0, f"{error.strerror or error}")
