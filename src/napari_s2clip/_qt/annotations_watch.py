"""Notices what changes the annotations of an image, and that the window closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

from napari.layers import Image, Labels
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMainWindow, QWidget

from ..layers import belongs_to

__all__ = ["AnnotationsWatch"]


class AnnotationsWatch(QObject):
    """Follows the Labels layers of one image.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    edited = Signal()
    """Somebody has painted in a layer of the image."""

    listed = Signal(bool)
    """A layer of the image came (True) or went."""

    removing = Signal()
    """Some layer is about to go, and all are still there."""

    closing = Signal()
    """The window closes, and all is still there."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Image | None = None
        self._watched: WeakKeyDictionary[Labels, bool] = WeakKeyDictionary()
        self._window: Callable[[], QMainWindow | None] = lambda: None
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removing.connect(self._on_removing)
        viewer.layers.events.removed.connect(self._on_layers)

    def follow(self, layer: Image | None) -> None:
        """Watch the layers of this image, those that are new too."""
        self._layer = layer
        if layer is None:
            return
        for labels in self.labels_of(layer):
            if labels not in self._watched:
                self._watched[labels] = True
                for event in (labels.events.paint, labels.events.data):
                    event.connect(self._on_edit)

    def labels_of(self, layer: Image) -> list[Labels]:
        """Labels layers that belong to an image, duplicates of them too."""
        return [
            other
            for other in self._viewer.layers
            if isinstance(other, Labels) and belongs_to(other, layer)
        ]

    def follow_window(self, widget: QWidget) -> None:
        """Hear when the window of a widget closes; what is in it is not asked."""
        parent = widget.parentWidget()
        while parent is not None and not isinstance(parent, QMainWindow):
            parent = parent.parentWidget()
        if parent is not None and parent is not self._window():
            # Whoever still has this object must not keep the window.
            self._window = ref(parent)
            parent.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # type: ignore[override]
        """Tell it before the window is gone."""
        if event.type() == QEvent.Type.Close and watched is self._window():
            self.closing.emit()
        return False

    def _on_layers(self, event: Any = None) -> None:
        if not isalive(self) or self._layer is None:
            return
        self.follow(self._layer)
        if isinstance(event.value, Labels) and belongs_to(event.value, self._layer):
            self.listed.emit(event.type == "inserted")

    def _on_removing(self, event: Any = None) -> None:
        if isalive(self):
            self.removing.emit()

    def _on_edit(self, event: Any) -> None:
        if not isalive(self) or self._layer is None:
            return
        if belongs_to(event.source, self._layer):
            self.edited.emit()
