"""Errors that may happen on a sound installation, as sentences."""

from __future__ import annotations

import errno
from typing import Final

__all__ = ["EXPECTED", "reason", "sentence"]

EXPECTED: Final = (ImportError, MemoryError, OSError, RuntimeError, ValueError)
"""What a run may meet on a sound installation; anything else is a bug."""

_REASONS: Final = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your share of the disk is full; free some of it",
    errno.EFBIG: "files may not be this large there; choose another folder",
    errno.EEXIST: "something of this name is there already; choose another folder",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENAMETOOLONG: "its name is too long here; choose another folder",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "it may not be written to; choose another folder",
    ),
}


def reason(error: OSError) -> str:
    """Why something could not be written, and what to do, in a few words."""
    return _REASONS.get(error.errno or 0, f"{error.strerror or error}")


def sentence(error: BaseException) -> str:
    """An error as one line for people."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        # Of these it is not known whether the file was to be read or written.
        plain = error.errno in {errno.EACCES, errno.EPERM}
        return f"{where}{error.strerror if plain else reason(error)}"
    return " ".join(str(error).split()) or type(error).__name__
