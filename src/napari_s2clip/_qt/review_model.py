"""The table of regions as Qt's views see it."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor, QFont
from qtpy.QtWidgets import QWidget

from ..classes import ClassSet
from ..review import Review, Status
from ..review.states import has_failed
from ..sizes import short_number

__all__ = ["TITLES", "Column", "RegionModel", "class_colour", "class_name"]


class Column(IntEnum):
    """What the columns hold."""

    MARK = 0
    DOUBT = 1
    CLASS = 2
    PROBABILITY = 3
    IOU = 4
    AREA = 5


TITLES: Final = {
    Column.MARK: "",
    Column.DOUBT: "Doubt",
    Column.CLASS: "Class",
    Column.PROBABILITY: "p",
    Column.IOU: "IoU",
    Column.AREA: "px",
}

_EXPLANATIONS: Final = {
    Column.MARK: "✓ accepted, ✗ rejected, ✎ changed",
    Column.DOUBT: """\
1 − probability × IoU that SAM predicts; 1 more where SAM's mask was refused,
so that these regions come first.""",
    Column.CLASS: "Class of the region now",
    Column.PROBABILITY: "Mean probability of the proposed class",
    Column.IOU: """\
IoU that SAM predicts for its mask; struck out where the mask was refused,
– where SAM was not asked.""",
    Column.AREA: "Pixels of the coarse region",
}

_MARKS: Final[dict[Status, str]] = {
    "open": "",
    "accepted": "✓",
    "rejected": "✗",
    "changed": "✎",
}
_ROLE: Final = Qt.ItemDataRole


class RegionModel(QAbstractTableModel):
    """Regions that pass the filter, in some order.

    Sorting and filtering are NumPy's on whole columns: a proxy model would call Python
    for every comparison, and there may be tens of thousands of regions.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._review: Review | None = None
        self._classes: ClassSet | None = None
        self._rows: NDArray[np.intp] = np.zeros(0, np.intp)
        self._columns: list[NDArray[Any]] = []
        self._refused: NDArray[np.bool_] = np.zeros(0, bool)
        self._filter: dict[str, Any] = {}
        self._sorted = (int(Column.DOUBT), Qt.SortOrder.DescendingOrder)

    def set_review(self, review: Review | None, classes: ClassSet | None) -> None:
        """Show the regions of a review, with the names of these classes."""
        self._review, self._classes = review, classes
        if review is not None:
            table = review.table
            self._refused = has_failed(table)
            self._columns = [
                table["mean_probability"].to_numpy(float),
                table["sam_score"].to_numpy(float),
                review.area,
            ]
        self._arrange()

    def set_filter(self, **wanted: Any) -> None:
        """Show only some; takes what `Review.select` takes."""
        self._filter = wanted
        self._arrange()

    def update(self) -> None:
        """Follow what was decided; rows move only if one comes or goes."""
        if self._review is None:
            return
        wanted = self._review.select(**self._filter)
        if not np.array_equal(np.sort(wanted), np.sort(self.regions())):
            self._arrange()
        elif len(wanted):
            last = self.index(self.rowCount() - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def regions(self) -> NDArray[np.int64]:
        """Ids in the order of the table."""
        if self._review is None:
            return np.zeros(0, np.int64)
        return self._review.ids[self._rows]

    def row_of(self, region: int | None) -> int:
        """Row of a region, or -1 if it is not shown."""
        found = np.flatnonzero(self.regions() == (-1 if region is None else region))
        return int(found[0]) if len(found) else -1

    def next_open(self, region: int | None) -> int | None:
        """The next region below this one that is open, else from the top."""
        if self._review is None:
            return None
        shown = self.regions()
        start = self.row_of(region) + 1
        for other in np.roll(shown, -start).tolist():
            if other != region and self._review.state(other).status == "open":
                return int(other)
        return None

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(
        self, section: int, orientation: Any, role: int = _ROLE.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == _ROLE.DisplayRole:
            return TITLES[Column(section)]
        return _EXPLANATIONS[Column(section)] if role == _ROLE.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        if not index.isValid() or self._review is None:
            return None
        row, column = int(self._rows[index.row()]), index.column()
        region = int(self._review.ids[row])
        state = self._review.state(region)
        if role == _ROLE.DisplayRole:
            return self._text(row, column)
        if role == _ROLE.TextAlignmentRole and column not in (
            Column.MARK,
            Column.CLASS,
        ):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == _ROLE.DecorationRole and column == Column.CLASS:
            return class_colour(self._classes, state.class_id)
        refused = column == Column.IOU and bool(self._refused[row])
        if role == _ROLE.FontRole and (refused or state.status == "rejected"):
            font = QFont()
            font.setStrikeOut(True)
            return font
        if role == _ROLE.ToolTipRole:
            return self._explain(row)
        if role == _ROLE.AccessibleTextRole:
            if column == Column.MARK:
                return state.status
            if refused:
                return f"{self._text(row, column)}, refused"
        return None

    def _explain(self, row: int) -> str:
        """All that is known, also what a narrow table cuts off or hides."""
        assert self._review is not None
        region = int(self._review.ids[row])
        state = self._review.state(region)
        name = class_name(self._classes, state.class_id)
        p, score = (
            self._text(row, column) for column in (Column.PROBABILITY, Column.IOU)
        )
        asked = "SAM not asked" if score == "–" else f"IoU {score}"
        if self._refused[row]:
            asked += ", mask refused"
        return (
            f"Region {region}: {name}, {state.status}, {state.shape} shape\n"
            f"p {p}, {asked}, {self._review.area[row]:,} px"
        )

    def _text(self, row: int, column: int) -> str:
        assert self._review is not None
        state = self._review.state(int(self._review.ids[row]))
        if column == Column.MARK:
            return _MARKS[state.status]
        if column == Column.DOUBT:
            return f"{self._review.uncertainty[row]:.2f}"
        if column == Column.CLASS:
            return class_name(self._classes, state.class_id)
        value = self._columns[column - Column.PROBABILITY][row]
        if column == Column.AREA:
            return short_number(int(value))
        return "–" if np.isnan(value) else f"{value:.2f}"

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        self._sorted = (column, order)
        self._arrange()

    def _arrange(self) -> None:
        """Filter and sort anew; equal rows stay with the uncertain ones first."""
        self.beginResetModel()
        self._rows = np.zeros(0, np.intp)
        if self._review is not None:
            regions = self._review.select(**self._filter)
            lookup = np.argsort(self._review.ids, kind="stable")
            rows = lookup[np.searchsorted(self._review.ids, regions, sorter=lookup)]
            column, order = self._sorted
            keys = self._keys(column, rows)
            if order == Qt.SortOrder.DescendingOrder:
                keys = -keys
            self._rows = rows[np.argsort(keys, kind="stable")]
        self.endResetModel()

    def _keys(self, column: int, rows: NDArray[np.intp]) -> NDArray[Any]:
        review = self._review
        assert review is not None
        if column == Column.MARK:
            states = [review.state(r).status for r in review.ids[rows].tolist()]
            return np.array([list(_MARKS).index(status) for status in states])
        if column == Column.DOUBT:
            return review.uncertainty[rows]
        if column == Column.CLASS:
            values, where = np.unique(review.classes()[rows], return_inverse=True)
            names = [class_name(self._classes, int(value)) for value in values]
            return np.argsort(np.argsort(names))[where]
        return self._columns[column - Column.PROBABILITY][rows]


def class_name(classes: ClassSet | None, value: int) -> str:
    """Name of a label value, also of one that is no class any more."""
    if value == 0:
        return "background"
    if classes is None or value not in classes.ids:
        return f"label {value}"
    return classes.name_of(value)


def class_colour(classes: ClassSet | None, value: int) -> QColor:
    """Colour of a label value; nothing for background."""
    if value == 0:
        return QColor(Qt.GlobalColor.transparent)
    if classes is None or value not in classes.ids:
        return QColor("#808080")
    return QColor(classes.colour_of(value))
