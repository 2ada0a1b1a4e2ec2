from __future__ import annotations

import pytest

from napari_s2clip.progress import Progress
from napari_s2clip.time_left import TimeLeft, in_words


def estimate(*reports: tuple[float, Progress]) -> float | None:
    """What is said after the last of (second, report) pairs."""
    times = iter([when for when, report in reports if report.stage != "load"])
    left = TimeLeft(lambda: next(times))
    return [left.after(report) for _, report in reports][-1]


def test_what_is_left_goes_as_fast_as_what_is_over():
    # From 0.2 to 0.4 in 3 s; 0.6 are left.
    assert estimate(
        (100.0, Progress("encode", 0, 10)), (103.0, Progress("encode", 10, 10))
    ) == pytest.approx(9)


def test_tiles_count():
    assert estimate(
        (0.0, Progress("encode", 0, 1, piece=0, pieces=4)),
        (10.0, Progress("encode", 0, 1, piece=2, pieces=4)),
    ) == pytest.approx(9)  # 0.5 in 10 s; 0.45 are left


def test_loading_does_not_count():
    assert estimate(
        (0.0, Progress("load", 0, 1)),
        (50.0, Progress("encode", 0, 1)),
        (52.0, Progress("refine", 0, 1)),
    ) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("seconds", "done"), [(0.5, 9), (30.0, 1)])
def test_the_first_steps_tell_nothing(seconds, done):
    first, later = Progress("encode", 0, 10), Progress("encode", done, 10)
    assert estimate((0.0, first), (seconds, later)) is None


def test_at_the_end_nothing_is_left():
    assert (
        estimate((0.0, Progress("encode", 0, 1)), (5.0, Progress("refine", 1, 1))) == 0
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "1 s"),
        (59.4, "59 s"),
        (60.0, "1 min"),
        (200.0, "3 min"),
        (3599.0, "1 h"),
        (4800.0, "1 h 20 min"),
    ],
)
def test_in_words(seconds, words):
    assert in_words(seconds) == words
