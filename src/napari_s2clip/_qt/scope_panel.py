"""Which part of an image is segmented, and how it becomes a picture."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from napari.layers import Image
from napari.utils.notifications import show_error
from qtpy.compat import isalive
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFormLayout, QPushButton, QWidget

from ..planes import Scope, take_target
from ..planes.geometry import axis_name, shown_axes
from ..tiles import SMALLEST, Tiling
from .area_row import AreaRow
from .control_names import in_the_dock
from .preview import PreviewDialog
from .scope_rows import AxisRow, ChannelRow, TileRow, heading, new_combo

__all__ = ["ScopePanel"]


class ScopePanel(QWidget):
    """Area, slices, level, channels, contrast and tiles of the chosen image.

    Rows that do not apply to the image are hidden. Follows the viewer: which axes are
    hidden, and which Shapes layers there are.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Image | None = None
        self._known: tuple[Any, ...] = ()
        self.area = AreaRow(viewer)
        self.axes: list[AxisRow] = []
        self.level = new_combo(
            "The level of the pyramid that is segmented, and that the labels have.", {}
        )
        self.channels = ChannelRow()
        self.contrast = new_combo(
            "What becomes black and white for the models: the contrast limits of the "
            "layer,\nor the 1st and 99.8th percentile of each slice and channel.",
            {"As shown": "shown", "Percentiles": "percentile"},
        )
        self.tiles = TileRow()
        self.preview = QPushButton("Preview")
        self.preview.setToolTip("Show a picture of what the models see.")
        self.preview.clicked.connect(self._preview)
        self.dialog: PreviewDialog | None = None
        self._lay_out()

        for row in (self.area, self.channels, self.tiles):
            row.changed.connect(self.changed)
        self.channels.changed.connect(self._show_axes)
        for box in (self.level, self.contrast):
            box.currentIndexChanged.connect(self.changed)
        for event in (
            *(viewer.dims.events.order, viewer.dims.events.ndisplay),
            *(viewer.layers.events.inserted, viewer.layers.events.removed),
        ):
            event.connect(self._on_viewer)
        self.set_layer(None)

    def _lay_out(self) -> None:
        self._form = form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        # In a narrow dock the label is above what has no room beside it.
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for text, field in (
            ("&Area", self.area),
            ("Lev&el", self.level),
            ("Cha&nnels", self.channels),
            ("&Contrast", self.contrast),
            ("&Tiles", self.tiles),
            ("&Overlap", self.tiles.overlap),
        ):
            form.addRow(text, field)
        form.addRow(self.preview)

    @property
    def tiling(self) -> Tiling:
        """How planes are cut."""
        return self.tiles.tiling

    def scope(self, viewer: Any, layer: Image) -> Scope:
        """What is chosen for an image.

        Raises
        ------
        ValueError
            If there is no such part of it; one line that says what to do.
        """
        if layer is not self._layer:
            self.set_layer(layer)
        self._follow()
        ranges = [row.range for row in self.axes if not self._is_channel(row)]
        return Scope(
            ranges=tuple(chosen for chosen in ranges if chosen is not None),
            window=self.area.window(layer),
            level=self.level.currentData() if layer.multiscale else None,
            channels=self.channels.channels,
            contrast=self.contrast.currentData(),
        )

    def set_layer(self, layer: Image | None) -> None:
        """Show the rows of an image; what was chosen for another one is forgotten."""
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_viewer)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._on_viewer)
        self._known = ()
        self.area.set_image(layer)
        self.area.shapes.refresh()
        self.channels.offer({})
        self._follow()
        self.changed.emit()

    def state(self) -> dict[str, Any]:
        """What does not depend on the image, as plain data."""
        tiling = self.tiling
        return {
            "area": self.area.area,
            "contrast": self.contrast.currentData(),
            "tile": tiling.tile,
            "overlap": tiling.overlap,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Choose what `state` gave; what is missing or unknown changes nothing."""
        self.area.choose(str(state.get("area")))
        index = self.contrast.findData(state.get("contrast"))
        if index >= 0:
            self.contrast.setCurrentIndex(index)
        now = self.tiling
        try:
            tiling = Tiling(
                int(state.get("tile", now.tile)), int(state.get("overlap", now.overlap))
            )
        except (TypeError, ValueError):
            return
        self.tiles.choose(tiling)

    def _on_viewer(self, event: Any = None) -> None:
        # napari keeps no list of whom it tells, and may outlive the widget.
        if isalive(self):
            self.area.shapes.refresh()
            self._follow()

    def _follow(self) -> None:
        """Show the rows that the image has now, if that has changed."""
        layer = self._layer
        levels = self._level_shapes()
        hidden: dict[int, tuple[str, int]] = {}
        if layer is not None:
            shown = shown_axes(self._viewer, layer.ndim)
            hidden = {
                axis: (axis_name(layer, axis), int(levels[0][axis]))
                for axis in range(layer.ndim)
                if axis not in shown and levels[0][axis] > 1
            }
        known = (id(layer), tuple(levels), tuple(hidden.items()))
        if known == self._known:
            return
        self._known = known
        self._offer_axes(hidden)
        self._offer_levels(levels)
        self.channels.offer({} if layer is None or layer.rgb else hidden)
        self._show_axes()
        self._form.setRowVisible(self.level, len(levels) > 1)
        self._form.setRowVisible(
            self.channels, layer is not None and not layer.rgb and bool(hidden)
        )
        sides = max(levels[0][a] for a in shown) if layer is not None else 0
        for field in (self.tiles, self.tiles.overlap):
            self._form.setRowVisible(field, sides > SMALLEST)
        self.setEnabled(layer is not None)

    def _level_shapes(self) -> list[tuple[int, ...]]:
        if self._layer is None:
            return []
        layer = self._layer
        levels = layer.data if layer.multiscale else [layer.data]
        return [tuple(level.shape[: layer.ndim]) for level in levels]

    def _offer_axes(self, hidden: dict[int, tuple[str, int]]) -> None:
        for row in self.axes:
            self._form.removeRow(row)
        self.axes = [AxisRow(axis, *what) for axis, what in hidden.items()]
        for number, row in enumerate(self.axes, 1):
            self._form.insertRow(number, heading(row.name), row)
            row.changed.connect(self.changed)
        boxes = [
            *(self.area.box, self.area.shapes, self.area.draw),
            *(box for row in self.axes for box in (row.box, row.first, row.last)),
            self.level,
        ]
        for one, other in pairwise(boxes):
            QWidget.setTabOrder(one, other)

    def _offer_levels(self, levels: list[tuple[int, ...]]) -> None:
        self.level.blockSignals(True)
        self.level.clear()
        self.level.addItem("Automatic", None)
        if self._layer is not None:
            rows, columns = shown_axes(self._viewer, self._layer.ndim)
            for number, shape in enumerate(levels):
                text = f"{number}: {shape[columns]} × {shape[rows]} px"
                self.level.addItem(text, number)
        self.level.blockSignals(False)

    def _is_channel(self, row: AxisRow) -> bool:
        channels = self.channels.channels
        return channels is not None and row.axis == channels.axis

    def _show_axes(self) -> None:
        """The axis with the channels has no slices."""
        for row in self.axes:
            self._form.setRowVisible(row, not self._is_channel(row))

    def _preview(self) -> None:
        layer = self._layer
        if layer is None:
            return
        try:
            target = take_target(self._viewer, layer, self.scope(self._viewer, layer))
        except ValueError as error:
            show_error(in_the_dock(str(error)))
            return
        if self.dialog is None:
            self.dialog = PreviewDialog(self)
        self.dialog.read(target, self.tiling)
        self.dialog.show()
        self.dialog.raise_()
