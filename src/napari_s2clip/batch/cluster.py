"""A job on several processes or computers, by dask.distributed.

Workers write the results, the client keeps the journal.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..closing import Closing
from ..errors import EXPECTED
from .edited import EditedError
from .inputs import Input
from .line import LostError

if TYPE_CHECKING:
    from .edited import Guard
    from .job import Job
    from .line import Written
    from .report import Teller

__all__ = ["Cluster", "ClusterError"]

_THREADS: Final = 3
"""Of a worker of a local cluster: one reads, one computes, one writes."""

_RETRIES: Final = 2
"""Tries of an image after a task that failed by no fault of the image."""


class ClusterError(RuntimeError):
    """A cluster that cannot be used; one sentence."""


class Cluster(Closing):
    """Workers that segment images.

    Parameters
    ----------
    workers : int
        Processes on this computer, one for each GPU or part of the CPU; 0 if an
        address is given.
    address : str
        Of a scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    ClusterError
        If dask.distributed is missing, nobody answers, or there are no workers.
    ValueError
        If not one of both is given.
    """

    def __init__(self, workers: int = 0, address: str = "") -> None:
        if workers < 0 or bool(workers) == bool(address):
            raise ValueError(
                "workers: give their number, or the address of a scheduler"
            )
        try:
            import distributed
        except ImportError:
            raise ClusterError(
                'this needs dask.distributed: pip install "napari-s2clip[distributed]"'
            ) from None
        self._local: Any = None
        library: Any = distributed  # in part untyped
        if workers:
            import dask.config

            with dask.config.set(_environment(workers)):
                self._local = library.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=_THREADS,
                    processes=True,
                    dashboard_address=None,
                    # Else it is open to other computers, on a port that may be taken.
                    scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                    silence_logs="CRITICAL",
                )
        try:
            self.client: Any = library.Client(
                self._local or address, set_as_default=False
            )
        except (OSError, ValueError) as error:
            self._stop()
            raise ClusterError(f"{address}: no scheduler answers ({error})") from None
        if not self._count():
            self.close()
            raise ClusterError(f"{address}: the scheduler has no workers; start some")

    def close(self) -> None:
        """Leave the scheduler; workers of this computer end."""
        self.client.close()
        self._stop()

    def line(self, job: Job, out: Path, teller: Teller) -> ClusterLine:
        """Where the workers do a job."""
        threads = 0
        if self._local is not None:
            threads = _threads_each(self._count())
        from .worker import PLUGIN, Models

        self.client.register_plugin(Models(job.to_dict(), threads), name=PLUGIN)
        return ClusterLine(self.client, job, out, teller, 2 * self._threads())

    def _stop(self) -> None:
        if self._local is not None:
            self._local.close()

    def _workers(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.scheduler_info(n_workers=-1)["workers"]
        return found

    def _count(self) -> int:
        return len(self._workers())

    def _threads(self) -> int:
        return sum(worker["nthreads"] for worker in self._workers().values())


def _threads_each(workers: int) -> int:
    """Cores of this computer for each of its workers."""
    return max(1, (os.cpu_count() or 1) // workers)


def _environment(workers: int) -> dict[str, Any]:
    """Settings of dask for the processes of a local cluster.

    By default they hand every large piece of memory back to the system, and get it
    anew for the next array: the demo models took twice as long so.
    """
    each = _threads_each(workers)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        f"distributed.nanny.pre-spawn-environ.{name}": value
        for name, value in (
            ("MALLOC_TRIM_THRESHOLD_", None),
            *((name, each) for name in names),
        )
    }


class ClusterLine:
    """A line whose stations are workers.

    Parameters
    ----------
    client : distributed.Client
    job : Job
    out : Path
        As the workers see it.
    teller : Teller
    in_work : int
        Images that workers have at a time.
    """

    def __init__(
        self, client: Any, job: Job, out: Path, teller: Teller, in_work: int
    ) -> None:
        self.in_work = max(1, in_work)
        self._client, self._out, self._teller = client, out, teller
        self._key = f"napari-s2clip-{job.fingerprint}-{os.urandom(4).hex()}"
        self._begun: list[Any] = []

    def start(self, item: Input, guard: Guard | None = None) -> _Remote:
        """Send an image to the cluster; see `Line.start`."""
        from .worker import work

        self._teller.begin(item.name)
        absolute = Input(item.path.absolute(), item.name)
        future = self._client.submit(
            work,
            absolute,
            self._out,
            guard,
            key=f"{self._key}-{item.name}",
            retries=_RETRIES,
            pure=False,
        )
        self._begun = [f for f in self._begun if not f.done()] + [future]
        future.add_done_callback(self._count)
        return _Remote(future)

    def stop(self) -> None:
        """Take back what is not done; it may be finished all the same."""
        self._client.cancel(self._begun)

    def close(self) -> None:
        """Forget all."""
        self._begun.clear()

    def _count(self, future: Any) -> None:
        if future.status == "finished":
            self._teller.computed()


class _Remote:
    """An image that a worker has."""

    def __init__(self, future: Any) -> None:
        self._future = future

    def result(self) -> Written:
        error = self.exception()
        if error is not None:
            raise error
        state, told, _ = self._future.result()
        return state, told

    def exception(self) -> BaseException | None:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            _, told, problem = self._future.result()
        except KilledWorker:
            return LostError("the workers that took it died")
        except (CancelledError, FutureCancelledError) as error:
            return LostError(f"the cluster gave it up ({error})")
        except EXPECTED as error:
            return error
        if "kept" in told:
            return EditedError(told["kept"])
        return RuntimeError(problem) if problem else None
