"""What the mouse does on the layers of prompts: clicks, and boxes that are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from .prompt_plane import PlaneMap

__all__ = ["PromptMouse"]

_STILL: Final = 4
"""A press that moves no further than so many pixels of the screen is a click."""


class PromptMouse(QObject):
    """Tells presses on layers as prompts, in pixels of the plane.

    A click is a positive prompt, one with Ctrl or Cmd or of the right button a negative
    one, and dragging with Shift a box; dragging alone pans, as everywhere.

    Parameters
    ----------
    viewer : ViewerModel
    places : PlaneMap
    """

    clicked = Signal(float, float, bool)
    """x, y, and whether it is positive."""
    dragged = Signal(float, float, float, float)
    """Two corners of a box that is not finished."""
    boxed = Signal(float, float, float, float)
    elsewhere = Signal()
    """A click in another slice than the plane."""

    def __init__(
        self, viewer: Any, places: PlaneMap, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._places = places

    def press(self, layer: Layer, event: Any) -> Iterator[None]:
        """A callback for `Layer.mouse_drag_callbacks`."""
        if self._viewer.dims.ndisplay != 2 or event.button not in (1, 2):
            return
        pressed, button, modifiers = event.position, event.button, set(event.modifiers)
        start = np.array(event.pos)
        box = button == 1 and "Shift" in modifiers
        if box:
            layer.mouse_pan = False
        try:
            yield
            moved = False
            while event.type == "mouse_move":
                moved = moved or bool(
                    np.abs(np.array(event.pos) - start).max() > _STILL
                )
                if box and moved:
                    self._drag(pressed, event.position)
                yield
        finally:
            layer.mouse_pan = True
        # Released.
        first, last = self._places.at(pressed), self._places.at(event.position)
        if first is None or last is None:
            self.elsewhere.emit()
        elif box and moved:
            self.boxed.emit(*first, *last)
        elif not moved and not modifiers - {"Control", "Meta"}:
            negative = button == 2 or bool(modifiers)
            self.clicked.emit(*first, not negative)

    def _drag(self, pressed: Any, position: Any) -> None:
        first, last = self._places.at(pressed), self._places.at(position)
        if first is not None and last is not None:
            self.dragged.emit(*first, *last)
