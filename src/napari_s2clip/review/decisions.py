"""The table of regions and what was decided of each."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .states import Mark, RegionState, Shape, Status, uncertainty

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Decisions", "Known"]

Known: TypeAlias = dict[Mark, RegionState]
"""The last decision on each region of an image, whichever result it was in."""


class Decisions:
    """What was proposed for each region, and what was decided.

    Parameters
    ----------
    table : pandas.DataFrame
        `napari_s2clip.results.REGION_COLUMNS`, and ``position``: where the region's
        plane is on the other axes of the labels; without it they have two.
    planes : int
        Number of those other axes.

    Attributes
    ----------
    ids : ndarray of int, shape (N,)
        In the order of the table, as are `uncertainty` and `area`.
    positions : list of tuple of int
    uncertainty : ndarray of float, shape (N,)
        See `napari_s2clip.review.uncertainty`.
    area : ndarray of int, shape (N,)
        Pixels of the coarse region.
    """

    def __init__(self, table: pd.DataFrame, planes: int = 0) -> None:
        self.table = table.reset_index(drop=True)
        self.ids: NDArray[np.int64] = self.table["region"].to_numpy(np.int64)
        self._row = {region: row for row, region in enumerate(self.ids.tolist())}
        if len(self._row) < len(self.ids):
            raise ValueError("region: an id is twice in the table; number them anew")
        self.positions = _positions(self.table, planes)
        self.uncertainty = uncertainty(self.table)
        self.area: NDArray[np.int64] = self.table["area"].to_numpy(np.int64)
        self._proposed: list[int] = self.table["class_id"].astype(int).tolist()
        self._states: dict[int, RegionState] = {}
        self._known: Known | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, region: int) -> int:
        """Row of a region in the table; `KeyError` if there is none."""
        return self._row[region]

    @cached_property
    def marks(self) -> dict[int, Mark]:
        """By id, what tells a region from others, also in another result."""
        boxes = self.table[["x_min", "y_min", "x_max", "y_max"]].to_numpy(float)
        columns = (
            *(self.ids.tolist(), self.positions, self._proposed),
            *(self.area.tolist(), boxes.round(2).tolist()),
        )
        return {
            region: (position, proposed, area, tuple(box))
            for region, position, proposed, area, box in zip(*columns, strict=True)
        }

    @cached_property
    def _alone(self) -> dict[Mark, int]:
        """The regions that nothing else is like."""
        counts = Counter(self.marks.values())
        return {mark: r for r, mark in self.marks.items() if counts[mark] == 1}

    def proposal(self, region: int) -> RegionState:
        """The state a region began with."""
        return RegionState(self._proposed[self._row[region]])

    def state(self, region: int) -> RegionState:
        """What is known of a region now."""
        return self._states.get(region) or self.proposal(region)

    @property
    def decided(self) -> dict[int, RegionState]:
        """The regions that are not open, in the order in which they were decided."""
        return dict(self._states)

    @property
    def reviewed(self) -> int:
        """How many regions are not open."""
        return len(self._states)

    def select(
        self,
        *,
        class_id: int | None = None,
        status: Status | None = None,
        min_area: int = 0,
    ) -> NDArray[np.int64]:
        """Ids of regions, the most uncertain first.

        Parameters
        ----------
        class_id : int, optional
            Only those that have this class now.
        status : {"open", "accepted", "rejected", "changed"}, optional
        min_area : int
            In pixels of the coarse map.
        """
        keep = self.area >= min_area
        if class_id is not None:
            keep &= self.classes() == class_id
        if status is not None:
            rows = [self._row[r] for r, s in self._states.items() if s.status == status]
            if status == "open":
                rows = [self._row[r] for r in self._states]
            chosen = np.full(len(self), status == "open")
            chosen[rows] = status != "open"
            keep &= chosen
        rows_found = np.argsort(-self.uncertainty, kind="stable")
        return np.asarray(self.ids[rows_found[keep[rows_found]]])

    def classes(self) -> NDArray[np.int64]:
        """Class of each region now, shape (N,)."""
        found = np.array(self._proposed, np.int64)
        for region, state in self._states.items():
            found[self._row[region]] = state.class_id
        return found

    def box(self, region: int) -> tuple[float, float, float, float]:
        """Top, left, bottom and right of the coarse region: half-open, in pixels."""
        edges = self.table.loc[self._row[region], ["y_min", "x_min", "y_max", "x_max"]]
        top, left, bottom, right = (float(edge) for edge in edges)
        return top, left, bottom, right

    def _verdict(self, region: int, class_id: int, shape: Shape) -> RegionState:
        """Changed, or accepted if that is what was proposed."""
        proposal = self.proposal(region)
        same = (class_id, shape) == (proposal.class_id, proposal.shape)
        return RegionState(class_id, shape, "accepted" if same else "changed")

    def _set(self, region: int, state: RegionState) -> None:
        # Last in the order of decisions, also when it was decided before.
        self._states.pop(region, None)
        if state.status != "open":
            self._states[region] = state
        if self._known is None or self.marks[region] not in self._alone:
            return
        if state.status == "open":
            self._known.pop(self.marks[region], None)
        else:
            self._known[self.marks[region]] = state


def _positions(table: pd.DataFrame, planes: int) -> list[tuple[int, ...]]:
    if "position" not in table.columns:
        found: list[tuple[int, ...]] = [()] * len(table)
    else:
        found = [tuple(int(p) for p in position) for position in table["position"]]
    if any(len(position) != planes for position in found):
        raise ValueError(
            f"position: the labels have {planes} axes besides rows and columns, and "
            "the table's positions another number; give the table of these labels"
        )
    return found
