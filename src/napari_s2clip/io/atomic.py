"""Text files that are replaced as a whole: a reader sees the old one or the new."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["replace_text", "sync"]


def replace_text(path: Path, text: str) -> None:
    """Write a file under another name, then give it its own.

    Raises
    ------
    OSError
        If it cannot be written; the file that was there stays.
    """
    # The name of the file may be as long as names can be, so it is no part of this one.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def sync(path: Path) -> None:
    """Let a file reach the disk before anything that is written later."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
