"""Rows of an ``ImageFolder``'s metadata, ours and those of others, as items."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..classes import ClassEntry, ClassSet
from ..io.class_lists import names_by_number
from .class_file import from_indices, read_classes
from .coco_files import pixels_of
from .folders import part_of
from .format import DatasetError
from .instances import from_ids
from .item import Item
from .names import unique_name
from .pictures import read_png

__all__ = [
    "METADATA",
    "NAMES",
    "Kinds",
    "item_of",
    "kinds_of",
    "metadata_of",
    "name_in",
    "rows_of",
]

METADATA: Final = "metadata.jsonl"
NAMES: Final = "id2label.json"
_LABELS: Final = ("label_file_name", "mask_file_name", "annotation_file_name")

Kinds: TypeAlias = tuple[ClassSet, dict[int, int], int | None]
"""The classes, the id of each index, and the index of pixels to ignore."""


def metadata_of(path: Path) -> list[Path]:
    """The files with rows in a folder and in those in it."""
    files = [path / METADATA, *sorted(path.glob(f"*/{METADATA}"))]
    files = [file for file in files if file.is_file()]
    if not files:
        raise DatasetError(
            f"{path}: there is no {METADATA} in it or its folders; give a folder that "
            "has one"
        )
    return files


def kinds_of(path: Path) -> Kinds:
    """What the values of label maps mean."""
    found = read_classes(path)
    if found is not None:
        classes, facts = found
        ignore = facts.get("ignore")
        return (
            classes,
            dict(enumerate(classes.ids, 1)),
            ignore if isinstance(ignore, int) else None,
        )
    file = path / NAMES
    try:
        names = names_by_number(json.loads(file.read_text("utf-8-sig")), "id2label")
        if names.get(0, "").strip().casefold() == "background":
            del names[0]
        order = sorted(names)
        classes = ClassSet(ClassEntry(names[n], id=n or None) for n in order)
    except FileNotFoundError:
        raise DatasetError(
            f'{file}: there is no such file; write {{"0": "background", "1": ...}}'
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(f"{file}: it is no JSON ({error})") from None
    except ValueError as error:
        raise DatasetError(f"{file}: {error}") from None
    ids = dict(zip(order, classes.ids, strict=True))
    return classes, ids, None if 255 in ids else 255


def rows_of(file: Path) -> Iterator[tuple[str, str]]:
    """Each line that holds something, after the words that name it."""
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{file}: line {number}", line
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: it is no text ({error})") from None


def row_of(where: str, line: str) -> dict[str, Any]:
    """What a line says."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: it is no JSON ({error})") from None
    if not isinstance(row, dict):
        raise DatasetError(f"{where}: it must be an object")
    return row


def name_in(where: str, line: str, taken: set[str]) -> str:
    """The name of the image of a row, or of the row; it is taken from now on."""
    try:
        row = row_of(where, line)
        return unique_name(_file_in(row, where), taken)
    except DatasetError:  # reading it will tell
        return unique_name(f"{Path(where).name.replace(': ', ' ')}.", taken)


def _file_in(row: Mapping[str, Any], where: str) -> str:
    key = _label_key(row) if row.get("file_name") is None else "file_name"
    return _named(row, key, where)


def item_of(name: str, file: Path, where: str, line: str, kinds: Kinds) -> Item:
    """What a row says, with the maps that it names.

    Parameters
    ----------
    name : str
        Of the item.
    file : Path
        With the metadata.
    where : str
        Names the row.
    line : str
        The row.
    kinds : Kinds
    """
    row = row_of(where, line)
    classes, ids, ignored = kinds
    key = _label_key(row)
    path = _inside(file, row, key, where)
    values = _map(path)
    ignore = values == ignored
    labels = from_indices(np.where(ignore, 0, values), ids, path)
    labels[ignore] = 0  # where there is no background, 0 is a class
    instances, of, attributes, notes = _objects(file, row, labels, where)
    image, found = None, path
    if row.get("file_name") is not None:
        found = _inside(file, row, "file_name", where)
        image, why = pixels_of(found, labels.shape, row["file_name"])
        notes += why
    return Item(
        name,
        labels,
        classes,
        image,
        instances,
        of,
        attributes,
        ignore if ignore.any() else None,
        split=part_of([file.parent.name]),
        source=str(found),
        notes=notes,
    )


def _objects(
    file: Path, row: Mapping[str, Any], labels: NDArray[Any], where: str
) -> tuple[
    NDArray[np.int32] | None,
    dict[int, int],
    dict[int, dict[str, Any]],
    tuple[str, ...],
]:
    """Instances, their classes, what else is known of them, and notes."""
    objects = row.get("objects") or {}
    if not isinstance(objects, dict):
        raise DatasetError(f"{where}: objects must be an object of lists")
    columns = {
        key: objects.get(key) or [] for key in ("id", "score", "attributes", "bbox")
    }
    for key, column in columns.items():
        if not isinstance(column, list):
            raise DatasetError(f"{where}: objects.{key} must be a list, got {column!r}")
    if row.get("instances_file_name") is None:
        boxes = len(columns["bbox"])
        note = f"{boxes} boxes have no map of instances and are left out"
        return None, {}, {}, (note,) if boxes else ()
    path = _inside(file, row, "instances_file_name", where)
    numbers = _map(path)
    if numbers.shape != labels.shape:
        raise DatasetError(f"{path}: its size is not that of the label map")
    top = int(numbers.max())
    own = columns["id"] or list(range(1, top + 1))
    if len(own) < top or not all(type(n) is int and 0 < n < 2**31 for n in own):
        raise DatasetError(
            f"{where}: objects.id must be a whole number for each of {top} instances"
        )
    table = np.array([0, *own], np.int64)
    instances, of, notes = from_ids(table[numbers], labels)
    attributes: dict[int, dict[str, Any]] = {}
    for at, number in enumerate(own):
        known = _attributes(columns, at, where)
        if known and number in of:
            attributes[number] = known
    return instances, of, attributes, notes


def _attributes(columns: Mapping[str, Any], at: int, where: str) -> dict[str, Any]:
    known: dict[str, Any] = {}
    try:
        if at < len(columns["score"]) and columns["score"][at] is not None:
            known["score"] = float(columns["score"][at])
        if at < len(columns["attributes"]):
            known |= json.loads(columns["attributes"][at])
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{where}: objects: {error}") from None
    return known


def _map(path: Path) -> NDArray[Any]:
    values = read_png(path)
    if values.ndim != 2:
        raise DatasetError(f"{path}: it has colours, not one value a pixel")
    return values.astype(np.uint8) if values.dtype == np.bool_ else values


def _label_key(row: Mapping[str, Any]) -> str:
    return next((key for key in _LABELS if row.get(key)), _LABELS[0])


def _named(row: Mapping[str, Any], key: str, where: str) -> str:
    name = row.get(key)
    if not isinstance(name, str) or not name:
        raise DatasetError(f"{where}: {key} must be the path of a file, got {name!r}")
    return name


def _inside(file: Path, row: Mapping[str, Any], key: str, where: str) -> Path:
    """A file that a row names; the library, too, takes those beside it only."""
    name = _named(row, key, where)
    parts = PurePosixPath(name.replace("\\", "/")).parts
    drive = Path(name).drive or parts[0].endswith(":")
    if ".." in parts or drive or parts[0].startswith("/"):
        raise DatasetError(f"{where}: {key} must be a path below the folder")
    return file.parent.joinpath(*parts)
