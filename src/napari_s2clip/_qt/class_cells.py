"""The cells of the table of classes: how they are drawn and written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QModelIndex, QRectF, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence, QPainter
from qtpy.QtWidgets import (
    QApplication,
    QDoubleSpinBox,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ..class_table import many
from .class_model import Column
from .colour_menu import paint_swatch

if TYPE_CHECKING:
    from .class_view import ClassView

__all__ = ["ClassCells", "clipboard_text"]


class ClassCells(QStyledItemDelegate):
    """Draws the colours, and makes the editors."""

    def __init__(self, view: ClassView) -> None:
        super().__init__(view)
        self._view = view

    def createEditor(  # type: ignore[override]
        self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex
    ) -> QWidget:
        """A line for words, a number for a threshold."""
        editor: QWidget
        if index.column() == Column.THRESHOLD:
            editor = box = QDoubleSpinBox(parent)
            box.setRange(0, 1)
            box.setSingleStep(0.05)
            box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        else:
            editor = line = _Line(parent)
            line.many_pasted.append(self._view.paste_from_editor)
        editor.setObjectName("class_editor")
        # napari's own margins would cut off what is written in so low a row.
        editor.setStyleSheet("#class_editor { padding: 0px; margin: 0px; }")
        self._view.editor = editor
        return editor

    def destroyEditor(self, editor: QWidget, index: QModelIndex) -> None:
        """Forget it."""
        if self._view.editor is editor:
            self._view.editor = None
        super().destroyEditor(editor, index)

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """The row that adds a class is in italics."""
        super().initStyleOption(option, index)
        if index.row() == self._view.classes.count:
            option.font.setItalic(True)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw a cell; the first one is a swatch with the label value."""
        colour = index.data(Qt.ItemDataRole.DecorationRole)
        if index.column() != Column.COLOUR or colour is None:
            super().paint(painter, option, index)
        else:
            box = QRectF(option.rect).adjusted(3, 2, -3, -2)
            paint_swatch(painter, box, colour, str(index.data()))
        if self._view.is_current(index):
            # The theme shows the selected rows, not the cell that keys act on.
            painter.setPen(self._view.hint.palette().windowText().color())
            painter.drawRect(QRectF(option.rect).adjusted(0.5, 0.5, -1, -1))


class _Line(QLineEdit):
    """Hands a text of many names on, instead of making one name of them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrame(False)
        self.many_pasted: list[Callable[[str], None]] = []

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take many names from the clipboard at once."""
        if event.matches(QKeySequence.StandardKey.Paste):
            text = clipboard_text()
            if many(text):
                for hand_on in self.many_pasted:
                    hand_on(text)
                return
        super().keyPressEvent(event)


def clipboard_text() -> str:
    """What the clipboard holds as text."""
    clipboard = QApplication.clipboard()
    return "" if clipboard is None else clipboard.text()
