"""How the table of classes is laid out: widths, heights, a hint while it is empty."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableView,
    QWidget,
)

from .class_model import ClassModel, Column

__all__ = ["ClassGrid"]

_HINT = (
    "Write a class, press Enter, write the next; or paste a list:\n\n"
    "red circle\ngreen star | green asterisk\ngrass"
)

_NAME, _SYNONYMS = 11, 6
"""Letters for which there is always room; else the table scrolls."""

_ROWS = 4
"""Of the lowest table, without its head."""


class ClassGrid(QTableView):
    """Classes in a table that has room for names wherever there is any."""

    def __init__(self, model: ClassModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.classes = model
        self.setModel(model)
        self._set_behaviour()
        self.hint = QLabel(_HINT, self.viewport())
        self.hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hint.setStyleSheet("background: transparent; padding: 4px;")
        self.hint.setWordWrap(True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignTop)
        model.rowsInserted.connect(self._place_hint)
        model.rowsRemoved.connect(self._place_hint)
        self._place_hint()

    def _set_behaviour(self) -> None:
        View = QAbstractItemView
        self.setSelectionBehavior(View.SelectionBehavior.SelectRows)
        self.setSelectionMode(View.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            View.EditTrigger.DoubleClicked
            | View.EditTrigger.EditKeyPressed
            | View.EditTrigger.AnyKeyPressed
        )
        self.setDragDropMode(View.DragDropMode.InternalMove)
        self.setDragDropOverwriteMode(False)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        # Tab leaves the table, or nobody without a mouse would get beyond it.
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setHorizontalScrollMode(View.ScrollMode.ScrollPerPixel)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns.setHighlightSections(False)
        columns.setMinimumSectionSize(20)
        for column in Column:
            columns.setSectionResizeMode(
                column, QHeaderView.ResizeMode.ResizeToContents
            )
        for column in (Column.COLOUR, Column.NAME, Column.SYNONYMS):
            columns.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        columns.sectionResized.connect(self._on_width)
        self.setAccessibleName("Classes")
        self._fit_rows()

    def _fit_rows(self) -> None:
        metrics = self.fontMetrics()
        self.verticalHeader().setDefaultSectionSize(metrics.height() + 8)
        self.setColumnWidth(Column.COLOUR, metrics.horizontalAdvance("000") + 10)
        self._fit_columns()

    def _on_width(self, column: int) -> None:
        if column not in (Column.NAME, Column.SYNONYMS):
            self._fit_columns()

    def _fit_columns(self) -> None:
        """Names and synonyms share what the others leave, three to two."""
        letter = self.fontMetrics().averageCharWidth()
        width = self.viewport().width()
        numbers = [c for c in Column if c >= Column.PIXELS and self.columnWidth(c)]
        self.classes.be_brief(width < (36 + 8 * len(numbers)) * letter)
        room = width - sum(self.columnWidth(c) for c in (Column.COLOUR, *numbers))
        name = max(_NAME * letter, 3 * room // 5)
        self.setColumnWidth(Column.NAME, name)
        self.setColumnWidth(Column.SYNONYMS, max(_SYNONYMS * letter, room - name))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the size of the letters, which the theme sets."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_rows()

    def minimumSizeHint(self) -> QSize:
        """Room for a few rows."""
        head = self.horizontalHeader().sizeHint().height()
        row = self.verticalHeader().defaultSectionSize()
        return QSize(120, head + _ROWS * row + 4)

    def sizeHint(self) -> QSize:
        """Qt's own is so tall that it pushes what follows out of a low window."""
        return QSize(240, self.minimumSizeHint().height())

    def resizeEvent(self, event: Any) -> None:
        """Keep the hint under the rows."""
        super().resizeEvent(event)
        self._fit_columns()
        self._place_hint()

    def _place_hint(self) -> None:
        top = self.verticalHeader().defaultSectionSize()
        room = self.viewport()
        self.hint.setGeometry(0, top, room.width(), max(0, room.height() - top))
        self.hint.setVisible(not self.classes.count)
