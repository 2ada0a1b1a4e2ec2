"""Names of images: files on every system, or on this one, and each once."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Final

from .format import DatasetError
from .item import MAX_NAME

__all__ = ["check_name", "folded", "unique_name"]

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


def unique_name(file_name: str, taken: set[str]) -> str:
    """A name of an item, from that of a file; with its folders if it is taken.

    Parameters
    ----------
    file_name : str
    taken : set of str
        Names that others have, `folded`; this one is added.
    """
    parts = [p for p in file_name.replace("\\", "/").split("/") if p.strip(". ")]
    whole = "_".join(parts).rpartition(".")[0] or "_".join(parts) or "image"
    stem = (parts or ["image"])[-1].rpartition(".")[0] or whole
    base = next((n for n in (stem, whole) if folded(n) not in taken), whole)
    base = "".join(c if c.isprintable() else "_" for c in base).strip(" ").lstrip(". ")
    name, count = _shortened(base, MAX_NAME), 1
    while folded(name) in taken:
        count += 1
        end = f"_{count}"
        name = _shortened(base, MAX_NAME - len(end)) + end
    taken.add(folded(name))
    return name


def _shortened(name: str, room: int) -> str:
    """As many of the first characters as take so many bytes."""
    return name.encode()[:room].decode(errors="ignore").strip() or "image"
