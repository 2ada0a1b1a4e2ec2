"""Progress reports, cancelling and time taken, without a word of Qt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "STAGES",
    "CancelToken",
    "Cancelled",
    "Clock",
    "Progress",
    "ProgressCallback",
    "Reporter",
    "Stage",
]

Stage: TypeAlias = Literal["load", "encode", "classify", "regions", "refine"]

STAGES: tuple[Stage, ...] = ("load", "encode", "classify", "regions", "refine")
"""In the order in which they run."""


class Cancelled(Exception):
    """Raised inside a run after `CancelToken.cancel`; nothing half-done is returned."""


@dataclass(frozen=True)
class Progress:
    """One report: ``done`` of ``total`` steps of ``stage`` are finished.

    A run over several tiles or slices goes through the stages once for each:
    ``piece`` (from 0) of ``pieces``.
    """

    stage: Stage
    done: int
    total: int
    message: str = ""
    piece: int = 0
    pieces: int = 1

    @property
    def overall(self) -> float:
        """How much of the whole run is over, 0 to 1; every stage counts the same."""
        share = min(1.0, self.done / self.total) if self.total else 0.0
        share = (STAGES.index(self.stage) + share) / len(STAGES)
        return (self.piece + share) / self.pieces


ProgressCallback: TypeAlias = Callable[[Progress], None]


class CancelToken:
    """A flag that another thread may raise; the run looks at it between steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the run to stop at its next step."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` once `cancel` was called."""
        if self._event.is_set():
            raise Cancelled("The run was cancelled.")


class Reporter:
    """What the stages hold: one call reports a step and honours a cancel.

    Parameters
    ----------
    callback : callable, optional
        Called with a `Progress` in the thread that does the work.
    cancel : CancelToken, optional
    """

    def __init__(
        self,
        callback: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        self._callback = callback
        self._cancel = cancel

    def __call__(self, stage: Stage, done: int, total: int, message: str = "") -> None:
        """Report ``done`` of ``total``; raise `Cancelled` if asked to stop."""
        if self._cancel is not None:
            self._cancel.raise_if_cancelled()
        if self._callback is not None:
            self._callback(Progress(stage, done, total, message))


class Clock:
    """Wall time of each stage, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure what is done inside a ``with`` statement."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started
