"""The table of classes as Qt's views see it: a row a class, and one to add another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, TypeVar

from qtpy.QtCore import (  # type: ignore[attr-defined]
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from qtpy.QtGui import QBrush, QColor

from ..class_table import ClassTable, many, shown_colour
from ..sizes import short_number

__all__ = ["ClassModel", "Column"]

_T = TypeVar("_T")
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_Role = Qt.ItemDataRole
_Flag = Qt.ItemFlag

NEW = "New class…"
"""What the last row says."""


class Column(IntEnum):
    """What the columns hold."""

    COLOUR = 0
    NAME = 1
    SYNONYMS = 2
    PIXELS = 3
    REGIONS = 4
    THRESHOLD = 5


_HEADERS = {
    Column.COLOUR: "#",
    Column.NAME: "Name",
    Column.SYNONYMS: "Synonyms",
    Column.PIXELS: "Pixels",
    Column.REGIONS: "Regions",
    Column.THRESHOLD: "Threshold",
}

_BRIEF = {
    Column.SYNONYMS: "Syn.",
    Column.PIXELS: "px",
    Column.REGIONS: "reg.",
    Column.THRESHOLD: "p ≥",
}
"""Where there is little room."""

_EXPLANATIONS = {
    Column.COLOUR: "Colour and label value of the class.",
    Column.NAME: "What is looked for, in a word or a few.",
    Column.SYNONYMS: """\
More words for the same class, separated by bars: automobile | motor car.
At each pixel the likeliest one counts.""",
    Column.PIXELS: "Pixels of the class in the refined labels.",
    Column.REGIONS: "Regions of the class.",
    Column.THRESHOLD: """\
