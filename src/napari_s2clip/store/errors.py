"""What can go wrong with weight files: which file, which address, why, what to do."""

from __future__ import annotations

__all__ = [
    "ChecksumMismatch",
    "DownloadFailed",
    "NotEnoughSpace",
    "Offline",
    "StoreError",
]


class StoreError(OSError):
    """Something about a weight file; the message is one line.

    Parameters
    ----------
    file : str
        Which file.
    reason : str
        What happened.
    remedy : str
        What to do next.
    address : str
        Where it was looked for, if anywhere.
    """

    def __init__(self, file: str, reason: str, remedy: str, address: str = "") -> None:
        tried = f" from {address}" if address else ""
        super().__init__(f"{file}{tried}: {reason}; {remedy}")
        self.file = file
        self.reason = reason
        self.remedy = remedy
        self.address = address


class DownloadFailed(StoreError):
    """The server, or the way to it, refused or broke off."""


class ChecksumMismatch(StoreError):
    """The bytes are not those that were published, or recorded."""


class NotEnoughSpace(StoreError):
    """The disk has no room for the file."""


class Offline(StoreError):
    """The network may not be used."""
