"""Time two functions side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Pair", "Timing", "compare"]


@dataclass(frozen=True)
class Pair:
    """Two ways of the same work; both are called without arguments.

    What comes ``before`` each of them is not timed.
    """

    name: str
    ours: Callable[[], object]
    other: Callable[[], object]
    other_name: str
    before: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Timing:
    """Medians in milliseconds, and how many times faster ours is."""

    name: str
    other_name: str
    ours_ms: float
    other_ms: float
    ratio: float
    rounds: int


def _milliseconds(
    function: Callable[[], object], before: Callable[[], object]
) -> float:
    before()
    started = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - started)


def compare(pair: Pair, rounds: int = 7) -> Timing:
    """Run both in turn, after one warm-up of each; the ratio is that of each round.

    Interleaving makes a slow moment of the machine hit both.
    """
    pair.ours(), pair.other()
    times = [
        (_milliseconds(pair.ours, pair.before), _milliseconds(pair.other, pair.before))
        for _ in range(rounds)
    ]
    return Timing(
        pair.name,
        pair.other_name,
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        statistics.median(b / a for a, b in times),
        rounds,
    )
