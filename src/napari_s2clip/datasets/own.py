"""What we know of a dataset beyond what its format holds: the folder ``.s2clip``.

``dataset.json`` has the format and the classes with all that we know of them,
``items/NAME.json`` what is known of an image. Datasets that were written here get it
back when they are read; those of others have no such folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..io.atomic import replace_text
from ..io.class_lists import classes_from_dict
from .format import DatasetError, Entry

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .item import Item

__all__ = [
    "facts",
    "index_of",
    "is_of_results",
    "named",
    "read_json",
    "records_of",
    "restored",
    "size_of",
    "write",
]

_FOLDER: Final = ".s2clip"


def index_of(folder: Path) -> Path:
    """The file about a dataset as a whole."""
    return folder / _FOLDER / "dataset.json"


def is_of_results(folder: Path) -> bool:
    """Whether a job over images keeps its journal there."""
    return (folder / _FOLDER / "journal.jsonl").exists()


def records_of(folder: Path) -> Path:
    """The folder with a file about each image of a dataset."""
    return folder / _FOLDER / "items"


def named(classes: ClassSet) -> list[tuple[int, str]]:
    """What must be the same for classes to be those of a dataset."""
    return list(zip(classes.ids, classes.names, strict=True))


def facts(item: Item) -> dict[str, Any]:
    """What is known of an image, as plain data."""
    size = item.pixel_size
    return {
        "source": item.source,
        "edited": item.edited,
        "reviewed": item.reviewed,
        "pixel_size": None if size is None else list(map(float, size)),
        "unit": item.unit,
        "provenance": dict(item.provenance),
    }


def restored(path: Path, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Images as a format reads them, with what we know of those that we wrote.

    Parameters
    ----------
    path : Path
        What was read: the folder of a dataset, or an index up to one folder below it.
    entries : iterable of Entry
        Items with the name and the size of an image that we wrote get its split,
        source, size of a pixel, provenance, and whether it was edited and reviewed.
        Classes with the ids and names of ours get the rest of theirs.

    Raises
    ------
    DatasetError
        If a file of ours is damaged.
    """
    home = _home(path)
    if home is None:
        yield from entries
        return
    index = read_json(index_of(home)) or {}
    try:
        classes = classes_from_dict(index)
    except ValueError as error:
        raise DatasetError(f"{index_of(home)}: {error}") from None
    for entry in entries:
        yield Entry(entry.name, partial(_restored, entry, records_of(home), classes))


def _restored(entry: Entry, records: Path, classes: ClassSet) -> Item:
    item, file = entry.read(), records / f"{entry.name}.json"
    data = read_json(file) or {}
    try:
        known = _known(data, item) if data else {}
        if named(classes) == named(item.classes):
            known["classes"] = classes
        return replace(item, **known)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{file}: it is damaged ({error!r}); remove it") from error


def size_of(path: Path, name: str) -> tuple[int, int] | None:
    """Height and width of an image that we wrote; None if it is not known."""
    home = _home(path)
    data = None if home is None else read_json(records_of(home) / f"{name}.json")
    record = data.get("record") if data else None
    if not isinstance(record, dict):
        return None
    height, width = record.get("height"), record.get("width")
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    return None


def _home(path: Path) -> Path | None:
    """The folder of a dataset that we wrote and that a path is of."""
    path = path.absolute()
    homes = [path] if path.is_dir() else path.parents[:2]
    return next((folder for folder in homes if index_of(folder).is_file()), None)


def read_json(path: Path) -> dict[str, Any] | None:
    """What a file of ours holds; None without one.

    Raises
    ------
    DatasetError
        If it is damaged.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DatasetError(f"{path}: it is damaged ({error}); remove it") from error
    if not isinstance(data, dict):
        raise DatasetError(f"{path}: it is damaged (no object); remove it")
    return data


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Write a file of ours, in one step."""
    replace_text(path, json.dumps(data, ensure_ascii=False))


def _known(data: Mapping[str, Any], item: Item) -> dict[str, Any]:
    """What a record says of an item; nothing if it is of another image."""
    record = data["record"]
    if (record["name"], record["height"], record["width"]) != (item.name, *item.shape):
        return {}
    known = {key: data[key] for key in ("edited", "reviewed", "provenance")}
    known["split"] = record["split"]
    if data["source"]:
        known["source"] = data["source"]
    size = data.get("pixel_size")  # what older versions wrote has none
    if size is not None:
        height, width = map(float, size)
        known |= {"pixel_size": (height, width), "unit": str(data["unit"])}
    return known
