"""Downloads, checks and removals of weight files, each in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from ..models.cards import ModelCard
from ..progress import Cancelled, CancelToken
from ..sizes import format_size
from ..store import StoreError, Transfer, TransferCallback, WeightStore
from .worker import Worker

__all__ = ["Transfers"]

_log = logging.getLogger(__name__)

_INTERVAL = 100  # milliseconds between two looks at what is under way

_Work = Callable[[TransferCallback, CancelToken], str]


@dataclass
class _Job:
    """The thread puts its reports here, and the window looks at them now and then.

    Many more of them come than could be drawn, and the last must not be lost.
    """

    transfer: Transfer
    cancel: CancelToken = field(default_factory=CancelToken)

    def report(self, transfer: Transfer) -> None:
        self.transfer = transfer


class Transfers(QObject):
    """What is done to weight files, by file; at most one thing to each.

    Panels may come and go meanwhile, and another preset may be chosen.
    """

    changed = Signal()
    """Something began, came further or ended."""

    ended = Signal(str)
    """Files may have come or gone; how it ended, if there is something to say."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[str, _Job] = {}
        self._words: dict[str, str] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self.changed)

    def download(self, card: ModelCard, store: WeightStore) -> None:
        """Bring a card's file to this computer."""

        def work(progress: TransferCallback, cancel: CancelToken) -> str:
            store.download(card, progress=progress, cancel=cancel)
            return ""

        self._start(card, "waiting", work)

    def verify(self, card: ModelCard, store: WeightStore) -> None:
        """Read a card's file through and say whether it is what it should be."""

        def work(progress: TransferCallback, cancel: CancelToken) -> str:
            published = store.state(card).published
            verdict = store.verify(card, progress=progress, cancel=cancel)
            return _verdict(verdict, published)

        self._start(card, "checking", work)

    def remove(self, card: ModelCard, store: WeightStore) -> None:
        """Delete a card's file."""

        def work(progress: TransferCallback, cancel: CancelToken) -> str:
            return f"Removed; {format_size(store.remove(card))} are free again."

        self._start(card, "waiting", work)

    def cancel(self, card: ModelCard) -> None:
        """Stop what is done to a card's file, if anything is."""
        job = self._jobs.get(card.file_key)
        if job is not None:
            job.cancel.cancel()

    def cancel_all(self) -> None:
        """Stop everything."""
        for job in self._jobs.values():
            job.cancel.cancel()

    def of(self, card: ModelCard) -> Transfer | None:
        """How far a card's file is; None if nothing is done to it."""
        job = self._jobs.get(card.file_key)
        return None if job is None else job.transfer

    def words(self, card: ModelCard) -> str:
        """How the last thing that was done to a card's file ended."""
        return self._words.get(card.file_key, "")

    def say(self, card: ModelCard, text: str) -> None:
        """Set these words."""
        self._words[card.file_key] = text
        self.changed.emit()

    def _start(self, card: ModelCard, step: str, work: _Work) -> None:
        key = card.file_key
        if key in self._jobs:
            return
        job = self._jobs[key] = _Job(Transfer(card.title, step))
        self._words.pop(key, None)
        create_worker(
            _run,
            key,
            work,
            job.report,
            cancel=job.cancel,
            _worker_class=Worker,
            _connect={"returned": self._on_returned},
        )
        self._timer.start()
        self.changed.emit()

    def _on_returned(self, outcome: tuple[str, str]) -> None:
        key, text = outcome
        self._jobs.pop(key, None)
        self._words[key] = text
        if not self._jobs:
            self._timer.stop()
        self.changed.emit()
        self.ended.emit(text)


def _run(
    key: str,
    work: _Work,
    report: TransferCallback,
    *,
    cancel: CancelToken,
) -> tuple[str, str]:
    """Runs in the thread, and raises nothing out of it; gives the last words."""
    try:
        return key, work(report, cancel)
    except Cancelled:
        return key, "Cancelled; what has come is kept."
    except StoreError as error:
        return key, str(error)
    except (OSError, ValueError) as error:
        _log.debug("a weight file", exc_info=True)
        return key, str(error)
    except Exception as error:  # noqa: BLE001
        _log.exception("a weight file")
        return key, f"{type(error).__name__}: {error}"


def _verdict(verdict: str, published: bool) -> str:
    held_to = "published" if published else "recorded at its first use"
    return {
        "good": f"Sound: its checksum is the one that was {held_to}.",
        "damaged": f"Damaged: its checksum is not the one that was {held_to}; remove "
        "the file and download it again.",
        "missing": "The file is not there any more.",
        "unverified": "No checksum is published; the file is held to today's from "
        "now on.",
    }[verdict]
