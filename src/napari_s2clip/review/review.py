"""Review of regions: each act is one edit of the labels, and can be undone.

A region holds the pixels that the refined map gave it (``owners``) as long as they show
its class: what somebody has painted over by hand is not the region's any more, and no
act touches it. What the acts do:

accept
    No pixel changes.
reject
    The region's pixels become background. The coarse map, or a neighbour that might
    have wanted them, is not asked: nobody has looked at what it would say there.
reassign
    The region's pixels get the other class.
take the coarse or the refined shape
    Pixels the region holds outside the shape become background. Pixels of the shape
    that it does not hold are won where they are background or show its class already;
    those of other classes only with ``overwrite``. This also brings a rejected region
    back.

A pixel won from another region is no longer that region's; undoing gives it back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..edits import Edit
from .decisions import Decisions, Known
from .history import Act, History
from .painting import Painting, Target
from .record import read_record, record

if TYPE_CHECKING:
    import pandas as pd

    from .pixels import Change, Place
    from .states import RegionState, Shape

__all__ = ["DEPTH", "Review"]

DEPTH: Final = 100
"""How many steps napari keeps of a layer."""


class Review(Decisions):
    """The regions of a result, what was decided of each, and the labels they are in.

    Nothing here writes into ``labels``: an act returns what is to be written, and the
    caller writes it as one step before the next act.

    Parameters
    ----------
    table : pandas.DataFrame
        See `Decisions`.
    regions : array_like of int
        Region ids of the coarse map.
    owners : array_like of int
        The region that gave the refined map its class at a pixel, 0 where none did.
    labels : array_like of int
        The refined labels, which may have been edited since.
    axes : (int, int)
        Axes of the arrays that are a region's rows and columns.
    depth : int
        How many acts that change pixels can be undone.

    Raises
    ------
    ValueError
        If the arrays differ in shape, or the positions do not fit them.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        regions: Any,
        owners: Any,
        labels: Any,
        *,
        axes: tuple[int, int] = (-2, -1),
        depth: int = DEPTH,
    ) -> None:
        if not regions.shape == owners.shape == labels.shape:
            raise ValueError(
                f"regions {regions.shape}, owners {owners.shape} and labels "
                f"{labels.shape} differ in shape; give those of one result"
            )
        ndim = len(labels.shape)
        super().__init__(table, ndim - 2)
        rows, columns = sorted(axis % ndim for axis in axes)
        self.axes = (rows, columns)
        self._pixels = Painting(regions, owners, labels, self.axes)
        self._history = History(depth)

    @property
    def labels(self) -> Any:
        """The labels under correction; another array of the same shape may follow."""
        return self._pixels.labels

    @labels.setter
    def labels(self, labels: Any) -> None:
        if labels.shape != self._pixels.labels.shape:
            raise ValueError(
                f"labels have the shape {labels.shape} now, but the regions are of "
                f"{self._pixels.labels.shape}; segment the image again"
            )
        self._pixels.labels = labels

    def accept(self, region: int) -> Edit:
        """Say that a region is right; one that was changed stays "changed".

        Raises
        ------
        ValueError
            If the region was rejected.
        """
        state = self.state(region)
        if state.status == "rejected":
            raise ValueError(
                f"region {region} was rejected and has no pixels; undo that, or take "
                "its coarse or refined shape"
            )
        if state.status == "open":
            state = replace(state, status="accepted")
        return self._do(Act(region, self.state(region), state))

    def reject(self, region: int) -> Edit:
        """Turn the pixels of a region into background."""
        state = replace(self.state(region), status="rejected")
        return self._paint(region, state, "none")

    def reassign(self, region: int, class_id: int) -> Edit:
        """Give the pixels of a region another class; a rejected one comes back with it.

        Raises
        ------
        ValueError
            If the class is no label value.
        """
        last = np.iinfo(self.labels.dtype).max
        if not 1 <= class_id <= last:
            raise ValueError(
                f"class_id must be from 1 to {last}, got {class_id}; to make a region "
                "background, reject it"
            )
        before = self.state(region)
        state = self._verdict(region, class_id, before.shape)
        rejected = before.status == "rejected"
        return self._paint(region, state, state.shape if rejected else "held")

    def take_shape(self, region: int, shape: Shape, *, overwrite: bool = False) -> Edit:
        """Give a region the pixels of its coarse or of its refined shape.

        Parameters
        ----------
        region : int
        shape : {"coarse", "refined"}
        overwrite : bool
            Whether pixels of other classes are won too.
        """
        state = self._verdict(region, self.state(region).class_id, shape)
        return self._paint(region, state, shape, overwrite)

    def undo(self) -> tuple[int, Edit] | None:
        """Take the last act back: its region and edit; None if there is none.

        Pixels that somebody has painted over since stay.
        """
        act = self._history.undo(lambda a: self._pixels.now(a) == a.pixels.after)
        if act is None:
            return None
        self._set(act.region, act.before)
        self._pixels.hold(act.place, act.holders.reversed())
        now, pixels = self._pixels.now(act), act.pixels
        return act.region, _edit(act.place, pixels).taken_back(pixels.before, now)

    def redo(self) -> tuple[int, Edit] | None:
        """Do again what was undone last; None if there is nothing."""
        act = self._history.redo(lambda a: self._pixels.now(a) == a.pixels.before)
        if act is None:
            return None
        self._set(act.region, act.after)
        self._pixels.hold(act.place, act.holders)
        now, pixels = self._pixels.now(act), act.pixels
        undone = _edit(act.place, pixels.reversed())
        return act.region, undone.taken_back(pixels.after, now)

    def follow(self) -> list[Act]:
        """Notice acts that the labels' own history has undone or redone.

        An act counts as undone there when all its pixels are as before it, and as
        redone when all are as after it. Of two acts on the same pixels each must be
        followed before the next is undone.

        Returns
        -------
        list of Act
            In the order in which they were undone or, if none was, redone.
        """
        found: list[Act] = []
        while acts := self._history.undone_elsewhere(self._pixels.now):
            found += acts
        for act in found:
            self._set(act.region, act.before)
            self._pixels.hold(act.place, act.holders.reversed())
        if found:
            return found
        while again := self._history.redone_elsewhere(self._pixels.now):
            found.append(again)
            self._set(again.region, again.after)
            self._pixels.hold(again.place, again.holders)
        return found

    def is_undone(self, act: Act) -> bool:
        """Whether the labels show what they showed before an act."""
        return bool(np.array_equal(self._pixels.now(act), act.pixels.before))

    @property
    def last(self) -> Act | None:
        """The act that `undo` would take back."""
        return self._history.done[-1] if self._history.done else None

    @property
    def can_redo(self) -> bool:
        """Whether something was undone."""
        return bool(self._history.undone)

    def to_dict(self) -> dict[str, Any]:
        """The decisions as plain data for JSON, not what can be undone."""
        return record(self)

    def restore(self, data: Any) -> list[str]:
        """Take over decisions that `to_dict` wrote; no pixel changes.

        A decision is for a region with the same id, place, class, area and box, whose
        pixels show it. What does not fit stays open.

        Returns
        -------
        list of str
            A sentence for each decision that does not fit.

        Raises
        ------
        ValueError
            If the data are not what `to_dict` gives; then nothing is taken over.
        """
        problems = []
        for region, mark, state in list(read_record(data)):
            if self.marks.get(region) != mark:
                problems.append(f"Region {region} is another one now; it stays open.")
            elif not self._take_over(region, state):
                problems.append(
                    f"Region {region} was {state.status}, but the labels do not show "
                    "it; it stays open."
                )
        return problems

    def carry_over(self, known: Known) -> int:
        """Take over earlier decisions on regions that are the same; no pixel changes.

        The same are regions at one place with equal proposed class, area and box,
        whatever their ids; the labels must show the decision.

        Parameters
        ----------
        known : dict
            Decisions on results of the same image. What is decided here from now on is
            written into it.

        Returns
        -------
        int
            How many were taken over.
        """
        found = [
            (self._alone[mark], state)
            for mark, state in known.items()
            if mark in self._alone
        ]
        self._known = known
        return sum(self._take_over(region, state) for region, state in found)

    def _paint(
        self, region: int, state: RegionState, target: Target, overwrite: bool = False
    ) -> Edit:
        before, place = self.state(region), self._place(region)
        pixels, holders = self._pixels.paint(
            region, place, before.class_id, state.class_id, target, overwrite
        )
        return self._do(Act(region, before, state, place, pixels, holders))

    def _do(self, act: Act) -> Edit:
        if act.before != act.after or len(act.pixels) or len(act.holders):
            self._set(act.region, act.after)
            self._pixels.hold(act.place, act.holders)
            self._history.add(act)
        return _edit(act.place, act.pixels)

    def _take_over(self, region: int, state: RegionState) -> bool:
        """Set a state without an act, if the labels show it."""
        proposal = self.proposal(region)
        if state != replace(proposal, status="accepted"):
            place = self._place(region)
            if not self._pixels.shows(region, place, proposal, state):
                return False
            self._pixels.claim(region, place, state)
        self._set(region, state)
        return True

    def _place(self, region: int) -> Place:
        position = self.positions[self.row(region)]
        return self._pixels.place(region, position, self.box(region))


def _edit(place: Place, change: Change) -> Edit:
    return Edit(place.index(change.flat), change.after)
