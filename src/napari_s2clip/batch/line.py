"""Where images are worked on: what comes in order goes through three stations."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .journal import state_of
from .one import Found, Prepared, prepare, segment, write

if TYPE_CHECKING:
    from ..features.store import FeatureStore
    from ..pipeline import S2CLIP
    from ..progress import CancelToken
    from .edited import Guard
    from .inputs import Input
    from .job import Job
    from .report import Teller

__all__ = ["Line", "LocalLine", "LostError", "Pending", "Written"]

Written: TypeAlias = tuple[dict[str, int], dict[str, Any]]
"""State of the image when it was read, and what `write` told."""

_Read: TypeAlias = "tuple[dict[str, int], Prepared]"


class LostError(RuntimeError):
    """Nobody knows what became of an image; it may still be worked on."""


class Pending(Protocol):
    """An image that is worked on."""

    def result(self) -> Written:
        """Wait for it; raises what stopped it."""
        ...

    def exception(self) -> BaseException | None:
        """Wait for it; what stopped it, if anything did."""
        ...


class Line(Protocol):
    """Works on images."""

    in_work: int
    """So many images at a time, from 1."""

    def start(self, item: Input, guard: Guard | None = None) -> Pending:
        """Begin with an image.

        Parameters
        ----------
        item : Input
        guard : Guard, optional
            Of finished results, which are replaced if nobody changes them meanwhile.
        """
        ...

    def stop(self) -> None:
        """Begin with no other one; nobody waits for what is not being written."""
        ...

    def close(self) -> None:
        """Wait for all that is being done."""
        ...


class LocalLine:
    """A line of this computer: while one image is computed others are read and written.

    They are computed in the order in which they come, all by one thread.

    Parameters
    ----------
    job : Job
    out : Path
    model : S2CLIP, optional
        None where no image will come.
    store : FeatureStore or bool
    in_work : int
        Images in memory at a time.
    teller : Teller
    cancel : CancelToken
    """

    def __init__(
        self,
        job: Job,
        out: Path,
        model: S2CLIP | None,
        store: FeatureStore | bool,
        in_work: int,
        teller: Teller,
        cancel: CancelToken,
    ) -> None:
        self.in_work = in_work
        self._job, self._out, self._model, self._store = job, out, model, store
        self._teller, self._cancel = teller, cancel
        several = max(1, in_work - 1)
        self._readers = ThreadPoolExecutor(several, "napari-s2clip read")
        self._device = ThreadPoolExecutor(1, "napari-s2clip model")
        self._writers = ThreadPoolExecutor(several, "napari-s2clip write")

    def start(self, item: Input, guard: Guard | None = None) -> Future[Written]:
        """See `Line.start`."""
        read = self._readers.submit(self._read, item)
        found = self._device.submit(self._compute, read)
        return self._writers.submit(self._write, read, found, guard)

    def stop(self) -> None:
        """Compute nothing more."""
        self._cancel.cancel()

    def close(self) -> None:
        """Wait for all that is being done."""
        for station in (self._readers, self._device, self._writers):
            station.shutdown()

    def _read(self, item: Input) -> _Read:
        self._cancel.raise_if_cancelled()
        return state_of(item.path), prepare(item, self._job)

    def _compute(self, read: Future[_Read]) -> Found:
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
        self, read: Future[_Read], found: Future[Found], guard: Guard | None
    ) -> Written:
        state, prepared = read.result()
        job, out = self._job, self._out
        with prepared, found.result() as what:
            return state, write(what, prepared, job, out, overwrite=True, guard=guard)
