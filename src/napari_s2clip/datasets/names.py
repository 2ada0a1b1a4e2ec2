"""Names of images that are files on every system, or on this one."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Final

from .format import DatasetError

__all__ = ["check_name", "folded"]

_NOT_ON_WINDOWS: Final = frozenset('<>:"|?*')
_DEVICE: Final = re.compile("(con|prn|aux|nul|(com|lpt)[0-9])", re.IGNORECASE)


def folded(name: str) -> str:
    """What file systems that are blind to case and accents' spelling compare."""
    return unicodedata.normalize("NFC", name).casefold()


def check_name(name: str, *, windows: bool = os.name == "nt") -> None:
    """Refuse a name that only Windows refuses, where this is Windows.

    Raises
    ------
    DatasetError
    """
    if windows and (found := set(name) & _NOT_ON_WINDOWS):
        raise DatasetError(
            f"{name}: names of files have no {min(found)} on Windows; give it another"
        )
    if windows and _DEVICE.fullmatch(name.partition(".")[0].rstrip()):
        raise DatasetError(
            f"{name}: Windows takes this for a device; give it another name"
        )