Threshold: pixels of the class that are less probable become background.
0 leaves it to the threshold of all classes.""",
}


class ClassModel(QAbstractTableModel):
    """Shows a `ClassTable`, and changes it only through `apply`.

    What the rows of the view hold besides it are counts of a result.
    """

    edited = Signal()
    """The table has changed in any way."""

    refused = Signal(str)
    """Something could not be entered; says why."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.table = ClassTable()
        self._rows = self.table.rows
        self._problems: dict[int | None, str] = {}
        self._pixels: Mapping[int, int] = {}
        self._regions: Mapping[int, int] = {}
        self._brief = False

    @property
    def count(self) -> int:
        """Rows that hold a class; the one below them adds another."""
        return len(self._rows)

    def apply(self, change: Callable[[], _T]) -> _T:
        """Call what changes the table, and tell the views what it changed."""
        before = (self.table.rows, self.table.background, self.table.number)
        result = change()
        if (self.table.rows, self.table.background, self.table.number) != before:
            if self.table.number != before[2]:
                self._pixels = self._regions = {}
            self._problems = {}
            for problem in self.table.problems():
                self._problems.setdefault(problem.row, problem.text)
            self._follow()
            self._refresh()
            self.edited.emit()
        return result

    def show_counts(
        self, pixels: Mapping[int, int], regions: Mapping[int, int]
    ) -> None:
        """Show counts by id; classes that are in neither have none."""
        self._pixels, self._regions = dict(pixels), dict(regions)
        self._refresh()

    @property
    def has_counts(self) -> bool:
        """Whether there are counts to show."""
        return bool(self._pixels or self._regions)

    def be_brief(self, brief: bool) -> None:
        """Head the columns with short words, or with long ones."""
        if brief != self._brief:
            self._brief = brief
            last = len(Column) - 1
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, last)

    def _follow(self) -> None:
        """Take out and in the rows whose ids changed, so that a selection stays."""
        new = self.table.rows
        old_ids, new_ids = [e.id for e in self._rows], [e.id for e in new]
        limit = min(len(old_ids), len(new_ids))
        first = 0
        while first < limit and old_ids[first] == new_ids[first]:
            first += 1
        last = 0
        while last < limit - first and old_ids[-1 - last] == new_ids[-1 - last]:
            last += 1
        old_end, new_end = len(old_ids) - last, len(new_ids) - last
        if first < old_end:
            self.beginRemoveRows(QModelIndex(), first, old_end - 1)
            self._rows = (*self._rows[:first], *self._rows[old_end:])
            self.endRemoveRows()
        if first < new_end:
            self.beginInsertRows(QModelIndex(), first, new_end - 1)
            self._rows = new
            self.endInsertRows()
        self._rows = new

    def _refresh(self) -> None:
        last = self.index(self.count, len(Column) - 1)
        self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """One more than there are classes."""
        return 0 if parent.isValid() else self.count + 1

    def columnCount(self, parent: _Index = _ROOT) -> int:
        """Those of `Column`."""
        return 0 if parent.isValid() else len(Column)

    def flags(self, index: _Index) -> Qt.ItemFlag:
        """Which cells can be edited, and which rows dragged."""
        if not index.isValid():
            return _Flag.ItemIsDropEnabled
        flags = _Flag.ItemIsEnabled | _Flag.ItemIsSelectable
        column = index.column()
        if index.row() == self.count:
            return flags | _Flag.ItemIsEditable if column == Column.NAME else flags
        flags |= _Flag.ItemIsDragEnabled
        if column in (Column.NAME, Column.SYNONYMS, Column.THRESHOLD):
            flags |= _Flag.ItemIsEditable
        return flags

    def supportedDropActions(self) -> Qt.DropAction:
        """Rows are moved, never copied."""
        return Qt.DropAction.MoveAction

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _Role.DisplayRole
    ) -> Any:
        """Title and explanation of a column."""
        if orientation == Qt.Orientation.Horizontal:
            column = Column(section)
            if role == _Role.DisplayRole:
                return (_HEADERS | _BRIEF if self._brief else _HEADERS)[column]
            if role == _Role.ToolTipRole:
                return _EXPLANATIONS[column]
        return None

    def data(self, index: _Index, role: int = _Role.DisplayRole) -> Any:
        """What a cell shows."""
        row, column = index.row(), Column(index.column())
        if row >= self.count:
            return _new_row(column, role)
        if role in (_Role.DisplayRole, _Role.EditRole):
            return self._text(row, column, editing=role == _Role.EditRole)
        if role == _Role.DecorationRole and column == Column.COLOUR:
            return QColor(shown_colour(self._rows[row]))
        if role == _Role.ToolTipRole:
            return self._explain(row, column)
        if role == _Role.AccessibleTextRole and column == Column.COLOUR:
            return f"label {self._rows[row].id}, {shown_colour(self._rows[row])}"
        if role == _Role.BackgroundRole and row in self._problems:
            if column in (Column.NAME, Column.SYNONYMS):
                return QBrush(QColor(213, 94, 0, 120))
        elif role == _Role.TextAlignmentRole and column >= Column.PIXELS:
            return (Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter).value
        return None

    def _text(self, row: int, column: Column, *, editing: bool) -> Any:
        entry = self._rows[row]
        if column == Column.COLOUR:
            return str(entry.id)
        if column == Column.NAME:
            return entry.name
        if column == Column.SYNONYMS:
            return " | ".join(entry.synonyms)
        if column == Column.THRESHOLD:
            if editing:
                return entry.threshold
            return f"{entry.threshold:.2f}" if entry.threshold else ""
        counts = self._pixels if column == Column.PIXELS else self._regions
        number = counts.get(entry.id or 0)
        return "" if number is None else short_number(number)

    def _explain(self, row: int, column: Column) -> str:
        entry = self._rows[row]
        if column == Column.COLOUR:
            return (
                f"Label value {entry.id}, colour {shown_colour(entry)}.\n"
                "Click or press Enter to choose another colour."
            )
        if column in (Column.NAME, Column.SYNONYMS) and row in self._problems:
            return self._problems[row]
        if column in (Column.PIXELS, Column.REGIONS):
            counts = self._pixels if column == Column.PIXELS else self._regions
            number = counts.get(entry.id or 0)
            return "" if number is None else f"{number:,}"
        if column == Column.THRESHOLD:
            return _EXPLANATIONS[column]
        return str(self._text(row, column, editing=False))

    def setData(self, index: _Index, value: Any, role: int = _Role.EditRole) -> bool:
        """Take what was entered; in the last row it adds a class."""
        if role != _Role.EditRole:
            return False
        row, column = index.row(), index.column()
        table = self.table
        try:
            if row >= self.count:
                self._add(str(value))
            elif column == Column.NAME:
                self.apply(lambda: table.rename(row, str(value)))
            elif column == Column.SYNONYMS:
                self.apply(lambda: table.set_synonyms(row, str(value)))
            elif column == Column.THRESHOLD:
                self.apply(lambda: table.set_threshold(row, float(value)))
            else:
                return False
        except ValueError as error:
            self.refused.emit(str(error))
            return False
        return True

    def _add(self, text: str) -> None:
        if many(text):
            self.paste(text)
        elif text.strip(" |;"):
            # Also a name that is there already: it is marked, and not lost.
            self.apply(lambda: self.table.add(text.strip(" ;")))

    def paste(self, text: str) -> range:
        """Add many names, say which ones were left out, and return the new rows."""
        pasted = self.apply(lambda: self.table.paste(text))
        if pasted.known:
            self.refused.emit(pasted.words)
        return pasted.rows


def _new_row(column: Column, role: int) -> Any:
    if column == Column.NAME:
        if role == _Role.DisplayRole:
            return NEW
        if role == _Role.EditRole:
            return ""
        if role == _Role.ToolTipRole:
            return (
                "Write a name and press Enter; a bar gives a synonym: car | automobile"
            )
    return None
