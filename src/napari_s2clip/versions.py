"""Versions of the libraries whose numbers a result depends on."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

__all__ = ["library_versions"]

_LIBRARIES = ("torch", "open_clip_torch", "timm", "segment-anything", "numpy")


def library_versions() -> dict[str, str]:
    """Versions by distribution; ``"unknown"`` where none is recorded."""
    return {name: _version(name) for name in _LIBRARIES}


@cache  # reading metadata takes longer than some results
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
