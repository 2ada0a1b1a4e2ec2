from __future__ import annotations

import threading

import pytest

from napari_s2clip.progress import STAGES, Cancelled, CancelToken, Progress, Reporter


def test_reports_reach_the_callback():
    seen = []
    report = Reporter(seen.append)
    report("encode", 0, 4)
    report("encode", 4, 4, "windows")
    assert seen == [
        Progress("encode", 0, 4, ""),
        Progress("encode", 4, 4, "windows"),
    ]


@pytest.mark.parametrize(
    ("stage", "done", "total", "overall"),
    [
        ("load", 0, 1, 0.0),
        ("load", 1, 1, 0.2),
        ("encode", 1, 4, 0.25),
        ("encode", 0, 0, 0.2),  # nothing to do, nothing to divide by
        ("refine", 3, 2, 1.0),
    ],
)
def test_overall_counts_every_stage_the_same(stage, done, total, overall):
    assert Progress(stage, done, total).overall == pytest.approx(overall)


def test_every_tile_is_an_equal_piece_of_the_run():
    assert Progress("encode", 1, 4, piece=2, pieces=5).overall == pytest.approx(0.45)
    assert Progress("refine", 1, 1, piece=4, pieces=5).overall == pytest.approx(1)


def test_without_listeners_nothing_happens():
    Reporter()("load", 1, 1)


def test_a_raised_token_stops_the_next_step():
    token, seen = CancelToken(), []
    report = Reporter(seen.append, token)
    report("regions", 0, 2)
    assert not token.cancelled
    token.raise_if_cancelled()
    token.cancel()
    token.cancel()  # twice does no harm
    assert token.cancelled
    with pytest.raises(Cancelled):
        report("regions", 1, 2)
    assert len(seen) == 1
    with pytest.raises(Cancelled, match="cancelled"):
        token.raise_if_cancelled()


def test_the_token_may_be_raised_by_another_thread():
    token = CancelToken()
    thread = threading.Thread(target=token.cancel)
    thread.start()
    thread.join()
    with pytest.raises(Cancelled):
        Reporter(cancel=token)("refine", 0, 1)


def test_a_cancel_is_no_ordinary_error():
    # Code that reports errors to people must not take a cancel for one.
    assert not issubclass(Cancelled, ValueError | OSError | RuntimeError)


def test_what_a_callback_raises_is_not_swallowed():
    def fail(progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Reporter(fail)("load", 0, 1)


def test_stages_are_in_their_order():
    assert STAGES == ("load", "encode", "classify", "regions", "refine")
