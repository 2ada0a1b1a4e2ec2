"""``classes.json``: which value means which class, next to a dataset's files.

Trainers want values that count up from 0 or 1 without gaps; ids of a `ClassSet` may
have any. The file keeps both, so that what is read back has the ids it had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..io.atomic import replace_text
from ..io.class_lists import classes_from_dict
from .format import DatasetError

if TYPE_CHECKING:
    from ..classes import ClassSet

__all__ = [
    "CLASS_FILE",
    "from_indices",
    "read_classes",
    "require_classes",
    "to_indices",
    "write_classes",
]

CLASS_FILE: Final = "classes.json"


def to_indices(labels: NDArray[Any], classes: ClassSet) -> NDArray[np.uint16]:
    """Positions in the list of classes, from 1; 0 stays background."""
    table = np.zeros(max(classes.ids) + 1, np.uint16)
    table[list(classes.ids)] = np.arange(1, len(classes) + 1)
    return np.asarray(table[labels])


def from_indices(
    values: NDArray[Any], ids: Mapping[int, int], path: Path
) -> NDArray[np.uint16]:
    """Label values of a map whose values mean what ``ids`` says; 0 is background.

    Raises
    ------
    DatasetError
        If a value means nothing.
    """
    present, inverse = np.unique(values, return_inverse=True)
    known = {0: 0, **ids}
    strange = [int(v) for v in present if int(v) not in known]
    if strange:
        raise DatasetError(
            f"{path}: the value {strange[0]} is no class; add it to the list of classes"
        )
    table = np.array([known[int(v)] for v in present], np.uint16)
    return np.asarray(table[inverse.reshape(values.shape)])


def write_classes(folder: Path, classes: ClassSet, **facts: object) -> None:
    """Write ``classes.json``: a class list with the index of each class, from 1.

    ``facts`` stand before the classes.
    """
    content = classes.to_dict()
    rows = [
        {"index": index, **entry}
        for index, entry in enumerate(content.pop("classes"), 1)
    ]
    text = json.dumps(
        {**facts, "classes": rows, **content}, indent=1, ensure_ascii=False
    )
    replace_text(folder / CLASS_FILE, text + "\n")


def read_classes(folder: Path) -> tuple[ClassSet, dict[str, Any]] | None:
    """The classes in order and everything else in ``classes.json``; None without one.

    Raises
    ------
    DatasetError
        Names the field that is wrong.
    """
    path = folder / CLASS_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8-sig"))
        classes = classes_from_dict(content)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(f"{path}: it is no JSON ({error})") from None
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
    rows = content.pop("classes")
    content.pop("background", None)
    for number, row in enumerate(rows):
        index = row.get("index", number + 1) if isinstance(row, dict) else number + 1
        if index != number + 1:
            raise DatasetError(
                f"{path}: classes[{number}].index must be {number + 1}, got "
                f"{index!r}; list the classes in order"
            )
    return classes, content


def require_classes(folder: Path) -> tuple[ClassSet, dict[str, Any]]:
    """What `read_classes` gives.

    Raises
    ------
    DatasetError
        Also where there is no such file.
    """
    found = read_classes(folder)
    if found is None:
        raise DatasetError(f"{folder / CLASS_FILE}: there is no such file")
    return found
