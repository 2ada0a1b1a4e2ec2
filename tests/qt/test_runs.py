"""Runs and live updates in real threads; the engine is fake."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from napari_s2clip._qt.engine import Choice, Engine
from napari_s2clip._qt.runs import Runs
from napari_s2clip.models.specs import SPECS
from napari_s2clip.progress import Progress
from napari_s2clip.store import WeightStore

if TYPE_CHECKING:
    from napari_s2clip.progress import CancelToken


class FakeEngine:
    """Every piece of work waits until it is let go, or cancelled."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go = threading.Event()

    def segment(self, request: Any, progress: Any, cancel: CancelToken) -> str:
        self.begun.append(request.name)
        progress(f"{request.name} began")
        while not self.go.wait(0.005):
            cancel.raise_if_cancelled()
        cancel.raise_if_cancelled()
        return f"{request.name} done"


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    engine = FakeEngine()
    yield engine
    engine.go.set()


@pytest.fixture
def log() -> list[Any]:
    return []


@pytest.fixture
def runs(engine: FakeEngine, log: list[Any], qtbot: Any) -> Iterator[Runs]:
    runs = Runs(engine)  # type: ignore[arg-type]
    runs.progressed.connect(lambda request, report: log.append(report))
    runs.ended.connect(lambda request, outcome: log.append((request.name, outcome)))
    yield runs
    runs.cancel()
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)


def run(name: str = "run") -> Any:
    return SimpleNamespace(name=name, live=False, choice=SimpleNamespace(device="cpu"))


def update(name: str = "update") -> Any:
    return SimpleNamespace(name=name, live=True, choice=SimpleNamespace(device="cpu"))


def begun(runs: Runs, engine: FakeEngine, qtbot: Any, name: str) -> None:
    qtbot.waitUntil(lambda: name in engine.begun, timeout=10_000)


def test_a_run_reports_and_ends(
    runs: Runs, engine: FakeEngine, log: list[Any], qtbot: Any
) -> None:
    assert runs.start(run())
    assert runs.running
    assert runs.busy
    engine.go.set()
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)
    assert log == ["run began", ("run", "run done")]
    assert not runs.running


def test_nothing_interrupts_a_run(runs: Runs, engine: FakeEngine, qtbot: Any) -> None:
    runs.start(run())
    assert not runs.start(run("second"))
    assert not runs.start(update())
    engine.go.set()
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)
    assert engine.begun == ["run"]


def test_a_cancelled_run_ends_without_a_result(
    runs: Runs, engine: FakeEngine, log: list[Any], qtbot: Any
) -> None:
    runs.start(run())
    begun(runs, engine, qtbot, "run")
    runs.cancel()
    assert runs.cancelling
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)
    assert log[-1] == ("run", None)
    # What the thread had finished before it heard of the cancel is no result either.
    assert not runs.cancelling


def test_the_newest_update_counts(
    runs: Runs, engine: FakeEngine, log: list[Any], qtbot: Any
) -> None:
    runs.start(update("first"))
    begun(runs, engine, qtbot, "first")
    runs.start(update("second"))
    runs.start(update("third"))
    assert not runs.running
    begun(runs, engine, qtbot, "third")
    engine.go.set()
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)
    assert engine.begun == ["first", "third"]
    assert [entry for entry in log if isinstance(entry, tuple)] == [
        ("first", None),
        ("third", "third done"),
    ]


def test_an_update_makes_way_for_a_run(
    runs: Runs, engine: FakeEngine, log: list[Any], qtbot: Any
) -> None:
    runs.start(update())
    begun(runs, engine, qtbot, "update")
    assert runs.start(run())
    assert runs.running  # it waits; nothing may come between
    assert not runs.start(update("late"))
    begun(runs, engine, qtbot, "run")
    engine.go.set()
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)
    assert engine.begun == ["update", "run"]


def test_cancel_also_forgets_what_waits(
    runs: Runs, engine: FakeEngine, qtbot: Any
) -> None:
    runs.start(update())
    begun(runs, engine, qtbot, "update")
    runs.start(run())
    runs.cancel()
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)
    assert engine.begun == ["update"]


def test_what_ends_may_start_something(
    runs: Runs, engine: FakeEngine, qtbot: Any
) -> None:
    engine.go.set()
    runs.ended.connect(
        lambda request, outcome: request.live or runs.start(update("after"))
    )
    runs.start(run())
    qtbot.waitUntil(lambda: engine.begun == ["run", "after"], timeout=10_000)


def test_of_many_reports_the_newest_is_told(
    runs: Runs, log: list[Any], qtbot: Any
) -> None:
    runs._request = run()
    for done in range(1000):
        runs._report(runs._request, Progress("encode", done, 1000))
    qtbot.waitUntil(lambda: bool(log), timeout=10_000)
    assert log == [Progress("encode", 999, 1000)]
    runs._request = None


def test_no_search_for_garbage_stops_a_run(runs: Any, engine: Any, qtbot: Any) -> None:
    assert not gc.get_freeze_count()
    seen: list[int] = []
    runs.ended.connect(lambda *_: seen.append(gc.get_freeze_count()))
    runs.start(run())
    assert gc.get_freeze_count()
    engine.go.set()
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)
    # Not while the result is shown either; afterwards all is as it was.
    assert seen[0]
    assert not gc.get_freeze_count()

    engine.go.clear()
    runs.start(run("cancelled"))
    runs.cancel()
    assert not gc.get_freeze_count()


def test_what_another_has_frozen_stays_so(runs: Any, engine: Any, qtbot: Any) -> None:
    gc.freeze()
    try:
        runs.start(run())
        engine.go.set()
        qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


def test_models_may_be_kept_for_other_work(
    runs: Runs, engine: FakeEngine, log: list[Any], qtbot: Any
) -> None:
    assert runs.keep_for("Others work.")
    assert runs.claim == "Others work."
    assert runs.busy
    assert not runs.running
    assert not runs.keep_for("A third one.")
    assert not runs.start(run())
    assert not runs.start(update())
    assert engine.begun == []
    runs.give_back()
    assert not runs.busy
    assert runs.start(run())
    assert not runs.keep_for("Others work.")
    engine.go.set()
    qtbot.waitUntil(lambda: not runs.busy, timeout=10_000)


def test_lent_models_are_not_replaced(models: Any) -> None:
    engine = Engine()
    one, other = (
        Choice(SPECS[name], "cpu", "auto", WeightStore()) for name in ("demo", "fast")
    )
    with engine.lent(one):
        engine.load(one, ("clip",))
        with pytest.raises(ValueError, match="uses other models"):
            engine.load(other, ("clip",))
        assert models.count("release") == 0
    engine.load(other, ("clip",))
    assert models.count("release") == 1
