"""What runs in the workers of a cluster.

A worker process holds one model. Its threads read and write images while one of them
computes.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from distributed import WorkerPlugin, get_worker

from ..errors import EXPECTED, sentence
from .edited import EditedError
from .job import Job
from .journal import state_of
from .one import prepare, segment, write

if TYPE_CHECKING:
    from ..pipeline import S2CLIP
    from .edited import Guard
    from .inputs import Input

__all__ = ["PLUGIN", "Models", "work"]

PLUGIN: Final = "napari-s2clip"
"""Name of the plugin in a worker."""


class Models(WorkerPlugin):
    """A plugin of workers: what a worker process holds.

    Parameters
    ----------
    job : dict
        `Job.to_dict`.
    threads : int
        Of torch; 0 leaves them as they are.
    """

    def __init__(self, job: dict[str, Any], threads: int) -> None:
        self._data, self._threads = job, threads

    def setup(self, worker: Any) -> None:
        """Called in each worker, also in those that come later."""
        self.job = Job.from_dict(self._data)
        self.lock = Lock()
        self._model: S2CLIP | None = None
        self._name = worker.name

    def __getstate__(self) -> dict[str, Any]:
        return {"_data": self._data, "_threads": self._threads}

    def model(self) -> S2CLIP:
        """The models, loaded for the first image; who asks holds the lock."""
        if self._threads:
            import torch

            torch.set_num_threads(self._threads)  # each thread has its own number
        if self._model is None:
            self._model = self.job.load(device=self._device())
        return self._model

    def _device(self) -> str | None:
        """One GPU a worker of this computer; others see those that they shall use."""
        import torch

        count = torch.cuda.device_count()
        if self.job.device not in {"auto", "cuda"} or count < 2:
            return None
        return f"cuda:{self._name % count}" if isinstance(self._name, int) else None


def work(
    item: Input, out: Path, guard: Guard | None = None
) -> tuple[dict[str, int], dict[str, Any], str]:
    """Segment an image in a worker; a problem with the image is told, not raised."""
    held: Any = get_worker().plugins[PLUGIN]
    try:
        state = state_of(item.path)
        with prepare(item, held.job) as prepared:
            with held.lock:
                found = segment(
                    held.model(), prepared, held.job, store=held.job.keep_features
                )
            with found:
                told = write(
                    found, prepared, held.job, out, overwrite=True, guard=guard
                )
    except EditedError as error:
        return {}, {"kept": str(error)}, ""
    except EXPECTED as error:
        return {}, {}, sentence(error)
    return state, told, ""
