"""A job over many images on this computer.

A few images are in work at a time: while one is computed, the next is read and the one
before is written, so that the device does not wait. Models are used by one thread.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from ..errors import EXPECTED, sentence
from ..features.keep import open_store
from ..progress import CancelToken, Progress
from .journal import Journal, state_of
from .one import Found, Prepared, prepare, segment, write
from .plan import Step, plan, tidy

if TYPE_CHECKING:
    from ..features.store import FeatureStore
    from ..pipeline import S2CLIP
    from .inputs import Input
    from .job import Job

__all__ = ["BatchProgress", "Outcome", "run_job"]

_IN_WORK: Final = 4
"""Images in memory at a time: read, computed, written."""


@dataclass(frozen=True)
class Outcome:
    """What became of an image.

    Attributes
    ----------
    input : Input
    state : {"done", "skipped", "failed"}
        Skipped are those that were done before.
    told : dict
        See `napari_s2clip.batch.one.write`; of those that were done before what the
        journal keeps.
    error : str
        Why it failed, in a sentence.
    """

    input: Input
    state: str
    told: dict[str, Any]
    error: str = ""


@dataclass(frozen=True)
class BatchProgress:
    """How far a job is.

    Attributes
    ----------
    finished, total : int
        Images; those that failed or were done before are finished.
    computed : float
        Images that were computed, the one at hand in part.
    to_compute : int
    seconds : float
        Since the first one was begun.
    image : str
        Name of the image at hand.
    step : Progress or None
        Of that image.
    """

    finished: int
    total: int
    computed: float
    to_compute: int
    seconds: float
    image: str
    step: Progress | None = None

    @property
    def rate(self) -> float | None:
        """Images a second; None before anything can be said."""
        if self.computed < 0.5 or self.seconds <= 0:
            return None
        return self.computed / self.seconds

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None before anything can be said."""
        rate = self.rate
        return (
            None if rate is None else max(0.0, self.to_compute - self.computed) / rate
        )


Watch: TypeAlias = Callable[[BatchProgress], None]

_Written: TypeAlias = tuple[dict[str, int], dict[str, Any]]
"""State of the image when it was read, and what was written."""


