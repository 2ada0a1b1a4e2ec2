"""Keys of the review, in the panel and on the canvas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["KEYS"]

KEYS: Final[Mapping[str, str]] = {
    "accept": "K",
    "reject": "N",
    "reassign": "J",
    "coarse": "Q",
    "refined": "W",
    "undo": "U",
    "redo": "Shift-U",
    "next": "G",
}
"""By act: keep, no, join, and two neighbours on the keyboard for the shapes.

None of them is napari's own for the viewer or any kind of layer.
"""
