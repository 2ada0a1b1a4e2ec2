"""Rows of the form that says which part of an image is segmented."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..planes import Channels
from ..tiles import SMALLEST, Tiling

__all__ = [
    "AxisRow",
    "ChannelRow",
    "TileRow",
    "below",
    "heading",
    "in_a_row",
    "new_combo",
]


def new_combo(tip: str, items: dict[str, Any]) -> QComboBox:
    """A combo box that never widens the dock."""
    box = QComboBox()
    box.setMinimumWidth(40)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    for text, value in items.items():
        box.addItem(text, value)
    box.setToolTip(tip)
    return box


def heading(name: str) -> str:
    """What `axis_name` gives, before a control: ``Axis z``, ``First axis``."""
    words = name.removeprefix("the ")
    return f"{words[0].upper()}{words[1:]}"


def _new_spin(tip: str, name: str, low: int, high: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setToolTip(tip)
    box.setAccessibleName(name)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box


def in_a_row(parent: QWidget, *widgets: QWidget) -> QHBoxLayout:
    """Lay widgets beside each other, equally wide."""
    layout = QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, 1)
    return layout


def below(row: QWidget, box: QComboBox) -> QWidget:
    """A second line for a row whose first one is a box; it is hidden."""
    second = QWidget()
    layout = QVBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(box)
    layout.addWidget(second)
    second.hide()
    return second


class AxisRow(QWidget):
    """Which slices along an axis: the current one, all, or a range."""

    changed = Signal()

    def __init__(
        self, axis: int, name: str, count: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.axis, self.name, self.count = axis, name, count
        self.box = new_combo(
            f"Which of the {count} slices along {name} are segmented.",
            {"Current": "current", f"All {count}": "all", "Range": "range"},
        )
        tip = f"slice along {name}, from 0 to {count - 1}; it is segmented too."
        self.first = _new_spin(f"First {tip}", f"First of {name}", 0, count - 1)
        self.last = _new_spin(f"Last {tip}", f"Last of {name}", 0, count - 1)
        self.last.setValue(count - 1)
        self._second = below(self, self.box)
        in_a_row(self._second, self.first, self.last)
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
        self._second = below(self, self.box)
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
            self.box.addItem(f"{heading(name)} ({count})", axis)
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
        in_a_row(self, self.tile)
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
