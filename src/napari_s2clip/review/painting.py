"""What a decision about a region means for pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .pixels import Change, Holdings, Place
from .states import RegionState, Shape

if TYPE_CHECKING:
    from .history import Act

__all__ = ["Painting", "Target"]

Target: TypeAlias = Literal["none", "held"] | Shape
"""The pixels a region is to have: none, those it holds, or a shape."""


class Painting:
    """The arrays of a result, and the labels that are corrected."""

    def __init__(
        self, regions: Any, owners: Any, labels: Any, axes: tuple[int, int]
    ) -> None:
        self.labels = labels
        self._regions = regions
        self._holdings = Holdings(owners, axes)
        self._axes = axes

    def place(
        self,
        region: int,
        position: tuple[int, ...],
        box: tuple[float, float, float, float],
    ) -> Place:
        """Where everything is that a region holds or may win."""
        top, left, bottom, right = box
        rows = int(np.floor(top)), int(np.ceil(bottom))
        columns = int(np.floor(left)), int(np.ceil(right))
        extent = self._holdings.extent(region, position)
        if extent is not None:
            rows = min(rows[0], extent[0]), max(rows[1], extent[1])
            columns = min(columns[0], extent[2]), max(columns[1], extent[3])
        height, width = (self.labels.shape[axis] for axis in self._axes)
        return Place(
            position,
            (max(rows[0], 0), min(rows[1], height)),
            (max(columns[0], 0), min(columns[1], width)),
            self._axes,
        )

    def paint(
        self,
        region: int,
        place: Place,
        before: int,
        after: int,
        target: Target,
        overwrite: bool,
    ) -> tuple[Change, Change]:
        """How labels and holders change when a region is to have other pixels.

        Parameters
        ----------
        region : int
        place : Place
        before, after : int
            Its class.
        target : {"none", "held", "coarse", "refined"}
        overwrite : bool
            Whether pixels of other classes are won.
        """
        labels, holders = place.read(self.labels), self._holdings.read(place)
        mine = holders == region
        held = mine & (labels == before)
        keep, won = held, np.zeros_like(held)
        if target == "none":
            keep = won
        elif target != "held":
            shape = self._mask(region, target, place)
            keep = held & shape
            free = (labels == 0) | (labels == after) | overwrite
            won = shape & ~held & free
        painted, given = labels.copy(), holders.copy()
        painted[held & ~keep] = 0
        painted[keep | won] = after
        # Also what was painted over by hand is no longer the region's.
        given[mine] = 0
        given[keep | won] = region
        return Change.between(labels, painted), Change.between(holders, given)

    def shows(
        self, region: int, place: Place, proposal: RegionState, state: RegionState
    ) -> bool:
        """Whether the labels look more like a state than like what was proposed.

        Only pixels on which the two differ tell; where somebody has painted something
        else they tell nothing.
        """
        labels = place.read(self.labels)
        first = self._mask(region, "refined", place)
        now = self._shape(region, place, state)
        proposed = np.where(first, proposal.class_id, 0)
        decided = np.where(now, state.class_id, 0)
        differs = proposed != decided
        for_it = np.count_nonzero(differs & (labels == decided))
        return bool(for_it >= np.count_nonzero(differs & (labels == proposed)))

    def claim(self, region: int, place: Place, state: RegionState) -> None:
        """Let a region hold what the labels show of a state; the labels stay."""
        labels, holders = place.read(self.labels), self._holdings.read(place)
        given = np.where(holders == region, 0, holders)
        now = self._shape(region, place, state)
        given[now & (labels == state.class_id)] = region
        self.hold(place, Change.between(holders, given))

    def now(self, act: Act) -> NDArray[Any]:
        """What the labels show at the pixels of an act."""
        return act.place.read(self.labels).ravel()[act.pixels.flat]

    def hold(self, place: Place, change: Change) -> None:
        """Hand pixels over, if they are still with whom the change took them from."""
        if len(change):
            still = self._holdings.read(place).ravel()[change.flat] == change.before
            self._holdings.write(place, change.flat[still], change.after[still])

    def _shape(
        self, region: int, place: Place, state: RegionState
    ) -> NDArray[np.bool_]:
        mask = self._mask(region, state.shape, place)
        return np.zeros_like(mask) if state.status == "rejected" else mask

    def _mask(self, region: int, shape: Shape, place: Place) -> NDArray[np.bool_]:
        source = self._regions if shape == "coarse" else self._holdings.owners
        return np.asarray(place.read(source) == region)
