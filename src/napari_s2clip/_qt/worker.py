"""A run in a thread: what is kept between runs, and how one is stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from napari.qt.threading import FunctionWorker, create_worker

from ..classes import ClassSet
from ..image import RGBImage, to_rgb
from ..method_settings import needed_parts
from ..models.bring import download_parts
from ..models.errors import WeightsNotFound
from ..models.parts import PartName, Precision
from ..models.specs import ModelSpec
from ..models.weights import missing_parts
from ..planes import Plane
from ..progress import Cancelled, CancelToken, Progress
from ..results import Segmentation
from ..settings import Settings
from ..store import WeightStore

if TYPE_CHECKING:
    from ..pipeline import S2CLIP, ImageFeatures

__all__ = ["Download", "Engine", "Failure", "Request", "Worker", "start_run"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What to do: a snapshot, so the widget may change meanwhile."""

    plane: Plane
    classes: ClassSet
    spec: ModelSpec
    settings: Settings
    device: str
    precision: Precision
    store: WeightStore
    download: bool = False


@dataclass(frozen=True)
class Download:
    """How far the download before a run is: bytes of one file, and a line of text."""

    done: int
    total: int
    message: str


Report: TypeAlias = Callable[["Progress | Download"], None]


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

    Only one run may use it at a time, and nothing else meanwhile.
    """

    def __init__(self) -> None:
        self._model: S2CLIP | None = None
        self._loaded: tuple[Any, ...] = ()
        self._absent: frozenset[PartName] = frozenset()
        self._features: ImageFeatures | None = None
        self._notes: tuple[str, ...] = ()

    def segment(
        self, request: Request, progress: Report, cancel: CancelToken
    ) -> Segmentation:
        """Load, encode and segment; steps whose outcome is known are left out."""
        if request.download:
            _download(request, progress, cancel)
        where = f"{request.spec.title} on {request.device}"
        progress(Progress("load", 0, 1, where))
        model = self._load(request, progress, cancel)
        image = _read(request.plane)
        if not self._knows(image, request.settings):
            self._features = None
            self._features = model.encode(
                image, settings=request.settings, progress=progress, cancel=cancel
            )
            self._notes = image.notes  # the features may have more
        return model.segment(
            self._features, request.classes, progress=progress, cancel=cancel
        )

    def held(self) -> dict[PartName, int]:
        """Bytes of the weights of each part in memory."""
        return {} if self._model is None else self._model.held()

    @property
    def device(self) -> str:
        """Where they are; empty if there is none."""
        return "" if self._model is None else str(self._model.device)

    def release(self) -> None:
        """Free the memory of models and features."""
        model, self._model, self._features = self._model, None, None
        if model is not None:
            model.release()

    def _load(self, request: Request, progress: Report, cancel: CancelToken) -> S2CLIP:
        from ..pipeline import S2CLIP  # torch: seconds, the first time

        cancel.raise_if_cancelled()
        parts = needed_parts(request.settings)
        wanted = (
            *(request.spec, request.device, request.precision),
            request.store.folder,
        )
        # A file that was not there when its model was loaded has no known origin.
        if self._loaded != wanted or not self._absent.isdisjoint(parts):
            # Before the new ones need it.
            self.release()
        if self._model is None:
            absent = missing_parts(request.spec, request.store)
            self._model = S2CLIP.load(
                request.spec,
                device=request.device,
                precision=request.precision,
                parts=parts,
                weight_store=request.store,
                progress=progress,
                cancel=cancel,
            )
            self._loaded = wanted
            self._absent = frozenset(card.role for card in absent)
        return self._model

    def _knows(self, image: RGBImage, settings: Settings) -> bool:
        # By content: the data of a layer can change without any notice.
        known = self._features
        return (
            known is not None
            and known.settings.method == settings.method
            and self._notes == image.notes
            and np.array_equal(known.image, image.pixels)
        )


def _download(request: Request, progress: Report, cancel: CancelToken) -> None:
    parts = needed_parts(request.settings)

    def on_bytes(report: Progress) -> None:
        progress(Download(report.done, report.total, report.message))

    download_parts(
        request.spec, parts, store=request.store, progress=on_bytes, cancel=cancel
    )


def _read(plane: Plane) -> RGBImage:
    image = to_rgb(plane.read(), rgb=plane.rgb, contrast_limits=plane.contrast_limits)
    return RGBImage(image.pixels, (*plane.notes, *image.notes))


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
    progress: Report,
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
        _worker_class=Worker,
        _connect={"returned": returned},
    )
