"""Datasets that are looked at: the names of their images, and some of the images."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .detect import dataset_of, detect
from .format import DatasetError

if TYPE_CHECKING:
    from .format import Format
    from .item import Item

__all__ = ["Listing", "look"]


class Listing:
    """A dataset whose format is known.

    Attributes
    ----------
    path : Path
        As its format reads it.
    format : Format
    """

    def __init__(self, path: Path, form: Format) -> None:
        self.path, self.format = path, form

    def names(self) -> Iterator[str]:
        """Names of the images, in the order of the dataset.

        One that we wrote lists them; others are read through.

        Raises
        ------
        DatasetError
        """
        known = _listed(self.path)
        if known is None:
            known = (item.name for item in self.format.read(self.path))
        yield from known

    def pick(self, names: Collection[str]) -> Iterator[Item]:
        """Read the images of these names; reads no further than the last of them.

        Raises
        ------
        DatasetError
            Also if one is not there.
        """
        left = set(names)
        for item in self.format.read(self.path) if left else ():
            if item.name in left:
                left.discard(item.name)
                yield item
            if not left:
                return
        if left:
            raise DatasetError(f"{self.path}: it has no image {min(left)!r}")


def look(path: str | Path) -> Listing:
    """Find out what is at a path.

    Raises
    ------
    DatasetError
        If it is no dataset of `FORMATS`.
    """
    from . import FORMATS

    path = Path(path).expanduser()
    name = detect(path)
    if name is not None:
        return Listing(dataset_of(path), FORMATS[name]())
    if not path.exists():
        raise DatasetError(f"{path}: it is not there; choose another")
    raise DatasetError(
        f"{path}: its format is not known; choose the folder of a dataset, one of "
        f"{', '.join(FORMATS)}"
    )


def _listed(path: Path) -> Iterator[str] | None:
    """Names in the head of a dataset that we wrote; None without one."""
    head = path / ".s2clip" / "dataset.json"
    if not head.is_file():
        return None
    try:
        images = json.loads(head.read_bytes())["images"]
        names = [str(image["name"]) for image in images]
    except (ValueError, KeyError, TypeError):  # unfinished, or damaged
        return None
    return iter(names)
