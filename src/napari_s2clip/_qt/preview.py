"""A picture of what the models see, read in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.qt.threading import create_worker
from numpy.typing import NDArray
from qtpy.compat import isalive
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from ..planes import Target
from ..tiles import Tiling

__all__ = ["Picture", "PreviewDialog", "read_picture"]

_SIDE = 480
"""Longest side of the picture, in px of the screen."""

_WHOLE = 1 << 22
"""Pixels of a plane that is shown whole."""


@dataclass(frozen=True)
class Picture:
    """What is shown.

    Attributes
    ----------
    pixels : ndarray of uint8, (H, W, 3)
    text : str
    """

    pixels: NDArray[np.uint8]
    text: str


def read_picture(target: Target, tiling: Tiling) -> Picture:
    """The first plane of a target, or of a large one its first tile."""
    plane = target.planes[0]
    height, width = plane.shape
    if height * width <= _WHOLE:
        image, what = plane.tile(), f"{width} × {height} px"
    else:
        tile = tiling.tiles(plane.shape)[0]
        image = plane.tile(tile.rows, tile.columns)
        down, across = image.pixels.shape[:2]
        what = f"The first tile, {across} × {down} px, of {width} × {height} px"
    if len(target.planes) > 1:
        what += f", the first of {len(target.planes)} slices"
    if target.level:
        what += f", level {target.level} of the pyramid"
    notes = (what, *image.notes)
    text = "\n".join(f"{note[0].upper()}{note[1:]}." for note in notes)
    step = max(1, max(image.pixels.shape) // (2 * _SIDE))
    return Picture(np.ascontiguousarray(image.pixels[::step, ::step]), text)


def _read(target: Target, tiling: Tiling) -> Picture | str:
    """Runs in the thread; a text is what went wrong."""
    try:
        return read_picture(target, tiling)
    except Exception as error:  # noqa: BLE001
        # Data of any kind may be read here.
        return str(error) or type(error).__name__


class PreviewDialog(QDialog):
    """Shows a picture as soon as it is read."""

    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("What the models see")
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setAccessibleName("Picture that the models see")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.text)
        layout.addWidget(buttons)
        self._wanted = 0

    def read(self, target: Target, tiling: Tiling) -> None:
        """Read a picture in a thread; the one that was asked for last is shown."""
        self._wanted += 1
        number = self._wanted
        self.text.setText("Reading the image…")

        def returned(found: Picture | str) -> None:
            # The window may have been closed, or another picture been asked for.
            if isalive(self) and number == self._wanted:
                self._show(found)

        create_worker(_read, target, tiling, _connect={"returned": returned})

    def _show(self, found: Any) -> None:
        if isinstance(found, str):
            self.picture.clear()
            self.text.setText(found)
        else:
            height, width = found.pixels.shape[:2]
            image = QImage(
                found.pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888
            )
            ratio = self.devicePixelRatioF()
            pixmap = QPixmap.fromImage(image).scaled(
                round(_SIDE * ratio),
                round(_SIDE * ratio),
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            pixmap.setDevicePixelRatio(ratio)
            self.picture.setPixmap(pixmap)
            self.text.setText(found.text)
        self.adjustSize()
        self.shown.emit()
