"""Versions of the libraries whose numbers a result depends on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["library_versions"]

_LIBRARIES = ("torch", "open_clip_torch", "timm", "segment-anything", "numpy")


def library_versions() -> dict[str, str]:
    """Versions by distribution; ``"unknown"`` where none is recorded."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
