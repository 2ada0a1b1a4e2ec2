"""Tells how far a run over tiles is."""

from __future__ import annotations

from dataclasses import replace

from ..progress import CancelToken, Progress, ProgressCallback, Stage

__all__ = ["Teller"]


class Teller:
    """Reports with the number of the tile, and looks whether the run was cancelled."""

    def __init__(self, progress: ProgressCallback | None, cancel: CancelToken) -> None:
        self._progress = progress
        self.cancel = cancel
        self.piece, self.pieces, self.where = 0, 1, ""

    def __call__(self, report: Progress) -> None:
        """Report, with the number of the tile and where it is."""
        if self._progress is not None:
            message = ": ".join(text for text in (self.where, report.message) if text)
            self._progress(
                replace(report, message=message, piece=self.piece, pieces=self.pieces)
            )

    def step(self, stage: Stage, done: int, message: str) -> None:
        """Report a step of its own."""
        self.check()
        self(Progress(stage, done, 1, message))

    def at(self, here: int, of: int, number: int, planes: int) -> None:
        """Say in which tile and in which slice the run is, counted from 0."""
        where = []
        if of > 1:
            where.append(f"tile {min(here + 1, of)} of {of}")
        if planes > 1:
            where.append(f"slice {number + 1} of {planes}")
        self.where = ", ".join(where)

    def check(self) -> None:
        """Raise `Cancelled` if somebody has cancelled."""
        self.cancel.raise_if_cancelled()
