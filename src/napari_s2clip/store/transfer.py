"""Downloads as the caller sees them: progress, cancel, one clear error.

The bytes come in by a process of its own (`child`), so that cancelling acts at once,
also on a server that says nothing more, and no version of the hub's client matters.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

from ..progress import CancelToken
from .errors import DownloadFailed, NotEnoughSpace, StoreError
from .space import free_space

if TYPE_CHECKING:
    from ..models.cards import ModelCard

__all__ = ["Transfer", "TransferCallback", "transfer"]

_KINDS: Final[dict[str, type[StoreError]]] = {
    kind.__name__: kind for kind in (DownloadFailed, NotEnoughSpace)
}
_POLL = 0.1  # seconds
_WINDOW = 10.0  # seconds of which the rate is the mean
_MARGIN = 100 * 1000**2  # bytes to leave free


@dataclass(frozen=True)
class Transfer:
    """How far a download, or a check, is.

    Attributes
    ----------
    card : str
        Title of the model.
    step : str
        ``"waiting"``, ``"downloading"`` or ``"checking"``.
    done, total : int
        Bytes; ``total`` is 0 while it is not known.
    rate : float
        Bytes per second of late; 0 while it is not known.
    message : str
        Why it waits, if it does.
    """

    card: str
    step: str
    done: int = 0
    total: int = 0
    rate: float = 0.0
    message: str = ""

    @property
    def seconds_left(self) -> float | None:
        """None while it is not known."""
        if not (self.rate and self.total):
            return None
        return max(0, self.total - self.done) / self.rate


TransferCallback: TypeAlias = Callable[[Transfer], None]


class _Meter:
    """Bytes per second over the last moments."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def rate(self, done: int) -> float:
        now = time.monotonic()
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return max(0, last - first) / (end - start) if end > start else 0.0


def transfer(
    card: ModelCard,
    target: Path,
    *,
    progress: TransferCallback | None = None,
    cancel: CancelToken | None = None,
    pause: float = 1.0,
) -> tuple[Path, str]:
    """Bring the bytes of a card's file to this computer.

    Parameters
    ----------
    card : ModelCard
    target : Path
        The file to be (the bytes come beside it), or the hub's cache folder for a card
        with a repository.
    progress : callable, optional
    cancel : CancelToken, optional
    pause : float
        Seconds before the second attempt; doubled for each further one.

    Returns
    -------
    path : Path
    sha256 : str
        What the server says of the file; empty if it says nothing.

    Raises
    ------
    StoreError
    Cancelled
        What has come so far is kept, and the next download goes on from there.
    """
    cancel = cancel or CancelToken()
    meter, total, done = _Meter(), card.about_size, 0
    with _child(_job(card, target, pause)) as (process, lines):
        while True:
            cancel.raise_if_cancelled()
            try:
                line = lines.get(timeout=_POLL)
            except queue.Empty:
                continue
            if line is None:
                process.wait()
                raise DownloadFailed(
                    card.filename,
                    f"the download ended without a word (exit code "
                    f"{process.returncode}; {_last_words(process)})",
                    "try again, it goes on from where it was",
                    card.source,
                )
            event = _parse(line)
            kind = event.get("event")
            if kind == "size":
                total = int(event["total"]) or total
                _check_space(card, target, total - done)
            elif kind == "bytes":
                done = int(event["done"])
            elif kind == "error":
                raise _error(event)
            elif kind == "done":
                return Path(event["path"]), str(event["sha256"])
            if progress is not None and kind in {"size", "bytes", "wait"}:
                waits = kind == "wait"
                progress(
                    Transfer(
                        card.title,
                        "waiting" if waits else "downloading",
                        done,
                        total,
                        meter.rate(done),
                        f"{event['reason']}; again in {event['seconds']:.0f} s"
                        if waits
                        else "",
                    )
                )


def _job(card: ModelCard, target: Path, pause: float) -> dict[str, Any]:
    job: dict[str, Any] = {"target": str(target), "pause": pause}
    if card.url:
        return job | {"kind": "https", "url": card.url, "size": card.size}
    return job | {
        "kind": "hub",
        "repository": card.repository,
        "filename": card.filename,
        "companions": card.companions,
    }


def _check_space(card: ModelCard, target: Path, needed: int) -> None:
    free = free_space(target)
    if free < needed + _MARGIN:
        raise NotEnoughSpace(
            card.filename,
            f"it needs {needed / 1e9:.2f} GB and the disk of {target} has "
            f"{free / 1e9:.2f} GB left",
            "free some space, or choose another folder in NAPARI_S2CLIP_CACHE",
        )


def _error(event: dict[str, Any]) -> StoreError:
    kind = _KINDS.get(event["kind"], DownloadFailed)
    return kind(event["file"], event["reason"], event["remedy"], event["address"])


def _parse(line: str) -> dict[str, Any]:
    """An event; empty for what a library printed."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def _child(
    job: dict[str, Any],
) -> Iterator[tuple[subprocess.Popen[str], queue.Queue[str | None]]]:
    """A process that works on a job, and the lines that it writes; None ends them."""
    quiet = {
        # Its own bars would be written where nobody looks; its other way of transfer
        # cannot go on where it broke off.
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**quiet, **os.environ, "PYTHONIOENCODING": "utf-8"},
        # No black window beside napari's.
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    words: list[str] = []
    process.words = words  # type: ignore[attr-defined]
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    drain = threading.Thread(target=_keep, args=(process.stderr, words), daemon=True)
    reader.start()
    drain.start()
    try:
        with contextlib.suppress(OSError):
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reader.join()
        drain.join()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                stream.close()


def _read(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _keep(stream: IO[str], words: list[str]) -> None:
    for line in stream:
        words[:] = [*words[-20:], line.strip()]


def _last_words(process: subprocess.Popen[str]) -> str:
    words: list[str] = getattr(process, "words", [])
    return next((word for word in reversed(words) if word), "it said nothing")
