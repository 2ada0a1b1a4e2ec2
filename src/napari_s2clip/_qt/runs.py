"""Runs and live updates, one at a time."""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from ..progress import CancelToken, Progress
from .engine import Engine, Outcome, Report, Request
from .worker import start_run

__all__ = ["Garbage", "Runs"]

_CALM = 40
"""Between two reports of progress, in ms."""


class Garbage:
    """Is searched for only among what is made from now on.

    A full search among all that torch and napari are made of stops every thread for
    half a second. It can wait until a run is over.
    """

    def __init__(self) -> None:
        self._frozen = False

    def wait(self) -> None:
        """Leave what is there now out of searches, unless somebody does already."""
        if not gc.get_freeze_count():
            self._frozen = True
            gc.freeze()

    def search(self, *_: Any) -> None:
        """Search everywhere again."""
        if self._frozen:
            self._frozen = False
            gc.unfreeze()


class Runs(QObject):
    """Starts what is asked for, in a thread.

    A run is never interrupted by anything but `cancel`. A live update makes way: for a
    newer one, because only the newest state of the controls matters, and for a run.

    Parameters
    ----------
    engine : Engine
    """

    progressed = Signal(object, object)
    """The `Request`, and what is reported about it."""

    ended = Signal(object, object)
    """The `Request`, and its `Outcome`; None if it was cancelled."""

    # Emitted in the thread of the work, received in the GUI's.
    _reported = Signal(object, object)

    def __init__(self, engine: Engine, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._request: Request | None = None
        self._waiting: Request | None = None
        self._cancel: CancelToken | None = None
        self._claim = ""
        self._garbage = Garbage()
        self.destroyed.connect(self._garbage.search)
        self._reported.connect(self._on_report)
        self._newest: tuple[Request, Progress] | None = None
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(_CALM)
        self._calm.timeout.connect(self._tell_newest)

    @property
    def request(self) -> Request | None:
        """What is under way."""
        return self._request

    @property
    def running(self) -> bool:
        """Whether a run is under way or waits for an update to make way."""
        waits = self._waiting is not None and not self._waiting.live
        return waits or (self._request is not None and not self._request.live)

    @property
    def busy(self) -> bool:
        """Whether the models are in use."""
        return self._request is not None or bool(self._claim)

    @property
    def claim(self) -> str:
        """Why nothing can be started, in a sentence; empty where it can."""
        return self._claim

    def keep_for(self, claim: str) -> bool:
        """Keep the models for other work until `give_back`; False if they are in use.

        Parameters
        ----------
        claim : str
            What is said to whoever wants them meanwhile.
        """
        if self.busy:
            return False
        self._claim = claim
        self._garbage.wait()
        return True

    def give_back(self) -> None:
        """Let runs have the models again."""
        self._claim = ""
        self._garbage.search()

    @property
    def cancelling(self) -> bool:
        """Whether what is under way was asked to stop."""
        return self._cancel is not None and self._cancel.cancelled

    def start(self, request: Request) -> bool:
        """Start a run or a live update; False if a run is under way, or others work."""
        if self.running or self._claim:
            return False
        if self._request is None:
            self._launch(request)
        else:
            self._waiting = request
            self._stop()
        return True

    def cancel(self) -> None:
        """Ask what is under way to stop at its next step, and forget what waits."""
        self._waiting = None
        self._stop()

    def _stop(self) -> None:
        if self._cancel is not None:
            self._cancel.cancel()
        self._garbage.search()

    def _launch(self, request: Request) -> None:
        self._request, self._cancel = request, CancelToken()
        self._garbage.wait()
        report: Report = partial(self._report, request)
        start_run(
            self._engine,
            request,
            self._cancel,
            progress=report,
            returned=self._on_returned,
        )

    def _report(self, request: Request, progress: Any) -> None:
        """Take a report, in the thread of the work.

        Drawing takes longer than many a step, and waking the GUI's thread holds up this
        one: the newest report stands for all.
        """
        if isinstance(progress, Progress):
            waits, self._newest = self._newest is not None, (request, progress)
            if waits:
                return
        self._reported.emit(request, progress)

    def _on_report(self, request: Request, progress: Any) -> None:
        if isinstance(progress, Progress):
            self._calm.start()
        elif request is self._request and not self.cancelling:
            self.progressed.emit(request, progress)

    def _tell_newest(self) -> None:
        newest, self._newest = self._newest, None
        if newest is not None and newest[0] is self._request and not self.cancelling:
            self.progressed.emit(*newest)

    def _on_returned(self, outcome: Outcome) -> None:
        request, cancelled = self._request, self.cancelling
        self._calm.stop()
        self._newest = None
        self._request = self._cancel = None
        self.ended.emit(request, None if cancelled else outcome)
        self._garbage.search()
        waiting, self._waiting = self._waiting, None
        # Who listens may have started something.
        if waiting is not None and self._request is None:
            self._launch(waiting)
