"""Acts that were done and undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .pixels import NOTHING, NOWHERE, Change, Place

if TYPE_CHECKING:
    from .states import RegionState

__all__ = ["Act", "History"]


@dataclass(frozen=True, eq=False)
class Act:
    """What was done to a region: its state, its labels, and who holds the pixels.

    ``part`` tells which of the pixels were written last, as somebody may have painted
    over the others; None is all of them.
    """

    region: int
    before: RegionState
    after: RegionState
    place: Place = NOWHERE
    pixels: Change = NOTHING
    holders: Change = NOTHING
    part: NDArray[np.bool_] | None = None

    def shows(self, now: NDArray[Any], values: NDArray[Any]) -> bool:
        """Whether what was written last, if anything was, has these values."""
        part = slice(None) if self.part is None else self.part
        return bool(len(now[part])) and np.array_equal(now[part], values[part])


@dataclass
class History:
    """Acts in order; the last of each list is the next to be undone or redone.

    Attributes
    ----------
    depth : int
        How many acts with pixels are kept.
    """

    depth: int
    done: list[Act] = field(default_factory=list)
    undone: list[Act] = field(default_factory=list)

    def add(self, act: Act) -> None:
        """Something new was done.

        An act without pixels leaves what may be redone, as it is no step for the layer,
        which can still redo its own.
        """
        self.done.append(act)
        if not len(act.pixels):
            return
        self.undone.clear()
        steps = [n for n, other in enumerate(self.done) if len(other.pixels)]
        if len(steps) > self.depth:
            del self.done[: steps[-self.depth]]

    def undo(self, still: Callable[[Act], NDArray[np.bool_]]) -> Act | None:
        """Take the last act back, if there is one.

        Parameters
        ----------
        still : callable
            Which pixels of an act nobody has painted over.
        """
        return _move(self.done, self.undone, still)

    def redo(self, still: Callable[[Act], NDArray[np.bool_]]) -> Act | None:
        """Do again what was undone last, if there is something."""
        return _move(self.undone, self.done, still)

    def undone_elsewhere(self, read: Callable[[Act], NDArray[Any]]) -> list[Act]:
        """Take back what somebody else has undone, the last first.

        It is the last act with pixels, if all of them are as before it, and with it
        what was decided of the same region since.
        """
        act = _last_with_pixels(self.done)
        if act is None or not act.shows(read(act), act.pixels.before):
            return []
        place = self.done.index(act)
        since = [a for a in self.done[place:] if a.region == act.region]
        self.done = [a for a in self.done if a not in since]
        since.reverse()
        self.undone += since
        return since

    def redone_elsewhere(self, read: Callable[[Act], NDArray[Any]]) -> Act | None:
        """Do again what somebody else has redone."""
        act = _last_with_pixels(self.undone)
        if act is None or not act.shows(read(act), act.pixels.after):
            return None
        self.undone.remove(act)
        self.done.append(act)
        return act


def _move(
    source: list[Act], target: list[Act], still: Callable[[Act], NDArray[np.bool_]]
) -> Act | None:
    if not source:
        return None
    act = source.pop()
    part = still(act)
    if act.part is not None or not part.all():
        act = replace(act, part=part)
    target.append(act)
    return act


def _last_with_pixels(acts: list[Act]) -> Act | None:
    return next((act for act in reversed(acts) if len(act.pixels)), None)
