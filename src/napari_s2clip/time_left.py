"""How long a run will still take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .progress import Progress

__all__ = ["TimeLeft", "in_words"]

_LEAST_SECONDS, _LEAST_SHARE = 1.0, 0.05
"""Earlier than this nothing is said: the first steps tell little about the rest."""


class TimeLeft:
    """An estimate from the reports of a run.

    What is over and what is left are taken to go equally fast. Loading does not count:
    it is done once, whatever the number of tiles.

    Parameters
    ----------
    clock : callable, optional
        Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def after(self, report: Progress) -> float | None:
        """Seconds left after a report; None while nothing can be said."""
        if report.stage == "load":
            return None
        now, done = self._clock(), report.overall
        if self._first is None:
            self._first = now, done
        started, before = self._first
        seconds, share = now - started, done - before
        if seconds < _LEAST_SECONDS or share < _LEAST_SHARE:
            return None
        return max(0.0, (1 - done) * seconds / share)


def in_words(seconds: float) -> str:
    """A duration as people say it: ``8 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
