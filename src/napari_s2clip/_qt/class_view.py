"""The table of classes under the user's hands: keys, clicks, drags, editors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QModelIndex, Qt, QTimer
from qtpy.QtGui import QDropEvent, QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemDelegate,
    QApplication,
    QWidget,
)

from ..class_table import shown_colour
from ..classes import default_colour
from .class_cells import ClassCells, clipboard_text
from .class_grid import ClassGrid
from .class_model import ClassModel, Column
from .colour_menu import ColourMenu

__all__ = ["ClassView"]

_Key = Qt.Key
_Standard = QKeySequence.StandardKey
_Hint = QAbstractItemDelegate.EndEditHint


class ClassView(ClassGrid):
    """Classes in a table that is written like a list: name, Enter, next name, Enter."""

    def __init__(self, model: ClassModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.editor: QWidget | None = None
        self.menu: ColourMenu | None = None
        self._added = False
        self.setItemDelegate(ClassCells(self))
        self.clicked.connect(self._on_click)

    def is_current(self, index: QModelIndex) -> bool:
        """Whether the keys act on a cell."""
        return self.hasFocus() and self.currentIndex() == index

    def chosen_rows(self) -> list[int]:
        """Selected rows that hold a class."""
        rows = {index.row() for index in self.selectionModel().selectedRows()}
        return sorted(row for row in rows if row < self.classes.count)

    def start_new(self) -> None:
        """Write in the row that adds a class."""
        index = self.classes.index(self.classes.count, Column.NAME)
        if self.editor is not None and self.currentIndex() == index:
            self.editor.setFocus()
            return
        self.setFocus()
        self.setCurrentIndex(index)
        self.scrollTo(index)
        self.edit(index)

    def remove_chosen(self) -> None:
        """Remove the selected classes."""
        rows = self.chosen_rows()
        if rows:
            self.classes.apply(lambda: self.classes.table.remove(rows))
            self._select(range(rows[0], rows[0] + 1))

    def move_chosen(self, step: int) -> None:
        """Move the selected classes up (-1) or down (1)."""
        rows = self.chosen_rows()
        if not rows:
            return
        to = rows[0] - 1 if step < 0 else rows[-1] + 2
        self._move(rows, min(max(to, 0), self.classes.count))

    def _move(self, rows: list[int], to: int) -> None:
        column = self.currentIndex().column()
        self._select(
            self.classes.apply(lambda: self.classes.table.move(rows, to)), column
        )

    def _select(self, rows: range, column: int = Column.NAME) -> None:
        last = self.classes.count
        if not last or not rows:
            return
        chosen = self.selectionModel()
        Flag = type(chosen).SelectionFlag
        here = self.classes.index(min(rows[0], last - 1), max(column, 0))
        chosen.setCurrentIndex(here, Flag.ClearAndSelect | Flag.Rows)
        for row in rows[1:]:
            index = self.classes.index(row, 0)
            chosen.select(index, Flag.Select | Flag.Rows)
        self.scrollTo(here)

    def paste(self, text: str) -> None:
        """Add the names of a text, and select them."""
        try:
            rows = self.classes.paste(text)
        except ValueError as error:
            self.classes.refused.emit(str(error))
        else:
            self._select(rows)

    def paste_clipboard(self) -> None:
        """Add the names that the clipboard holds."""
        self.paste(clipboard_text())

    def paste_from_editor(self, text: str) -> None:
        """Many names were pasted into a cell: they become rows of their own."""
        if self.editor is not None:
            self.closeEditor(self.editor, _Hint.RevertModelCache)
        self.paste(text)

    def copy(self) -> None:
        """Put the selected classes into the clipboard, one a line."""
        rows = [self.classes.table.rows[row] for row in self.chosen_rows()]
        clipboard = QApplication.clipboard()
        if rows and clipboard is not None:
            clipboard.setText("\n".join(" | ".join(e.phrases) for e in rows))

    def undo(self) -> None:
        """Take the last change back."""
        self.classes.apply(self.classes.table.undo)

    def redo(self) -> None:
        """Do again what was taken back last."""
        self.classes.apply(self.classes.table.redo)

    def commit(self) -> None:
        """Take what is being written, as if Enter had been pressed."""
        if self.editor is not None:
            editor = self.editor
            self.commitData(editor)
            super().closeEditor(editor, _Hint.NoHint)

    def pick_colour(self, row: int) -> None:
        """Offer colours for a class."""
        entry = self.classes.table.rows[row]
        number = entry.id or 1
        self.menu = menu = ColourMenu(
            shown_colour(entry), default_colour(number - 1), self
        )
        menu.chosen.connect(lambda colour: self._recolour(number, colour))
        index = self.classes.index(row, Column.COLOUR)
        corner = self.visualRect(index).bottomLeft()
        menu.popup(self.viewport().mapToGlobal(corner))

    def _recolour(self, number: int, colour: str) -> None:
        # By id: while a dialog is open, the row may have moved.
        table = self.classes.table
        rows = [row for row, entry in enumerate(table.rows) if entry.id == number]
        if rows:
            self.classes.apply(lambda: table.recolour(rows[0], colour))

    def _on_click(self, index: QModelIndex) -> None:
        if index.row() == self.classes.count:
            self.start_new()
        elif index.column() == Column.COLOUR:
            modifiers = QApplication.keyboardModifiers()
            if modifiers == Qt.KeyboardModifier.NoModifier:
                self.pick_colour(index.row())

    def _act(self, event: QKeyEvent) -> Callable[[], object] | None:
        """What a key does, if it is one of ours."""
        for standard, act in (
            (_Standard.Paste, self.paste_clipboard),
            (_Standard.Copy, self.copy),
            (_Standard.Undo, self.undo),
            (_Standard.Redo, self.redo),
            (_Standard.Delete, self.remove_chosen),
        ):
            if event.matches(standard):
                return act
        key, index = event.key(), self.currentIndex()
        if event.modifiers() == Qt.KeyboardModifier.AltModifier:
            if key in (_Key.Key_Up, _Key.Key_Down):
                step = -1 if key == _Key.Key_Up else 1
                return lambda: self.move_chosen(step)
            return None
        if key == _Key.Key_Backspace:
            return self.remove_chosen
        if key in (_Key.Key_Return, _Key.Key_Enter) and index.isValid():
            if index.row() == self.classes.count:
                return self.start_new
            if index.column() == Column.COLOUR:
                return lambda: self.pick_colour(index.row())
            return lambda: self.edit(index)
        return None

    def event(self, event: QEvent) -> bool:  # type: ignore[override]
        """Keep the keys of the table from the shortcuts of the window."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._act(event) is not None
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Act on the keys of the table."""
        act = self._act(event)
        if act is None:
            super().keyPressEvent(event)
        else:
            act()
            event.accept()

    def commitData(self, editor: QWidget) -> None:
        """Take what was written, and note whether that was a new class."""
        before = self.classes.count
        super().commitData(editor)
        self._added = self.classes.count > before

    def closeEditor(self, editor: QWidget, hint: Any) -> None:
        """After Enter in the last class, go on with a new one."""
        added, self._added = self._added, False
        here = self.currentIndex()
        words = here.column() in (Column.NAME, Column.SYNONYMS)
        last = words and here.row() == self.classes.count - 1
        super().closeEditor(editor, hint)
        if hint == _Hint.SubmitModelCache and (added or last):
            QTimer.singleShot(0, self.start_new)

    def dropEvent(self, event: QDropEvent) -> None:
        """Move the dragged rows to where they were dropped."""
        if event.source() is not self:
            return
        point = event.position().toPoint()
        index = self.indexAt(point)
        to = index.row() if index.isValid() else self.classes.count
        if index.isValid() and point.y() > self.visualRect(index).center().y():
            to += 1
        self._move(self.chosen_rows(), min(to, self.classes.count))
        # Qt would remove the rows that it thinks were moved out.
        event.setDropAction(Qt.DropAction.IgnoreAction)
        event.accept()
