"""Errors that may happen on a sound installation, as sentences."""

from __future__ import annotations

from typing import Final

__all__ = ["EXPECTED", "sentence"]

EXPECTED: Final = (ImportError, MemoryError, OSError, RuntimeError, ValueError)
"""What a run may meet on a sound installation; anything else is a bug."""


def sentence(error: BaseException) -> str:
    """An error as one line for people."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