def run_job(
    job: Job,
    inputs: Sequence[Input],
    out: str | Path,
    *,
    model: S2CLIP | None = None,
    overwrite: bool = False,
    again: bool = False,
    in_work: int = _IN_WORK,
    progress: Watch | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[Outcome]:
    """Segment images into a folder, going on where an equal job stopped.

    Parameters
    ----------
    job : Job
    inputs : sequence of Input
    out : path
    model : S2CLIP, optional
        Loaded if not given.
    overwrite : bool
        Replace results of other jobs. Label files that were edited since are never
        replaced.
    again : bool
        Also do what equal jobs have finished.
    in_work : int
        Images in memory at a time, from 1.
    progress : callable, optional
        Called with a `BatchProgress`, from several threads, one at a time.
    cancel : CancelToken, optional

    Yields
    ------
    Outcome
        In the order of the inputs.

    Raises
    ------
    JournalError
        If another program works on the folder.
    Cancelled
        If ``cancel`` was raised; images that were being written are finished.
    OSError
        If the journal cannot be written.
    """
    if in_work < 1:
        raise ValueError(f"in_work: {in_work}; give 1 or more")
    out = Path(out)
    cancel = cancel or CancelToken()
    journal = Journal(out, job)
    steps = plan(inputs, journal, overwrite=overwrite, again=again)
    if model is None and any(step.reason is None for step in steps):
        model = job.load()
    with journal:
        if journal.changed:
            steps = plan(inputs, journal, overwrite=overwrite, again=again)
        tidy(out, inputs)
        count = sum(step.reason is None for step in steps)
        teller = _Teller(len(steps), count, progress)
        store = open_store(job.keep_features) or False
        with _Line(job, out, model, store, in_work, teller, cancel) as line:
            yield from _in_order(steps, journal, line, in_work, teller, cancel)


class _Line:
    """Three stations that every image goes through: reader, model, writer.

    The images are computed in the order in which they come.
    """

    def __init__(
        self,
        job: Job,
        out: Path,
        model: S2CLIP | None,
        store: FeatureStore | bool,
        in_work: int,
        teller: _Teller,
        cancel: CancelToken,
    ) -> None:
        self._job, self._out, self._model, self._store = job, out, model, store
        self._teller, self._cancel = teller, cancel
        several = max(1, in_work - 1)
        self._readers = ThreadPoolExecutor(several, "napari-s2clip read")
        self._device = ThreadPoolExecutor(1, "napari-s2clip model")
        self._writers = ThreadPoolExecutor(several, "napari-s2clip write")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for station in (self._readers, self._device, self._writers):
            station.shutdown()

    def start(self, item: Input) -> Future[_Written]:
        """Begin with an image; what comes out is its state and what was written."""
        read = self._readers.submit(self._read, item)
        found = self._device.submit(self._compute, read)
        return self._writers.submit(self._write, read, found)

    def _read(self, item: Input) -> tuple[dict[str, int], Prepared]:
        self._cancel.raise_if_cancelled()
        return state_of(item.path), prepare(item, self._job)

    def _compute(self, read: Future[tuple[dict[str, int], Prepared]]) -> Found:
        _, prepared = read.result()
        self._cancel.raise_if_cancelled()
        self._teller.begin(prepared.input.name)
        assert self._model is not None
        found = segment(
            self._model,
            prepared,
            self._job,
            store=self._store,
            progress=self._teller.step,
            cancel=self._cancel,
        )
        self._teller.computed()
        return found

    def _write(
        self, read: Future[tuple[dict[str, int], Prepared]], found: Future[Found]
    ) -> _Written:
        state, prepared = read.result()
        with prepared, contextlib.closing(found.result()) as what:
            return state, write(what, prepared, self._job, self._out, overwrite=True)


def _in_order(
    steps: Sequence[Step],
    journal: Journal,
    line: _Line,
    in_work: int,
    teller: _Teller,
    cancel: CancelToken,
) -> Iterator[Outcome]:
    """Do the steps, a few at a time, and note each as soon as those before it are."""
    waiting = deque(steps)
    begun: deque[tuple[Step, Future[_Written] | None]] = deque()
    try:
        while waiting or begun:
            while waiting and sum(f is not None for _, f in begun) < in_work:
                step = waiting.popleft()
                future = None
                if step.reason is None:
                    journal.begin(step.input)
                    future = line.start(step.input)
                begun.append((step, future))
            outcome = _outcome(*begun[0], journal)
            begun.popleft()
            teller.finished()
            yield outcome
    except BaseException:
        cancel.cancel()
        # What is being written is finished and counts.
        for step, future in begun:
            if future is not None and future.exception() is None:
                journal.done(step.input, *future.result())
        raise


def _outcome(step: Step, future: Future[_Written] | None, journal: Journal) -> Outcome:
    item = step.input
    if future is None:
        if step.done:
            return Outcome(item, "skipped", journal.entries[item.name])
        assert step.reason is not None
        return Outcome(item, "failed", {}, step.reason)
    try:
        state, told = future.result()
    except EXPECTED as error:
        reason = sentence(error)
        named = reason.startswith(str(item.path))
        reason = reason if named else f"{item.path}: {reason}"
        journal.failed(item, reason)
        return Outcome(item, "failed", {}, reason)
    journal.done(item, state, told)
    return Outcome(item, "done", told)


class _Teller:
    """Turns what happens into reports."""

    def __init__(self, total: int, to_compute: int, watch: Watch | None) -> None:
        self._total, self._to_compute, self._watch = total, to_compute, watch
        self._finished, self._computed = 0, 0
        self._started = 0.0
        self._lock = Lock()
        self._image = ""

    def begin(self, image: str) -> None:
        self._started = self._started or time.monotonic()
        self._image = image

    def step(self, report: Progress) -> None:
        self._tell(report.overall, report)

    def computed(self) -> None:
        self._computed += 1
        self._tell(0.0, None)

    def finished(self) -> None:
        self._finished += 1
        self._tell(0.0, None)

    def _tell(self, share: float, report: Progress | None) -> None:
        if self._watch is None:
            return
        now = time.monotonic()
        with self._lock:
            self._watch(
                BatchProgress(
                    self._finished,
                    self._total,
                    min(self._computed + share, self._to_compute),
                    self._to_compute,
                    now - self._started if self._started else 0.0,
                    self._image,
                    report,
                )
            )
