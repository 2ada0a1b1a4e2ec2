"""Writes the map of one stage into the array of a layer, new or in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..edits import Edit
from .boxes import Box, shape_of, tiles, within
from .history import Step, amend_step, cost, fits, write_step

if TYPE_CHECKING:
    from napari.layers import Labels

    from .state import State

__all__ = [
    "SIDE",
    "Left",
    "Rule",
    "Source",
    "fill",
    "fill_but",
    "is_free",
    "same",
    "update",
]

SIDE: Final = 1024
"""Of the parts that are in memory at once, in pixels."""


@dataclass(frozen=True, eq=False)
class Source:
    """Planes of labels, and where they go in the array of a layer.

    Attributes
    ----------
    planes : array_like, shape (planes, H, W)
    boxes : sequence of tuple of slice
        One a plane.
    shown : (int, int)
        The axes of the array that are rows and columns.
    shift : int
        Added to all labels but 0.
    between : callable
        Called after each part that was read.
    """

    planes: Any
    boxes: Sequence[Box]
    shown: tuple[int, int]
    shift: int = 0
    between: Callable[[], object] = lambda: None

    def read(self, number: int, part: Box) -> NDArray[Any]:
        """Labels of a part of the box of a plane."""
        inside = within(part, self.boxes[number])
        rows, columns = (inside[axis] for axis in self.shown)
        values = np.asarray(self.planes[number, rows, columns])
        if self.shift:
            values = np.where(values > 0, values + self.shift, 0).astype(values.dtype)
        return values.reshape(shape_of(part))

    def parts(self) -> Iterator[tuple[Box, NDArray[Any]]]:
        """All of it, in parts of bounded size."""
        for number, box in enumerate(self.boxes):
            for part in tiles(box, SIDE):
                yield part, self.read(number, part)
                self.between()


Left: TypeAlias = tuple[Box, NDArray[np.bool_]]
"""Pixels of a box that a run leaves alone."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """New labels of a box, what is remembered of them, and which are the old ones."""

    new: NDArray[Any]
    remembered: NDArray[Any]
    alone: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Rule:
    """Which pixels a run leaves alone.

    Attributes
    ----------
    merge : bool
        Those that were edited. Without it there are none.
    preserve : bool
        When merging, also those that have a label.
    """

    merge: bool = False
    preserve: bool = False

    def apply(self, part: Box, array: Any, new: NDArray[Any], state: State) -> _Piece:
        """What is written into a part of an array."""
        if not self.merge:
            return _Piece(new, new)
        now = np.asarray(array[part])
        before = state.versions.nearest(part, now)
        alone = now != before
        if self.preserve:
            alone |= now != 0
        if not alone.any():
            return _Piece(new, new)
        # What was edited stays known as edited, whatever later runs find there.
        return _Piece(np.where(alone, now, new), np.where(alone, before, new), alone)


def is_free(
    labels: Labels,
    state: State,
    boxes: Sequence[Box],
    between: Callable[[], object] = lambda: None,
) -> bool:
    """Whether nobody edited some boxes of a layer."""
    for box in boxes:
        for part in tiles(box, SIDE):
            if state.versions.is_edited(labels.data, part):
                return False
            between()
    return True


def same(state: State, source: Source) -> bool:
    """Whether the last run wrote the very same labels."""
    last = state.versions.last
    return all(np.array_equal(last.read(part), new) for part, new in source.parts())


def fill(
    array: Any, state: State, source: Source, *, rule: Rule = Rule()
) -> list[Left]:
    """Write into an array of which no history tells; see `update`."""
    written = state.versions.settled(array, source.boxes)
    left = []
    for part, new in source.parts():
        piece = rule.apply(part, array, new, state)
        array[part] = piece.new
        written = written.replaced(part, piece.remembered)
        if piece.alone is not None:
            left.append((part, piece.alone))
    state.versions.add(written)
    # No undo leads back from here.
    state.versions.forget()
    state.step = Step(None, source.boxes)
    return left


def fill_but(array: Any, source: Source, left: Sequence[Left]) -> None:
    """Write into an array, but 0 where pixels were left alone."""
    alone = {tuple(span.start for span in part): mask for part, mask in left}
    for part, new in source.parts():
        mask = alone.get(tuple(span.start for span in part))
        array[part] = new if mask is None else np.where(mask, 0, new)


def update(
    labels: Labels, state: State, source: Source, *, rule: Rule, amend: bool
) -> list[Left] | None:
    """Write into a layer, as one undo step.

    Parameters
    ----------
    labels : Labels
    state : State
    source : Source
    rule : Rule
        Which pixels are left alone.
    amend : bool
        Whether the step replaces that of the run before, which covered the same.

    Returns
    -------
    list of (box, mask), or None
        Where pixels were left alone; None, and nothing was changed, if the step would
        take too much memory.
    """
    step = state.step if amend else None
    item = step.item if step is not None else None
    left: list[Left] = []
    wanted: list[tuple[Box, NDArray[Any]]] = []
    written = state.versions.settled(labels.data, source.boxes)
    pixels, size = 0, labels.data.dtype.itemsize
    for part, new in source.parts():
        now = np.asarray(labels.data[part])
        piece = rule.apply(part, labels.data, new, state)
        written = written.replaced(part, piece.remembered)
        if piece.alone is not None:
            left.append((part, piece.alone))
        differ = int(np.count_nonzero(now != piece.new))
        if differ or item is not None:
            wanted.append((part, piece.new))
        pixels += differ
        if not fits(state.costs, cost(pixels, labels.ndim, size)):
            return None
    state.writing = True
    try:
        if pixels and item is not None and step is not None:
            item = _amended(labels, step, wanted)
        elif pixels:
            item = _written(labels, wanted, cost(pixels, labels.ndim, size))
            state.costs.append(cost(pixels, labels.ndim, size))
    finally:
        state.writing = False
    state.versions.add(written, amend=amend)
    state.step = Step(item, source.boxes)
    return left


_Wanted: TypeAlias = Sequence[tuple[Box, NDArray[Any]]]


def _written(labels: Labels, wanted: _Wanted, pixelwise: int) -> list[Any] | None:
    """Make a step, of boxes if they take less memory than so many bytes of pixels."""
    if sum(2 * values.nbytes for _, values in wanted) > pixelwise:
        return write_step(labels, _edits(labels, wanted))
    edit = next(iter(_edits(labels, wanted)))
    pixel = Edit(tuple(i[:1] for i in edit.index), np.asarray(edit.values)[:1])
    item = write_step(labels, [pixel])
    return _amended(labels, Step(item, [part for part, _ in wanted]), wanted)


def _amended(labels: Labels, step: Step, wanted: _Wanted) -> list[Any] | None:
    boxes, new = zip(*wanted, strict=True)
    if amend_step(labels, step, boxes, new):
        return step.item
    labels.undo()
    return write_step(labels, _edits(labels, wanted))


def _edits(labels: Labels, wanted: _Wanted) -> Iterator[Edit]:
    for part, values in wanted:
        differ = np.asarray(labels.data[part]) != values
        if differ.any():
            yield Edit.of(part, differ, values)
