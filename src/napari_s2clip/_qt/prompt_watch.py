"""What happens to the viewer and the image while labels are corrected."""

from __future__ import annotations

from typing import Any, Final

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

__all__ = ["ViewWatch"]

_REST_MS: Final = 150
"""A slider that moves is followed when it rests."""


class ViewWatch(QObject):
    """Follows the viewer and one image between `begin` and `end`.

    Parameters
    ----------
    viewer : ViewerModel
    """

    moved = Signal()
    """Another slice, or other axes, are shown and rest."""
    turned = Signal()
    """The view has become one of two dimensions, or of three."""
    repainted = Signal()
    """The image has other pixels."""
    removed = Signal(str)
    """The image was removed; its name. Napari is in the middle of that."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image: Image | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self.moved)

    @property
    def flat(self) -> bool:
        """Whether the view has two dimensions."""
        return bool(self._viewer.dims.ndisplay == 2)

    def begin(self, image: Image) -> None:
        """Follow an image."""
        self.end()
        self._image = image
        self._viewer.layers.events.removed.connect(self._on_removed)
        self._viewer.dims.events.connect(self._on_dims)
        self._viewer.dims.events.ndisplay.connect(self._on_ndisplay)
        image.events.data.connect(self._on_data)

    def end(self) -> None:
        """Follow nothing any longer."""
        image, self._image = self._image, None
        if image is None:
            return
        self._rest.stop()
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.dims.events.disconnect(self._on_dims)
        self._viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)
        image.events.data.disconnect(self._on_data)

    def _on_dims(self, event: Any = None) -> None:
        self._rest.start()

    def _on_ndisplay(self, event: Any = None) -> None:
        self.turned.emit()

    def _on_data(self, event: Any = None) -> None:
        self.repainted.emit()

    def _on_removed(self, event: Any) -> None:
        if event.value is self._image:
            self.removed.emit(event.value.name)
