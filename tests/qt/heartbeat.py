"""How long the event loop of Qt stood still."""

from __future__ import annotations

import time

from qtpy.QtCore import QTimer

__all__ = ["Heartbeat"]

_INTERVAL = 5
"""Between two beats, in ms."""


class Heartbeat:
    """Beats as long as the event loop turns; a context manager.

    Attributes
    ----------
    gaps : list of float
        Between beats, in seconds.
    """

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._timer = QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._beat)
        self._last = 0.0

    @property
    def longest(self) -> float:
        """The longest time without a beat, in seconds."""
        return max(self.gaps)

    def __enter__(self) -> Heartbeat:
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now
