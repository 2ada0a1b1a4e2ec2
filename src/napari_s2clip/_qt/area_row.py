"""The row of the form that says which area of an image is segmented."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from qtpy.compat import isalive
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from ..planes import Window, field_of_view, is_upright, rectangle
from ..planes.geometry import placement
from .layer_combo import ImageCombo
from .scope_rows import below, in_a_row, new_combo

__all__ = ["AreaRow"]


class _ShapesCombo(ImageCombo):
    kind = Shapes
    nothing = "No Shapes layer yet"


class AreaRow(QWidget):
    """The whole image, what is in sight, or a rectangle of a Shapes layer."""

    changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image: Image | None = None
        self._followed: Shapes | None = None
        self.box = new_combo(
            "The part of the image that is segmented; the labels around it stay as "
            "they are.",
            {
                "Whole image": "whole",
                "What is in sight": "sight",
                "Rectangle": "rectangle",
            },
        )
        self.shapes = _ShapesCombo(viewer)
        self.shapes.setToolTip(
            "The Shapes layer with the rectangle: its selected shape, or the last."
        )
        self.shapes.setAccessibleName("Shapes layer")
        self.draw = QPushButton("&Draw")
        self.draw.setToolTip(
            "Add a Shapes layer, ready to draw a rectangle on the image."
        )
        self.draw.clicked.connect(self._draw)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.hide()
        self._second = below(self, self.box)
        in_a_row(self._second, self.shapes).addWidget(self.draw)
        self.setFocusProxy(self.box)
        self.box.currentIndexChanged.connect(self._on_area)
        self.shapes.layer_changed.connect(self._on_shapes)
        column = self.layout()
        assert column is not None
        column.addWidget(self.note)
        self._follow_shapes()

    @property
    def area(self) -> str:
        """``"whole"``, ``"sight"`` or ``"rectangle"``."""
        return str(self.box.currentData())

    def choose(self, area: str) -> None:
        """Choose one of the areas; an unknown one changes nothing."""
        index = self.box.findData(area)
        if index >= 0:
            self.box.setCurrentIndex(index)

    def set_image(self, layer: Image | None) -> None:
        """The image on which rectangles are drawn."""
        self._image = layer
        self._tell()

    def window(self, layer: Image) -> Window | None:
        """The window of an image; None is the whole.

        Raises
        ------
        ValueError
            If there is none; the message says what to do.
        """
        if self.area == "sight":
            return field_of_view(self._viewer, layer)
        if self.area == "rectangle":
            shapes = self.shapes.layer()
            if shapes is None:
                raise ValueError("window: there is no Shapes layer; draw a rectangle")
            return rectangle(self._viewer, shapes, layer)
        return None

    def _on_area(self) -> None:
        self._second.setVisible(self.area == "rectangle")
        self._tell()
        self.changed.emit()

    def _on_shapes(self) -> None:
        self._follow_shapes()
        self.changed.emit()

    def _follow_shapes(self) -> None:
        """Follow the shapes of the chosen layer, and which of them is selected."""
        before, self._followed = self._followed, self.shapes.layer()
        for layer, follow in ((before, False), (self._followed, True)):
            if layer is not None:
                for event in (layer.events.data, layer.events.highlight):
                    if follow:
                        event.connect(self._tell)
                    else:
                        event.disconnect(self._tell)
        self._tell()

    def _tell(self, event: Any = None) -> None:
        """Say so where more than the shape itself is segmented."""
        if not isalive(self):
            return
        image, shapes = self._image, self._followed
        text = ""
        if self.area == "rectangle" and image is not None and shapes is not None:
            with suppress(ValueError):  # no shape yet; a run says so
                if not is_upright(self._viewer, shapes, image):
                    text = "The upright rectangle around the shape is segmented."
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _draw(self) -> None:
        layer = self._image
        if layer is None:
            return
        data = layer.data[0] if layer.multiscale else layer.data
        origin, ones = np.zeros(layer.ndim), np.ones(layer.ndim)
        self._viewer.dims.ndisplay = 2
        shapes = self._viewer.add_shapes(
            ndim=layer.ndim,
            name=f"{layer.name} area",
            edge_color="yellow",
            face_color="transparent",
            edge_width=max(1, max(data.shape[: layer.ndim]) // 250),
            **placement(layer, origin, ones),
        )
        self._viewer.layers.selection.active = shapes
        shapes.mode = "add_rectangle"
        self.shapes.refresh()
        self.shapes.choose(shapes)
