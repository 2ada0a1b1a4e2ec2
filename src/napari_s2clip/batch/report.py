"""How far a job is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ..progress import Progress

__all__ = ["BatchProgress", "Teller", "Watch"]


@dataclass(frozen=True)
class BatchProgress:
    """How far a job is.

    Attributes
    ----------
    finished, total : int
        Images; those that failed or were done before are finished.
    computed : float
        Images that were computed, the one at hand in part.
    to_compute : int
    seconds : float
        Since the first one was begun.
    image : str
        Name of the image at hand.
    step : Progress or None
        Of that image.
    """

    finished: int
    total: int
    computed: float
    to_compute: int
    seconds: float
    image: str
    step: Progress | None = None

    @property
    def rate(self) -> float | None:
        """Images a second; None before anything can be said."""
        if self.computed < 0.5 or self.seconds <= 0:
            return None
        return self.computed / self.seconds

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None before anything can be said."""
        if self.rate is None:
            return None
        return max(0.0, self.to_compute - self.computed) / self.rate


Watch: TypeAlias = Callable[[BatchProgress], None]


class Teller:
    """Turns what happens, in any thread, into reports, one at a time.

    Parameters
    ----------
    total, to_compute : int
        Images of the job, and those that are not done yet.
    watch : callable, optional
    """

    def __init__(self, total: int, to_compute: int, watch: Watch | None) -> None:
        self._total, self._to_compute, self._watch = total, to_compute, watch
        self._finished, self._computed = 0, 0
        self._started: float | None = None
        self._image = ""
        self._lock = Lock()

    def begin(self, image: str) -> None:
        """An image is begun."""
        with self._lock:
            if self._started is None:
                self._started = time.monotonic()
            self._image = image

    def step(self, report: Progress) -> None:
        """The image at hand is a step further."""
        with self._lock:
            self._tell(report.overall, report)

    def computed(self) -> None:
        """An image is computed."""
        with self._lock:
            self._computed += 1
            self._tell(0.0, None)

    def finished(self) -> None:
        """An image is finished, whatever became of it."""
        with self._lock:
            self._finished += 1
            self._tell(0.0, None)

    def _tell(self, share: float, report: Progress | None) -> None:
        if self._watch is None:
            return
        seconds = 0.0 if self._started is None else time.monotonic() - self._started
        self._watch(
            BatchProgress(
                self._finished,
                self._total,
                min(self._computed + share, self._to_compute),
                self._to_compute,
                seconds,
                self._image,
                report,
            )
        )
