"""Weight files: where they lie, how they get there, and whether they are sound.

Nothing here opens a network connection unless `WeightStore.download` is called.
"""

from __future__ import annotations

from .errors import (
    ChecksumMismatch,
    DownloadFailed,
    NotEnoughSpace,
    Offline,
    StoreError,
)
from .places import cache_folder, config_folder, is_offline
from .store import CardState, Verdict, WeightStore
from .transfer import Transfer, TransferCallback

__all__ = [
    "CardState",
    "ChecksumMismatch",
    "DownloadFailed",
    "NotEnoughSpace",
    "Offline",
    "StoreError",
    "Transfer",
    "TransferCallback",
    "Verdict",
    "WeightStore",
    "cache_folder",
    "config_folder",
    "is_offline",
]
