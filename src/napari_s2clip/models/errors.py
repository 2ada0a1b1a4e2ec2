"""Errors about models."""

from __future__ import annotations

__all__ = ["WeightsNotFound"]


class WeightsNotFound(FileNotFoundError):
    """A weight file is not on this computer; the message says where to get it."""
