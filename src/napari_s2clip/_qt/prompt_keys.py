"""Keys of the page Correct, in the panel and on the canvas."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

__all__ = ["KEYS", "REDO", "UNDO"]

KEYS: Final[Mapping[str, str]] = {
    "commit": "K",
    "undo": "U",
    "redo": "Shift-U",
    "clear": "Q",
    "outside": "N",
    "improve": "G",
    "previous": ",",
    "next": ".",
}
"""By act: as on the page Review where the acts are alike.

None of them is napari's own for the viewer or any kind of layer.
"""

_CTRL: Final = "Meta" if sys.platform == "darwin" else "Control"
UNDO: Final = f"{_CTRL}-Z"
REDO: Final = f"{_CTRL}-Shift-Z"
"""Napari's own for Labels; here of our layers only, while one of them is selected."""
