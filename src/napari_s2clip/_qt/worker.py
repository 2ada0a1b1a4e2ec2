"""A run in a thread: what is kept between runs, and how one is stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.qt.threading import FunctionWorker, create_worker

from ..classes import ClassSet
from ..image import RGBImage, to_rgb
from ..models.errors import WeightsNotFound
from ..plane import Plane
from ..progress import Cancelled, CancelToken, Progress, ProgressCallback
from ..results import Segmentation
from ..settings import Settings

if TYPE_CHECKING:
    from ..pipeline import S2CLIP, ImageFeatures

__all__ = ["Engine", "Failure", "Request", "start_run"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What to do: a snapshot, so the widget may change meanwhile."""

    plane: Plane
    classes: ClassSet
    model: str
    device: str
    method: str = "s2clip"


@dataclass(frozen=True)
class Failure:
    """Why a run gave nothing.

    Attributes
    ----------
    message : str
        One sentence for people.
    surprise : Exception or None
        Set where no one foresaw the error, so that its traceback may help.
    """

    message: str
    surprise: Exception | None = None


class Engine:
    """Models and features of the last run, for the next one.

    Only one run may use it at a time.
    """

    def __init__(self) -> None:
        self._model: S2CLIP | None = None
        self._loaded: tuple[str, str] | None = None
        self._features: ImageFeatures | None = None
        self._notes: tuple[str, ...] = ()

    def segment(
        self, request: Request, progress: ProgressCallback, cancel: CancelToken
    ) -> Segmentation:
        """Load, encode and segment; steps whose outcome is known are left out."""
        progress(Progress("load", 0, 1, f"{request.model} on {request.device}"))
        from ..pipeline import S2CLIP  # torch: seconds, the first time

        cancel.raise_if_cancelled()
        wanted = (request.model, request.device)
        if self._model is None or self._loaded != wanted:
            # Free the memory of the old models before the new ones need it.
            self._model = self._features = None
            self._model = S2CLIP.load(
                request.model, device=request.device, progress=progress, cancel=cancel
            )
            self._loaded = wanted
        image = _read(request.plane)
        if not self._knows(image, request.method):
            self._features = None
            self._features = self._model.encode(
                image,
                settings=Settings.model_validate({"method": request.method}),
                progress=progress,
                cancel=cancel,
            )
            self._notes = image.notes  # the features may have more
        return self._model.segment(
            self._features, request.classes, progress=progress, cancel=cancel
        )

    def _knows(self, image: RGBImage, method: str) -> bool:
        # By content: the data of a layer can change without any notice.
        known = self._features
        return (
            known is not None
            and known.settings.method == method
            and self._notes == image.notes
            and np.array_equal(known.image, image.pixels)
        )


def _read(plane: Plane) -> RGBImage:
    image = to_rgb(plane.read(), rgb=plane.rgb, contrast_limits=plane.contrast_limits)
    return RGBImage(image.pixels, (*plane.notes, *image.notes))


class _Worker(FunctionWorker):
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
    progress: ProgressCallback,
    *,
    cancel: CancelToken,
) -> Segmentation | Failure | None:
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
        return Failure(str(error) or type(error).__name__)
    except Exception as error:  # noqa: BLE001
        # torch's own class, without importing torch here.
        if type(error).__name__ == "OutOfMemoryError":
            return Failure(
                f"{request.device}: the memory of the device is full; choose the CPU, "
                "or close other programs that use it"
            )
        return Failure(f"{type(error).__name__}: {error}", error)


def start_run(
    engine: Engine,
    request: Request,
    cancel: CancelToken,
    *,
    progress: ProgressCallback,
    returned: Callable[[Segmentation | Failure | None], None],
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
        _worker_class=_Worker,
        _connect={"returned": returned},
    )
