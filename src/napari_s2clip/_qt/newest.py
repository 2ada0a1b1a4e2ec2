"""Work in a thread of which only the newest piece matters."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from ..errors import sentence
from ..models.errors import WeightsNotFound
from ..progress import Cancelled, CancelToken, ProgressCallback
from .worker import Failure, Worker

__all__ = ["Newest", "Work"]

_log = logging.getLogger(__name__)

Work: TypeAlias = Callable[[ProgressCallback, CancelToken], Any]


class Newest(QObject):
    """Does one piece of work at a time; while one runs, only the newest waits.

    What comes out is handed on with what it was asked for, so that the receiver may
    see whether it still wants it.
    """

    reported = Signal(object)
    """A `Progress`."""
    finished = Signal(object, object)
    """Tag, and outcome: what the work gave, a `Failure`, or None if cancelled."""
    idle = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: tuple[Any, Work] | None = None
        self._cancel: CancelToken | None = None

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return self._cancel is not None

    @property
    def cancelling(self) -> bool:
        """Whether what runs was asked to stop."""
        return self._cancel is not None and self._cancel.cancelled

    def submit(self, tag: Any, work: Work) -> None:
        """Do it now, or when what runs is done, unless newer work comes before."""
        self._waiting = tag, work
        if not self.busy:
            self._start()

    def cancel(self) -> None:
        """Ask what runs to stop, and forget what waits."""
        self._waiting = None
        if self._cancel is not None:
            self._cancel.cancel()

    def _start(self) -> None:
        if self._waiting is None:
            self.idle.emit()
            return
        (tag, work), self._waiting = self._waiting, None
        self._cancel = CancelToken()

        def returned(outcome: Any) -> None:
            if isalive(self):
                self._on_returned(tag, outcome)

        create_worker(
            _do,
            work,
            self.reported.emit,
            cancel=self._cancel,
            _worker_class=Worker,
            _connect={"returned": returned},
        )

    def _on_returned(self, tag: Any, outcome: Any) -> None:
        self._cancel = None
        self.finished.emit(tag, outcome)
        if not self.busy:
            self._start()


def _do(work: Work, progress: ProgressCallback, *, cancel: CancelToken) -> Any:
    """Runs in the thread, out of which nothing is raised."""
    try:
        return work(progress, cancel)
    except Cancelled:
        return None
    except WeightsNotFound as error:
        return Failure(error.what)
    except Exception as error:  # noqa: BLE001
        _log.debug("a prompt failed", exc_info=True)
        if isinstance(error, ValueError | OSError | MemoryError):
            return Failure(sentence(error))
        if type(error).__name__ == "OutOfMemoryError":
            return Failure("the memory of the device is full; choose the CPU")
        return Failure(f"{type(error).__name__}: {error}", error)
