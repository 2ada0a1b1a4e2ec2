"""Datasets that are looked at: the names of their images, and some of the images."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .detect import dataset_of, detect
from .format import DatasetError

if TYPE_CHECKING:
    from .format import Entry, Format

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

        Raises
        ------
        DatasetError
        """
        return (entry.name for entry in self.format.entries(self.path))

    def pick(self, names: Collection[str]) -> Iterator[Entry]:
        """The images of these names, in the order of the dataset.

        Raises
        ------
        DatasetError
            Also if one is not there.
        """
        left = set(names)
        for entry in self.format.entries(self.path) if left else ():
            if entry.name in left:
                left.discard(entry.name)
                yield entry
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
