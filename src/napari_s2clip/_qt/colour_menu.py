"""A menu of colours: the safe ones by name, or any other."""

from __future__ import annotations

from qtpy.QtCore import QRectF, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QAction, QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QColorDialog, QMenu, QWidget

from ..classes import SAFE_COLOURS

__all__ = ["ColourMenu", "colour_icon", "paint_swatch"]


class ColourMenu(QMenu):
    """Offers colours for a class; `chosen` gives one as ``"#rrggbb"``, or ""."""

    chosen = Signal(str)

    def __init__(self, current: str, usual: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._current = current
        self.setToolTipsVisible(True)
        for name, colour in SAFE_COLOURS.items():
            self._offer(name.capitalize(), colour, colour)
        self.addSeparator()
        self._offer("Usual colour", usual, "").setToolTip("That of the label value.")
        other = self.addAction("Other colour…")
        other.triggered.connect(self._ask)
        self.dialog: QColorDialog | None = None

    def _offer(self, title: str, shown: str, given: str) -> QAction:
        action = self.addAction(colour_icon(shown), title)
        action.triggered.connect(lambda _=False: self.chosen.emit(given))
        return action

    def _ask(self) -> None:
        parent = self.parentWidget()
        self.dialog = dialog = QColorDialog(QColor(self._current), parent)
        dialog.setWindowTitle("Colour of the class")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(lambda colour: self.chosen.emit(colour.name()))
        dialog.open()


def paint_swatch(
    painter: QPainter, box: QRectF, colour: QColor, text: str = ""
) -> None:
    """Fill a rounded box, with a thin frame that shows on any background."""
    bright = 0.299 * colour.red() + 0.587 * colour.green() + 0.114 * colour.blue()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(128, 128, 128))
    painter.setBrush(colour)
    painter.drawRoundedRect(box, 3, 3)
    painter.setPen(QColor("black" if bright > 128 else "white"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


def colour_icon(colour: str) -> QIcon:
    """A box of a colour, as in the table of classes."""
    pixmap = QPixmap(32, 32)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_swatch(painter, QRectF(1, 1, 30, 30), QColor(colour))
    painter.end()
    return QIcon(pixmap)
