"""One download of a file at a time, whichever program asks for it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from .errors import StoreError
from .transfer import Transfer, TransferCallback

if TYPE_CHECKING:
    from ..models.cards import ModelCard
    from ..progress import CancelToken

__all__ = ["download_lock"]

_POLL = 0.2  # seconds


@contextlib.contextmanager
def download_lock(
    folder: Path,
    key: str,
    card: ModelCard,
    progress: TransferCallback | None,
    cancel: CancelToken,
) -> Iterator[None]:
    """Wait until no other program downloads the file; none can while this lasts.

    The system frees the lock of a program that dies.

    Parameters
    ----------
    folder : Path
        Of the store.
    key : str
        Of the file: models that share it wait for each other.
    card : ModelCard
        Named in reports and errors.
    progress : callable or None
        Called with a `Transfer` while it waits.
    cancel : CancelToken

    Raises
    ------
    StoreError
        If the folder cannot be written to.
    Cancelled
    """
    locks = folder / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            card.filename,
            f"{folder} cannot be written to ({error.strerror or error})",
            "choose another folder in NAPARI_S2CLIP_CACHE",
        ) from error
    lock = FileLock(locks / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.lock")
    while True:
        cancel.raise_if_cancelled()
        try:
            lock.acquire(timeout=_POLL)
            break
        except Timeout:
            if progress is not None:
                reason = "another program downloads it"
                progress(Transfer(card.title, "waiting", message=reason))
    try:
        yield
    finally:
        lock.release()
