"""A folder with a dataset: images are added one by one, at any time, by anyone.

What is known of an image is kept in ``.s2clip/items`` and written last, so an image is
in the dataset or is not; the indexes are made of these records by `finish`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

from .. import __version__
from ..errors import reason
from ..io.atomic import remove, sweep
from . import own
from .format import SPLITS, DatasetError, Format, Record
from .names import check_name, folded

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .item import Item

__all__ = ["DatasetWriter", "ItemExistsError", "Report", "split_of"]

_FORMAT: Final = 1


class ItemExistsError(DatasetError):
    """The image is in the dataset already."""


@dataclass(frozen=True)
class Report:
    """What is in a dataset.

    Attributes
    ----------
    images, objects : int
    splits : mapping of str to int
        How many images each part has.
    skipped : tuple of tuple of str
        Name of the image, and what of it could not be written.
    """

    images: int
    objects: int
    splits: Mapping[str, int]
    skipped: tuple[tuple[str, str], ...]


def split_of(name: str, val: float, test: float) -> str:
    """The part of a dataset that a name falls into, whatever else is in it."""
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    if value < test:
        return "test"
    return "val" if value < test + val else "train"


class DatasetWriter:
    """Writes a dataset into a folder.

    Several may add images to the same folder, also from other machines; one of them
    finishes.

    Parameters
    ----------
    folder : str or Path
        Is made. It may hold a dataset of the same format, options and classes.
    format : Format
    classes : ClassSet
        Their ids are the category ids.
    val, test : float
        Shares of the images that are for validation and tests. An item that has a
        split keeps it.
    overwrite : bool
        Whether images that are there already may be replaced.

    Raises
    ------
    DatasetError
        If the folder holds something else, or cannot be written.
    """

    def __init__(
        self,
        folder: str | Path,
        format: Format,  # noqa: A002
        classes: ClassSet,
        *,
        val: float = 0.0,
        test: float = 0.0,
        overwrite: bool = False,
    ) -> None:
        for field, value in (("val", val), ("test", test), ("val + test", val + test)):
            if not 0 <= value <= 1:
                raise ValueError(f"{field}: must be from 0 to 1, got {value}")
        self.folder = Path(folder)
        self.format = format
        self.classes = classes
        self.overwrite = overwrite
        self._shares = (val, test)
        self._added: dict[str, str] = {}
        self._records = own.records_of(self.folder)
        self._index = own.index_of(self.folder)
        with _sentences(self.folder):
            if own.is_of_results(self.folder):
                raise DatasetError(
                    f"{self.folder}: it is a folder of results; choose another folder"
                )
            if not self._index.exists() and _has_others(self.folder):
                raise DatasetError(
                    f"{self.folder}: it holds files that are no dataset of ours; "
                    "choose an empty folder"
                )
            self._records.mkdir(parents=True, exist_ok=True)
            if not self._holds_ours():
                own.write(self._index, self._header())
            self._spellings = {folded(n): n for n in _names(self._records)}

    def __contains__(self, name: str) -> bool:
        """Whether an image is in the dataset."""
        return self._record(name).exists()

    def add(self, item: Item) -> Record:
        """Write one image.

        Raises
        ------
        ItemExistsError
            If it is there and ``overwrite`` is off, or this writer added another image
            of this name.
        DatasetError
            If it has other classes, a name that another image has but for upper and
            lower case or that this system has no files of, or cannot be written.
        """
        name = item.name
        if own.named(item.classes) != own.named(self.classes):
            raise DatasetError(f"{name}: its classes are not those of {self.folder}")
        check_name(name)
        path = self._record(name)
        with _sentences(self.folder):
            old = own.read_json(path)
            there = old["record"]["name"] if old else name
            _refuse_twins(name, there if there != name else self._spelt(name))
            if name in self._added and self._added[name] != item.source:
                raise ItemExistsError(
                    f"{name}: both {self._added[name]} and {item.source} have this "
                    "name; give one of them another"
                )
            if old is not None and not self.overwrite:
                raise ItemExistsError(
                    f"{name}: it is in {self.folder} already; overwrite it or choose "
                    "another folder"
                )
            aside = path.with_suffix(".old")
            if old is not None:
                # Old and new files may be mixed from here on, so it is not in there.
                path.replace(aside)
            split = item.split or split_of(item.group or name, *self._shares)
            record = self.format.write(item, self.folder, split)
            own.write(path, {"record": record.to_dict(), **own.facts(item)})
            self._added[name] = item.source
            self._spellings[folded(name)] = name
            before = own.read_json(aside)
            if before is not None:
                for file in set(before["record"]["files"]) - set(record.files):
                    remove(self.folder / file)
                aside.unlink(missing_ok=True)
        return record

    def finish(self) -> Report:
        """Write the indexes of all images that are there, in the order of their names.

        Also removes what was left where writing was killed, after a day.

        Raises
        ------
        DatasetError
        """
        with _sentences(self.folder):
            records = _Records(self._records)
            spellings: dict[str, str] = {}
            for name in records.names:
                _refuse_twins(name, spellings.setdefault(folded(name), name))
            self.format.finish(self.folder, records, self.classes)
            images, skipped = [], []
            sources: dict[str, int] = {}
            splits = dict.fromkeys(SPLITS, 0)
            objects = 0
            for data in records.stored():
                record = data.pop("record")
                name, split = record["name"], record["split"]
                text = json.dumps(data.pop("provenance"), sort_keys=True)
                number = sources.setdefault(text, len(sources))
                images.append(
                    {"name": name, "split": split, **data, "provenance": number}
                )
                skipped += [(name, reason) for reason in record["skipped"]]
                splits[split] += 1
                objects += record["objects"]
            header = self._header()
            header["images"] = images
            header["provenance"] = [json.loads(text) for text in sources]
            header["skipped"] = [list(pair) for pair in skipped]
            own.write(self._index, header)
            sweep(self.folder)
        return Report(len(images), objects, splits, tuple(skipped))

    def _spelt(self, name: str) -> str:
        """How the image of a name is spelt in the dataset."""
        return self._spellings.get(folded(name), name)

    def _record(self, name: str) -> Path:
        return self._records / f"{name}.json"

    def _header(self) -> dict[str, Any]:
        val, test = self._shares
        return {
            "version": _FORMAT,
            "software": f"napari-s2clip {__version__}",
            "format": self.format.name,
            "options": _options(self.format),
            "val": val,
            "test": test,
            **self.classes.to_dict(),
        }

    def _holds_ours(self) -> bool:
        there = own.read_json(self._index)
        if there is None:
            return False
        ours = json.loads(json.dumps(self._header()))
        for field in ("version", "format", "options", "val", "test"):
            if there.get(field) != ours[field]:
                raise DatasetError(
                    f"{self.folder}: it holds a dataset with {field} "
                    f"{there.get(field)!r}, not {ours[field]!r}; choose another folder"
                )
        if [(c["id"], c["name"]) for c in there["classes"]] != own.named(self.classes):
            raise DatasetError(
                f"{self.folder}: it holds a dataset with other classes; choose another "
                "folder"
            )
        return True


def _has_others(folder: Path) -> bool:
    return folder.is_dir() and any(
        p.name != own.index_of(folder).parent.name for p in folder.iterdir()
    )


class _Records(Sequence[Record]):
    """Records on the disk, read when they are asked for: there may be many."""

    def __init__(self, folder: Path) -> None:
        self.names = _names(folder)
        self._paths = [folder / f"{name}.json" for name in self.names]

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return Record.from_dict(_stored(self._paths[index])["record"])

    def stored(self) -> Iterator[dict[str, Any]]:
        return (_stored(path) for path in self._paths)


def _names(records: Path) -> list[str]:
    return sorted(p.name[:-5] for p in records.iterdir() if p.suffix == ".json")


def _refuse_twins(name: str, other: str) -> None:
    if name != other:
        raise DatasetError(
            f"{name}: the dataset has {other}, which is the same file on many disks; "
            "give one of them another name"
        )


def _options(form: Any) -> dict[str, Any]:
    if not is_dataclass(form):
        return {}
    return {f.name: getattr(form, f.name) for f in fields(form)}


def _stored(path: Path) -> dict[str, Any]:
    data = own.read_json(path)
    if data is None:
        raise DatasetError(f"{path}: it was removed meanwhile; finish again")
    return data


@contextlib.contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = error.filename or folder
        raise DatasetError(f"{name}: not written: {reason(error)}") from error
