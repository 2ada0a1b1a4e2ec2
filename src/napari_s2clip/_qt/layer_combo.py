"""A list of the viewer's images that stays fresh."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from ..layers import is_ours

__all__ = ["ImageCombo"]


class ImageCombo(QComboBox):
    """Choose one of the Image layers of a viewer.

    The choice is a layer, not a name: renaming and reordering do not change it.
    """

    layer_changed = Signal()

    kind: type[Layer] = Image
    nothing = "Open an image first"

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Image] = []
        # A long name must not widen the dock.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.currentIndexChanged.connect(self._on_index)
        self.refresh()

    def layer(self) -> Image | None:
        """The chosen layer, if there is one."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def offers(self, layer: Layer) -> bool:
        """Whether a layer is one to choose."""
        # Probabilities that a run has added are no image to segment.
        return isinstance(layer, self.kind) and not is_ours(layer)

    def choose(self, layer: Layer | None) -> None:
        """Choose a layer of the list; others change nothing."""
        if layer in self._layers:
            self.setCurrentIndex(self._layers.index(layer))

    def refresh(self) -> None:
        """Follow the viewer; the choice stays while its layer is there."""
        before = self.layer()
        # The newest image is on top of the layer list, and here.
        layers = [
            layer for layer in reversed(self._viewer.layers) if self.offers(layer)
        ]
        self.blockSignals(True)
        self.clear()
        self._layers = layers
        self.addItems([layer.name for layer in layers] or [self.nothing])
        if before in layers:
            self.setCurrentIndex(layers.index(before))
        self.setEnabled(bool(layers))
        self.blockSignals(False)
        self.setToolTip(self.currentText())
        if self.layer() is not before:
            self.layer_changed.emit()

    def _on_index(self) -> None:
        self.setToolTip(self.currentText())
        self.layer_changed.emit()
