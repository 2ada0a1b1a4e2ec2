"""A run in a thread, and how it is stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from napari.qt.threading import FunctionWorker, create_worker

from ..models.errors import WeightsNotFound
from ..progress import Cancelled, CancelToken
from .control_names import in_the_dock
from .engine import Engine, Failure, Outcome, Report, Request

__all__ = ["Worker", "start_run"]

_log = logging.getLogger(__name__)


class Worker(FunctionWorker):
    """napari asks a worker to quit when its window closes; this one hears it."""

    def __init__(self, function: Any, *args: Any, cancel: CancelToken) -> None:
        super().__init__(function, *args, cancel=cancel)
        self._cancel = cancel

    def quit(self) -> None:
        # The run then returns; after the inherited method nobody would hear of it.
        self._cancel.cancel()


def _run(
    engine: Engine,
    request: Request,
    progress: Report,
    *,
    cancel: CancelToken,
) -> Outcome:
    """Runs in the thread; None if it was cancelled."""
    # Nothing is raised out of the thread: with PySide6 napari 0.9 would lose the error
    # and report one of its own.
    try:
        return engine.segment(request, progress, cancel)
    except Cancelled:
        return None
    except WeightsNotFound as error:
        # The window has no control that points to a copy.
        return Failure(error.what)
    except (ValueError, OSError, MemoryError) as error:
        _log.debug("the run failed", exc_info=True)
        words = str(error) or type(error).__name__
        return Failure(in_the_dock(words, settings=True))
    except Exception as error:  # noqa: BLE001
        # torch's own class, without importing torch here.
        if type(error).__name__ == "OutOfMemoryError":
            return Failure(
                f"{request.choice.device}: the memory of the device is full; choose "
                "the CPU, or close other programs that use it"
            )
        return Failure(f"{type(error).__name__}: {error}", error)


def start_run(
    engine: Engine,
    request: Request,
    cancel: CancelToken,
    *,
    progress: Report,
    returned: Callable[[Outcome], None],
) -> FunctionWorker:
    """Start a run in a thread.

    ``progress`` is called in that thread, ``returned`` in the GUI's.
    """
    return create_worker(
        _run,
        engine,
        request,
        progress,
        cancel=cancel,
        _worker_class=Worker,
        _connect={"returned": returned},
    )
