"""What the labels of any Labels layer are called, ours or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..classes import MAX_CLASSES, ClassEntry, ClassSet
from ..io.class_lists import classes_from_dict
from .entry import KEY, entry_of
from .past import rows_now
from .state import state_of

if TYPE_CHECKING:
    from napari.layers import Labels

__all__ = ["Kinds", "kinds_of", "kinds_of_values", "names_of"]

_COLUMNS: Final = ("class", "class_name", "name", "label", "category", "type")
"""Columns of features that hold names, the first one that is there."""


@dataclass(frozen=True)
class Kinds:
    """Classes, and which label is of which of them.

    Attributes
    ----------
    classes : ClassSet
    of : mapping of int to int
        Id of the class by label; other labels are of no class.
    """

    classes: ClassSet
    of: Mapping[int, int]

    @classmethod
    def same(cls, classes: ClassSet) -> Kinds:
        """Where labels are ids."""
        return cls(classes, {value: value for value in classes.ids})


def kinds_of(labels: Labels) -> Kinds | None:
    """What a layer itself says; None if it says nothing.

    A layer of regions that runs made has the class of each region. Of other layers it
    is the table of features that counts, where several labels may have one name.
    """
    state = state_of(labels)
    known = _written(labels)
    if state is not None:
        classes = state.classes
        if entry_of(labels).get("stage") != "regions":
            return Kinds.same(classes)
        rows = rows_now(labels, state)
        pairs = zip(rows["region"].tolist(), rows["class_id"].tolist(), strict=True)
        return Kinds(classes, {r: c for r, c in pairs if c in classes.ids})
    entry = labels.metadata.get(KEY, {})
    if known is not None and entry.get("stage") != "regions":
        return Kinds.same(known)
    names = names_of(labels)
    if not names:
        return None
    return _grouped(labels, names, known)


def kinds_of_values(values: Iterable[int]) -> Kinds:
    """One class a value, called ``label 3``.

    Raises
    ------
    ValueError
        If there is none, or one cannot be the id of a class.
    """
    found = sorted(set(values) - {0})
    if not found:
        raise ValueError("labels: they are all 0; paint some first")
    for value in (found[0], found[-1]):
        if not 0 < value <= MAX_CLASSES:
            raise ValueError(
                f"labels: {value} cannot be a class, which are 1 to {MAX_CLASSES}; "
                "take the labels as objects"
            )
    return Kinds.same(ClassSet(ClassEntry(f"label {v}", id=v) for v in found))


def names_of(labels: Labels) -> dict[int, str]:
    """Names in the features of a layer by label, without those of the background."""
    table = labels.features
    column = _column(table)
    if column is None:
        return {}
    # Without an index napari takes the rows as the labels.
    index = table["index"] if "index" in table else range(len(table))
    found = {}
    for value, name in zip(index, table[column], strict=True):
        if isinstance(name, str) and name.strip() and np.isfinite(value) and value > 0:
            found[int(value)] = " ".join(name.split())
    return found


def _column(table: Any) -> str | None:
    texts = [
        str(name)
        for name in table.columns
        if name != "index" and any(isinstance(v, str) for v in table[name])
    ]
    return next((n for n in _COLUMNS if n in texts), texts[0] if texts else None)


def _written(labels: Labels) -> ClassSet | None:
    """Classes in the metadata of a copy of a layer of ours."""
    entry = labels.metadata.get(KEY)
    if not isinstance(entry, dict) or not entry.get("classes"):
        return None
    try:
        return classes_from_dict(entry)
    except ValueError:  # somebody else has written there
        return None


def _grouped(labels: Labels, names: dict[int, str], known: ClassSet | None) -> Kinds:
    """Labels of one name are one class; its id is the smallest of them."""
    first: dict[str, int] = {}
    for value in sorted(names):
        first.setdefault(names[value].casefold(), value)
    ids = {} if known is None else {e.name.casefold(): e.id for e in known}
    if known is not None and first.keys() <= ids.keys():
        classes = known
    else:
        classes = ClassSet(
            ClassEntry(
                names[value],
                colour=_colour(labels, value),
                id=value if value <= MAX_CLASSES else None,
            )
            for value in first.values()
        )
    called = {name.casefold(): classes.id_of(name) for name in classes.names}
    return Kinds(classes, {v: called[name.casefold()] for v, name in names.items()})


def _colour(labels: Labels, value: int) -> str:
    """As the layer draws a label; empty where it does not."""
    colour = labels.get_color(value)
    if colour is None or not np.isfinite(colour).all() or not colour[3]:
        return ""
    red, green, blue = (round(255 * float(v)) for v in colour[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"
