"""What a run is asked for, what it gives, and what is kept for the next one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ..classes import ClassSet
from ..method_settings import needed_parts
from ..models.bring import download_parts
from ..models.parts import PartName, Precision
from ..models.specs import ModelSpec
from ..models.weights import missing_parts
from ..progress import CancelToken, Progress, ProgressCallback
from ..settings import Settings
from ..store import WeightStore
from ..tiles import Tiling

if TYPE_CHECKING:
    from ..pipeline import S2CLIP
    from ..planes import Target
    from ..targets import FeatureMemory, TargetResult

__all__ = [
    "Choice",
    "Done",
    "Download",
    "Draft",
    "Engine",
    "Failure",
    "Outcome",
    "Report",
    "Request",
]


_SLOW = 0.1
"""Seconds of refinement from which on the coarse map is shown before."""


@dataclass(frozen=True)
class Choice:
    """Which models, and where they run.

    Attributes
    ----------
    spec : ModelSpec
    device : str
    precision : {"auto", "fp32", "bf16", "fp16"}
    store : WeightStore
    """

    spec: ModelSpec
    device: str
    precision: Precision
    store: WeightStore

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for choices that are the same models."""
        return self.spec, self.device, self.precision, self.store.folder


@dataclass(frozen=True)
class Request:
    """What to do: a snapshot, so the widget may change meanwhile.

    Attributes
    ----------
    layer : napari.layers.Image
        Whose labels they will be; nothing in the thread touches it.
    target : Target
    classes : ClassSet
    choice : Choice
    settings : Settings
    tiling : Tiling
    probabilities : bool
        Whether those of all classes are wanted too.
    download : bool
        Whether missing files are brought first.
    live : bool
        Whether this only brings up to date what an earlier request found: nothing is
        loaded or encoded for it.
    """

    layer: Any
    target: Target
    classes: ClassSet
    choice: Choice
    settings: Settings
    tiling: Tiling
    probabilities: bool = False
    download: bool = False
    live: bool = False


@dataclass(frozen=True)
class Download:
    """How far the download before a run is: bytes of one file, and a line of text."""

    done: int
    total: int
    message: str


@dataclass(frozen=True, eq=False)
class Draft:
    """What a live update has found before SAM was asked: coarse map and regions."""

    result: TargetResult


Report: TypeAlias = Callable[["Progress | Download | Draft"], None]


@dataclass(frozen=True, eq=False)
class Done:
    """What a run has found.

    Attributes
    ----------
    result : TargetResult
    loading : float
        Seconds that the models took before.
    """

    result: TargetResult
    loading: float = 0.0


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


Outcome: TypeAlias = Done | Failure | None
"""None if it was cancelled."""


