"""What the last runs said of a map, and which of them its labels belong to now.

napari's undo takes the labels of a run back without an event of its own. Its history
tells which runs are in the labels: each is known by a piece of the step that it made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .baseline import SIDE, VERSIONS, Baseline
from .boxes import tiles, whole_of

if TYPE_CHECKING:
    from napari.layers import Labels

    from .state import Rows

__all__ = ["Record", "Records"]


@dataclass(eq=False)
class Record:
    """What a run said of a map.

    Attributes
    ----------
    run : int
        The same for all maps of one run.
    labels : Baseline
        The map after it.
    rows : Rows
        Regions.
    provenance : dict
    owners : Baseline or None
        Of a refined map; packed when the next run writes its own.
    unpacked : array_like or None
        The same, once somebody has asked for it.
    """

    run: int
    labels: Baseline
    rows: Rows
    provenance: dict[str, Any]
    owners: Baseline | None = None
    unpacked: Any = None


class Records:
    """Of one layer: a record for each step of undo that a run made, and one below.

    A run that changed no label makes no step; its record takes the place of the one
    that was true until then.
    """

    def __init__(self) -> None:
        self._base: Record | None = None
        self._steps: list[tuple[Any, Record]] = []
        self._lowest: Any = None
        self._present: Record | None = None
        self.latest: Record | None = None

    def __iter__(self) -> Iterator[Record]:
        """All that undo and redo may lead to."""
        if self._base is not None:
            yield self._base
        yield from (record for _, record in self._steps)

    def add(self, labels: Labels, item: list[Any] | None, record: Record) -> None:
        """Remember a run, and the step that it made; None if it changed nothing."""
        self.look(labels)
        undo = _undone_by(labels)
        top = self._top(undo)
        if item:
            self._steps = [pair for pair in self._steps if pair[0] is not item[0]]
            self._steps.append((item[0], record))
        elif top is None:
            self._base = record
        else:
            self._steps[top] = (self._steps[top][0], record)
        while len(self._steps) >= VERSIONS:
            # Where undo leads further back nothing is known.
            self._base = None
            del self._steps[0]
        self.latest = self._present = record

    def restart(self, record: Record) -> None:
        """Know a map that no step led to."""
        self._base = self._present = self.latest = record
        self._steps.clear()

    def look(self, labels: Labels) -> Record | None:
        """The run that the labels belong to; None if it is not known any more.

        What was painted by hand since then is no matter.
        """
        undo, redo = _undone_by(labels), _redone_by(labels)
        if undo is None:
            return self._alike(labels)
        known = [atom for atom, _ in self._steps]
        if known and not undo and not redo:
            # Another array was given to the layer, and its history is gone.
            present = self._present
            self._steps.clear()
            self._base = present
        lowest = undo[0][0] if undo and undo[0] else None
        if len(undo) == undo.maxlen and lowest is not self._lowest:
            # The history forgot its oldest step, which cannot be undone any more.
            while self._steps and not _holds(undo, self._steps[0][0]):
                self._base = self._steps.pop(0)[1]
        self._lowest = lowest
        # A step that was undone is gone for good when there is a new one.
        steps = [*undo, *redo]
        self._steps = [pair for pair in self._steps if _holds(steps, pair[0])]
        top = self._top(undo)
        self._present = self._base if top is None else self._steps[top][1]
        return self._present

    def _top(self, undo: Any) -> int | None:
        """The last step that is in the labels."""
        found = [
            number
            for number, (atom, _) in enumerate(self._steps)
            if undo is None or _holds(undo, atom)
        ]
        return found[-1] if found else None

    def _alike(self, labels: Labels) -> Record | None:
        """Without a view of the history only equal labels tell."""
        records = list(self)
        if len(records) == 1:
            return records[0]
        whole = whole_of(labels.data.shape)
        for record in reversed(records):
            if record.labels.shape == labels.data.shape and all(
                np.array_equal(record.labels.read(part), np.asarray(labels.data[part]))
                for part in tiles(whole, SIDE)
            ):
                return record
        return None


def _undone_by(labels: Labels) -> deque[Any] | None:
    # There is no public view of the history.
    return getattr(labels, "_undo_history", None)


def _redone_by(labels: Labels) -> deque[Any]:
    return getattr(labels, "_redo_history", deque())


def _holds(history: Any, atom: Any) -> bool:
    """Whether a step is there, by its first piece; redo turns them round."""
    return any(item and (item[0] is atom or item[-1] is atom) for item in history)
