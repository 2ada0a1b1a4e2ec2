"""Work in a thread, one piece after another, for which a closing window can wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from .annotation_jobs import Job

__all__ = ["JobQueue"]


class JobQueue(QObject):
    """Does one job after another in a thread, and what follows each in the GUI."""

    changed = Signal()
    """A job has begun or ended."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._then: Callable[[Job], None] | None = None
        self._waiting: deque[tuple[Callable[[], Any], Callable[[Job], None]]] = deque()

    @property
    def busy(self) -> bool:
        """Whether a thread is at work."""
        return self._job is not None

    def start(self, work: Callable[[], Any], then: Callable[[Job], None]) -> None:
        """Do this when what was asked for before is done.

        Parameters
        ----------
        work : callable
            Runs in the thread.
        then : callable
            Takes the `Job`, with what came of it.
        """
        if self._job is not None:
            self._waiting.append((work, then))
            return
        self._job, self._then = Job(work), then
        create_worker(self._job.run, _connect={"returned": self._finish})
        self.changed.emit()

    def finish(self, patience: float) -> bool:
        """Wait for all of it, each so many seconds at most; whether it is done."""
        while self._job is not None:
            job = self._job
            if not job.done.wait(patience):
                return False
            self._finish(job)
        return True

    def _finish(self, job: Job) -> None:
        # The window may have waited for it already.
        if not isalive(self) or job is not self._job or self._then is None:
            return
        then, self._job, self._then = self._then, None, None
        try:
            then(job)
        finally:
            if self._waiting and self._job is None:
                self.start(*self._waiting.popleft())
            self.changed.emit()
