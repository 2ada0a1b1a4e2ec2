"""An export in a thread, and what is said of it at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari.qt.threading import FunctionWorker, create_worker

from ..datasets import SPLITS, DatasetError, DatasetWriter
from ..datasets.export import export_items
from ..progress import Cancelled
from .worker import Worker

if TYPE_CHECKING:
    from ..datasets import Format
    from ..datasets.export import Exported
    from ..layers import TrainingData
    from ..progress import CancelToken

__all__ = ["Export", "Told", "counted", "start_export", "told"]

_log = logging.getLogger(__name__)

_MOST = 5000
"""Lines of what was left out."""


@dataclass(frozen=True, eq=False)
class Export:
    """What is exported, and how."""

    data: TrainingData
    folder: Path
    format: Format
    val: float = 0.0
    test: float = 0.0
    tile: int = 0
    overlap: int = 0
    overwrite: bool = False

    def run(self, progress: Callable[[int, str], None], cancel: CancelToken) -> Told:
        """Write it; what went wrong is told too.

        Parameters
        ----------
        progress : callable
            Takes how many slices are done, and the name of the next.
        cancel : CancelToken
        """
        data = self.data
        data.cancel = cancel
        order = {data.name(p): n for n, p in enumerate(data.positions)}
        try:
            writer = DatasetWriter(
                self.folder,
                self.format,
                data.classes,
                val=self.val,
                test=self.test,
                overwrite=self.overwrite,
            )
            done = export_items(
                data,
                writer,
                tile=self.tile,
                overlap=self.overlap,
                empty=data.empty,
                progress=lambda name: progress(order[name], name),
            )
        except Cancelled:
            return Told("Cancelled; nothing was written.")
        except (DatasetError, ValueError, OSError, MemoryError) as error:
            _log.debug("the export failed", exc_info=True)
            return Told(str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001
            _log.exception("the export failed")
            return Told(f"{type(error).__name__}: {error}")
        return told(done, data.skipped)


@dataclass(frozen=True)
class Told:
    """How an export ended: a sentence, lines on what was left out, what there is."""

    text: str
    lines: tuple[str, ...] = ()
    folder: Path | None = None


def told(done: Exported, more: list[tuple[str, str]]) -> Told:
    """What is said of an export, and of what else was left out."""
    skipped = [*more, *done.skipped]
    words = [counted(done.images, "image"), counted(done.objects, "object")]
    parts = ", ".join(f"{done.splits[s]} {s}" for s in SPLITS if s in done.splits)
    text = f"{', '.join(words)} written" + (f" ({parts})" if parts else "")
    if done.total > done.images:
        text += f"; the dataset has {counted(done.total, 'image')} now"
    if done.cancelled:
        text = f"Cancelled: {text}, which stay"
    if skipped:
        text += f". {counted(len(skipped), 'note')} on what is not as in the layer:"
    else:
        text += "."
    lines = [f"{name}: {why}" for name, why in skipped]
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {len(lines) - _MOST} more"]
    return Told(text, tuple(lines), done.folder)


def counted(count: int, word: str) -> str:
    """``1 image``, ``2,000 images``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _run(
    export: Export, progress: Callable[[int, str], None], *, cancel: CancelToken
) -> Told:
    return export.run(progress, cancel)


def start_export(
    export: Export,
    cancel: CancelToken,
    *,
    progress: Callable[[int, str], None],
    returned: Callable[[Told], None],
) -> FunctionWorker:
    """Start an export in a thread; ``progress`` is called in it."""
    return create_worker(
        _run,
        export,
        progress,
        cancel=cancel,
        _worker_class=Worker,
        _connect={"returned": returned},
    )