class Engine:
    """Models and features of the last run, for the next one.

    Only one run may use it at a time; prompts may ask for its models meanwhile.
    """

    def __init__(self) -> None:
        self._model: S2CLIP | None = None
        self._loaded: tuple[Any, ...] = ()
        self._absent: frozenset[PartName] = frozenset()
        self._memory: FeatureMemory | None = None
        self._lock = threading.Lock()
        self._lent: tuple[Any, ...] | None = None
        self._warm: threading.Thread | None = None
        self._refined_in = 0.0

    def warm_up(self) -> None:
        """Import the libraries of a run, in a thread.

        Python stands still for half a second while torch is loaded: better while a
        window opens than in the first run.
        """
        if self._warm is None:
            name = "napari-s2clip imports"
            self._warm = threading.Thread(target=_import_libraries, name=name)
            self._warm.start()

    @property
    def warm(self) -> bool:
        """Whether the libraries are there."""
        return self._warm is not None and not self._warm.is_alive()

    def segment(self, request: Request, progress: Report, cancel: CancelToken) -> Done:
        """Load, encode and segment; steps whose outcome is known are left out."""
        if request.live:
            return self._update(request, progress, cancel)
        if request.download:
            _download(request, progress, cancel)
        where = f"{request.choice.spec.title} on {request.choice.device}"
        progress(Progress("load", 0, 1, where))
        parts = needed_parts(request.settings)
        started = time.perf_counter()
        self.load(request.choice, parts, progress, cancel)
        loading = time.perf_counter() - started
        done = self._segment(request, request.settings, progress, cancel)
        return replace(done, loading=loading)

    def _update(self, request: Request, progress: Report, cancel: CancelToken) -> Done:
        if self._model is None or self._loaded != request.choice.key:
            raise ValueError("The models are no longer in memory; press Run.")
        if request.settings.refine and self._refined_in > _SLOW:
            # SAM may have new regions to look at; the rest can be seen meanwhile.
            without = request.settings.model_copy(update={"refine": False})
            draft = self._segment(request, without, _silent, cancel)
            progress(Draft(draft.result))
        return self._segment(request, request.settings, progress, cancel)

    def _segment(
        self,
        request: Request,
        settings: Settings,
        progress: Report,
        cancel: CancelToken,
    ) -> Done:
        from ..targets import FeatureMemory, segment_target

        assert self._model is not None
        if self._memory is None:
            self._memory = FeatureMemory()
        result = segment_target(
            self._model,
            request.target,
            request.classes,
            settings,
            tiling=request.tiling,
            memory=self._memory,
            encode=not request.live,
            keep_probabilities=request.probabilities,
            progress=progress,
            cancel=cancel,
        )
        if settings.refine:
            self._refined_in = result.seconds.get("refine", 0.0)
        return Done(result)

    def held(self) -> dict[PartName, int]:
        """Bytes of the weights of each part in memory."""
        return {} if self._model is None else self._model.held()

    @property
    def device(self) -> str:
        """Where they are; empty if there is none."""
        return "" if self._model is None else str(self._model.device)

    def release(self) -> None:
        """Free the memory of models and features."""
        model, self._model, self._memory = self._model, None, None
        if model is not None:
            model.release()

    @contextmanager
    def lent(self, choice: Choice) -> Iterator[None]:
        """Nobody gets other models than these meanwhile; they take long to load."""
        with self._lock:
            self._lent = choice.key
        try:
            yield
        finally:
            with self._lock:
                self._lent = None

    def load(
        self,
        choice: Choice,
        parts: tuple[PartName, ...],
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> S2CLIP:
        """The models of a choice; others are let go of first.

        Runs and prompts may ask from different threads.

        Raises
        ------
        ValueError
            If others are `lent`.
        """
        from ..pipeline import S2CLIP  # torch: seconds, the first time

        with self._lock:
            if cancel is not None:
                cancel.raise_if_cancelled()
            if self._lent not in (None, choice.key):
                raise ValueError(
                    "A job over many images uses other models; wait until it is done, "
                    "or choose its models"
                )
            # A file that was not there when its model was loaded has no known origin.
            if self._loaded != choice.key or not self._absent.isdisjoint(parts):
                # Before the new ones need it.
                self.release()
            if self._model is None:
                absent = missing_parts(choice.spec, choice.store)
                self._model = S2CLIP.load(
                    choice.spec,
                    device=choice.device,
                    precision=choice.precision,
                    parts=parts,
                    weight_store=choice.store,
                    progress=progress,
                    cancel=cancel,
                )
                self._loaded = choice.key
                self._absent = frozenset(card.role for card in absent)
            return self._model


def _import_libraries() -> None:
    # A run says what is wrong with them.
    with suppress(ImportError, OSError):
        from .. import pipeline, targets  # noqa: F401
        from ..models.load import import_libraries

        import_libraries()


def _silent(progress: Progress | Download | Draft) -> None:
    """Report nothing: the same stages come once more."""


def _download(request: Request, progress: Report, cancel: CancelToken) -> None:
    parts = needed_parts(request.settings)

    def on_bytes(report: Progress) -> None:
        progress(Download(report.done, report.total, report.message))

    download_parts(
        *(request.choice.spec, parts),
        store=request.choice.store,
        progress=on_bytes,
        cancel=cancel,
    )
