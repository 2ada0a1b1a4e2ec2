"""Changes of a Labels layer as steps that the user can undo."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..edits import Edit
from .boxes import Box, overlap, within

if TYPE_CHECKING:
    from napari.layers import Labels

__all__ = [
    "HISTORY_BYTES",
    "STEP_BYTES",
    "Step",
    "amend_step",
    "apply_edit",
    "cost",
    "fits",
    "write_step",
]

STEP_BYTES: Final = 256 * 2**20
"""Memory that one undo step may take; 13 million pixels of a plane."""

AMEND_BYTES: Final = 2**25
"""Labels that one amended step may cover; 16 million pixels of classes."""

HISTORY_BYTES: Final = 2**30
"""Memory that all steps that we made on a layer may take together."""


def cost(pixels: int, ndim: int, itemsize: int) -> int:
    """Bytes that napari keeps to undo a change: places, old and new labels."""
    return pixels * (8 * ndim + 2 * itemsize)


def fits(costs: Iterable[int], more: int) -> bool:
    """Whether the history has room for another step, after steps of these costs."""
    return more <= STEP_BYTES and sum(costs) + more <= HISTORY_BYTES


@dataclass(eq=False)
class Step:
    """The last undo step that a run made on a layer.

    Attributes
    ----------
    item : list or None
        The step in napari's history, which may be amended; None if nothing changed.
    boxes : sequence of tuple of slice
        What the run covered.
    """

    item: list[Any] | None
    boxes: Sequence[Box]

    def is_last(self, labels: Labels) -> bool:
        """Whether neither undo nor redo took the step off the top of the history."""
        # There is no public view of the history. Without it a run adds a step.
        history: deque[Any] = getattr(labels, "_undo_history", deque())
        return bool(history) and history[-1] is self.item


def apply_edit(labels: Labels, edit: Edit) -> None:
    """Change pixels of a layer in one undo step.

    Parameters
    ----------
    labels : Labels
    edit : Edit
        Pixels that have their new label already make no step.
    """
    write_step(labels, [edit])


def write_step(labels: Labels, edits: Iterable[Edit]) -> list[Any] | None:
    """Change pixels in one undo step; gives it, or None if nothing changed."""
    made: list[list[Any]] = []

    def keep(event: Any) -> None:
        made.append(event.value)

    _load(labels)
    labels.events.paint.connect(keep)
    try:
        with labels.block_history():
            for edit in edits:
                # It would show a hidden layer's pixels in the place of others.
                labels.data_setitem(edit.index, edit.values, refresh=False)
    finally:
        labels.events.paint.disconnect(keep)
    if not made:
        return None
    labels.refresh()
    return made[-1]


def amend_step(
    labels: Labels, step: Step, boxes: Sequence[Box], new: Sequence[NDArray[Any]]
) -> bool:
    """Let a step lead to other labels, as if those before were never there.

    Much faster than undo and a new step: the history holds boxes instead of pixels.
    What it holds is the list that napari gives with the event of the step.

    Parameters
    ----------
    labels : Labels
    step : Step
        The last one, see `Step.is_last`. Its item becomes None where nothing is left to
        undo.
    boxes : sequence of tuple of slice
        Together what the step covers.
    new : sequence of ndarray
        Labels of each of them.

    Returns
    -------
    bool
        False, and nothing was changed, if the history holds something we do not know
        or the step would be too large.
    """
    item = step.item
    if item is None or not all(type(a) is tuple and len(a) == 3 for a in item):
        return False
    if sum(values.nbytes for values in new) > AMEND_BYTES:
        return False
    atoms = []
    for box, values in zip(boxes, new, strict=True):
        before = np.array(labels.data[box])
        for index, old, _ in reversed(item):
            _put(before, box, index, old)
        labels.data[box] = values
        tight = _differing(before, values, box)
        if tight is not None:
            inside = within(tight, box)
            atoms.append((tight, before[inside].copy(), values[inside].copy()))
    item[:] = atoms
    if atoms:
        labels.refresh()
        labels.events.paint(value=item)
    else:
        labels.undo()  # takes the empty step away
        step.item = None
    return True


def _put(array: NDArray[Any], box: Box, index: Any, values: Any) -> None:
    """Write into the array of a box what the history keeps of the whole map."""
    if isinstance(index[0], slice):  # as `amend_step` leaves it
        common = overlap(index, box)
        if common is not None:
            array[within(common, box)] = values[within(common, index)]
        return
    inside = np.logical_and.reduce(
        [(i >= b.start) & (i < b.stop) for i, b in zip(index, box, strict=True)]
    )
    array[tuple(i[inside] - b.start for i, b in zip(index, box, strict=True))] = values[
        inside
    ]


def _differing(one: NDArray[Any], other: NDArray[Any], box: Box) -> Box | None:
    """Smallest box around the pixels that differ, in the whole map."""
    differ = one != other
    spans = []
    for axis, part in enumerate(box):
        along = np.flatnonzero(
            differ.any(axis=tuple(a for a in range(differ.ndim) if a != axis))
        )
        if not len(along):
            return None
        spans.append(slice(part.start + int(along[0]), part.start + int(along[-1]) + 1))
    return tuple(spans)


def _load(labels: Labels) -> None:
    """Let a layer that was never shown have pixels; `data_setitem` needs them."""
    if not labels.visible:
        labels.visible = True
        labels.visible = False
