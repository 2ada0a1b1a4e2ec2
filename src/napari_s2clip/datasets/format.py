"""What every format of datasets can do, and what it says of an image it wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .item import Item

__all__ = ["SPLITS", "DatasetError", "Entry", "Format", "Reader", "Record"]

SPLITS = ("train", "val", "test")
"""Parts of a dataset."""


class DatasetError(ValueError):
    """A dataset that cannot be written or read; one sentence that names the file."""


@dataclass(frozen=True)
class Record:
    """One image of a dataset, as plain data for JSON.

    Attributes
    ----------
    name : str
    split : str
        One of `SPLITS`.
    height, width : int
    files : tuple of str
        What was written, relative to the folder of the dataset, with slashes.
    objects : int
        How many were written.
    skipped : tuple of str
        What the format could not express, a sentence each.
    data : mapping
        What the index of the format needs.
    """

    name: str
    split: str
    height: int
    width: int
    files: tuple[str, ...] = ()
    objects: int = 0
    skipped: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """What `to_dict` gave."""
        lists = {key: tuple(data[key]) for key in ("files", "skipped")}
        return cls(**{**data, **lists})


@dataclass(frozen=True, eq=False)
class Entry:
    """An image of a dataset, read when it is wanted.

    Attributes
    ----------
    name : str
    read : callable
        Gives the `Item`, anew each time; raises `DatasetError` if a file of it is
        damaged, or not as the format has it.
    """

    name: str
    read: Callable[[], Item]


class Reader:
    """Reads one image after the other, for formats that have `entries`."""

    def entries(self, path: Path) -> Iterator[Entry]:
        """See `Format.entries`."""
        raise NotImplementedError

    def read(self, path: Path) -> Iterator[Item]:
        """See `Format.read`."""
        return (entry.read() for entry in self.entries(path))


class Format(Protocol):
    """A format of datasets; its options are the fields of its dataclass."""

    @property
    def name(self) -> str:
        """Short name, as `FORMATS` has it."""
        ...

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """Write the files of one image, each in one step.

        Parameters
        ----------
        item : Item
        folder : Path
            Of the dataset.
        split : str
        """
        ...

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """Write the files of the whole dataset, each in one step.

        Parameters
        ----------
        folder : Path
        records : sequence of Record
            In the order of their names. They may be read from the disk one by one each
            time they are gone through.
        classes : ClassSet
        """
        ...

    def entries(self, path: Path) -> Iterator[Entry]:
        """The images of a dataset, in its order; their files are not opened yet.

        Raises
        ------
        DatasetError
            If it is not such a dataset; the message names the file and the field.
        """
        ...

    def read(self, path: Path) -> Iterator[Item]:
        """The images of a dataset, read one by one.

        Raises
        ------
        DatasetError
            As `entries` and `Entry.read` do.
        """
        ...
