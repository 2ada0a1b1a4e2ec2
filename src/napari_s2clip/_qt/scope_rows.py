"""Rows of the form that says which part of an image is segmented."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..planes import Channels, Window, field_of_view, rectangle
from ..planes.geometry import placement
from ..tiles import SMALLEST, Tiling
from .layer_combo import ImageCombo

__all__ = ["AreaRow", "AxisRow", "ChannelRow", "TileRow", "new_combo"]


def new_combo(tip: str, items: dict[str, Any]) -> QComboBox:
    """A combo box that never widens the dock."""
    box = QComboBox()
    box.setMinimumWidth(40)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    for text, value in items.items():
        box.addItem(text, value)
    box.setToolTip(tip)
    return box


def _new_spin(tip: str, name: str, low: int, high: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setToolTip(tip)
    box.setAccessibleName(name)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box


def _in_a_row(parent: QWidget, *widgets: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, 1)
    return layout


def _below(row: QWidget, box: QComboBox) -> QWidget:
    """A second line for a row whose first one is a box; it is hidden."""
    second = QWidget()
    layout = QVBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(box)
    layout.addWidget(second)
    second.hide()
    return second


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
        self._second = _below(self, self.box)
        _in_a_row(self._second, self.shapes).addWidget(self.draw)
        self.setFocusProxy(self.box)
        self.box.currentIndexChanged.connect(self._on_area)
        self.shapes.layer_changed.connect(self.changed)

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
        self.changed.emit()

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


class AxisRow(QWidget):
    """Which slices along an axis: the current one, all, or a range."""

    changed = Signal()

    def __init__(
        self, axis: int, name: str, count: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.axis, self.name, self.count = axis, name, count
        self.box = new_combo(
            f"Which of the {count} slices along axis {name} are segmented.",
            {"Current": "current", f"All {count}": "all", "Range": "range"},
        )
        tip = f"slice along axis {name}, from 0 to {count - 1}; it is segmented too."
        self.first = _new_spin(f"First {tip}", f"First of {name}", 0, count - 1)
        self.last = _new_spin(f"Last {tip}", f"Last of {name}", 0, count - 1)
        self.last.setValue(count - 1)
        self._second = _below(self, self.box)
        _in_a_row(self._second, self.first, self.last)
        self.setFocusProxy(self.box)
        self.box.currentIndexChanged.connect(self._on_mode)
        self.first.valueChanged.connect(self.last.setMinimum)
        for spin, prefix in ((self.first, ""), (self.last, "to ")):
            spin.setPrefix(prefix)
            spin.valueChanged.connect(self.changed)

    @property
    def range(self) -> tuple[int, int, int] | None:
        """Axis, first and last slice; None for the current one."""
        mode = self.box.currentData()
        if mode == "current":
            return None
        if mode == "all":
            return self.axis, 0, self.count - 1
        return self.axis, self.first.value(), self.last.value()

    def _on_mode(self) -> None:
        self._second.setVisible(self.box.currentData() == "range")
        self.changed.emit()


_COLOURS = ("Red", "Green", "Blue")


class ChannelRow(QWidget):
    """An axis of channels, and which of them are red, green and blue."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = new_combo(
            "The axis with the channels, if there is one; the labels do not have it.",
            {},
        )
        self.colours = [
            new_combo(
                f"The channel that becomes {name}; three times the same is grey.", {}
            )
            for name in ("red", "green", "blue")
        ]
        for box, name in zip(self.colours, _COLOURS, strict=True):
            box.setAccessibleName(f"{name} channel")
            box.setMinimumWidth(60)  # two digits
        self._second = _below(self, self.box)
        grid = QGridLayout(self._second)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, box in enumerate(self.colours):
            title = QLabel(_COLOURS[column])
            title.setBuddy(box)
            grid.addWidget(title, 0, column)
            grid.addWidget(box, 1, column)
            grid.setColumnStretch(column, 1)
        self.setFocusProxy(self.box)
        self._counts: dict[int, int] = {}
        self.box.currentIndexChanged.connect(self._on_axis)
        for box in self.colours:
            box.currentIndexChanged.connect(self.changed)

    @property
    def channels(self) -> Channels | None:
        """What is chosen."""
        axis = self.box.currentData()
        if axis is None:
            return None
        return Channels(axis, *(box.currentIndex() for box in self.colours))

    def offer(self, axes: dict[int, tuple[str, int]]) -> None:
        """Offer axes with their names and lengths; the choice stays if it can."""
        before = self.box.currentData()
        self._counts = {axis: count for axis, (_, count) in axes.items()}
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItem("None", None)
        for axis, (name, count) in axes.items():
            self.box.addItem(f"Axis {name} ({count})", axis)
        self.box.setCurrentIndex(max(0, self.box.findData(before)))
        self.box.blockSignals(False)
        self._fill()

    def _on_axis(self) -> None:
        self._fill()
        self.changed.emit()

    def _fill(self) -> None:
        axis = self.box.currentData()
        count = self._counts.get(axis, 0)
        for i, box in enumerate(self.colours):
            if box.count() != count:
                box.blockSignals(True)
                box.clear()
                box.addItems([str(channel) for channel in range(count)])
                box.setCurrentIndex(min(i, count - 1))
                box.blockSignals(False)
        self._second.setVisible(axis is not None)


class TileRow(QWidget):
    """Sides of the tiles; `overlap`, what they have in common, is a row of its own."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        usual = Tiling()
        self.tile = _new_spin(
            "Larger planes are cut into tiles with sides of so many pixels, which the "
            "models\nsee one by one. Large tiles need memory.",
            "Sides of the tiles",
            SMALLEST,
            8192,
        )
        self.tile.setSingleStep(128)
        self.overlap = _new_spin(
            "Pixels that neighbouring tiles have in common, so that no seam is seen.",
            "Overlap of the tiles",
            0,
            usual.tile // 2,
        )
        self.overlap.setSingleStep(32)
        for spin in (self.tile, self.overlap):
            spin.setSuffix(" px")
            spin.setKeyboardTracking(False)
        _in_a_row(self, self.tile)
        self.setFocusProxy(self.tile)
        self.tile.valueChanged.connect(self._on_tile)
        self.choose(usual)
        for spin in (self.tile, self.overlap):
            spin.valueChanged.connect(self.changed)

    @property
    def tiling(self) -> Tiling:
        """What is chosen."""
        return Tiling(self.tile.value(), self.overlap.value())

    def choose(self, tiling: Tiling) -> None:
        """Choose both."""
        self.tile.setValue(tiling.tile)
        self.overlap.setValue(tiling.overlap)

    def _on_tile(self, tile: int) -> None:
        self.overlap.setMaximum(tile // 2)
