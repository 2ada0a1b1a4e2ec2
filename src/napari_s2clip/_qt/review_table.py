"""The table of regions."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor, QFont
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from ..classes import ClassSet
from ..review import Review, Status
from ..review.states import has_failed

__all__ = ["COLUMNS", "RegionModel", "RegionTable", "class_colour", "class_name"]

COLUMNS: Final[dict[str, tuple[int, str]]] = {
    "": (26, "✓ accepted, ✗ rejected, ✎ changed"),
    "Doubt": (
        *(64,),
        "1 − probability × SAM score; regions whose mask was refused come first.",
    ),
    "Class": (0, "Class of the region now"),
    "Prob.": (46, "Mean probability of the proposed class"),
    "SAM": (44, "IoU that SAM predicts for its mask; – where SAM was not asked"),
    "Area": (56, "Pixels of the coarse region"),
}
"""Columns with their widths in pixels (0: what is left), and what they mean."""

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
        self._sorted = (1, Qt.SortOrder.DescendingOrder)

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
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Any, role: int = _ROLE.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        name, (_, tip) = list(COLUMNS.items())[section]
        if role == _ROLE.DisplayRole:
            return name
        return tip if role == _ROLE.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        if not index.isValid() or self._review is None:
            return None
        row, column = int(self._rows[index.row()]), index.column()
        region = int(self._review.ids[row])
        state = self._review.state(region)
        if role == _ROLE.DisplayRole:
            return self._text(row, column)
        if role == _ROLE.TextAlignmentRole and column not in (0, 2):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == _ROLE.DecorationRole and column == 2:
            return class_colour(self._classes, state.class_id)
        if role == _ROLE.FontRole and state.status == "rejected":
            font = QFont()
            font.setStrikeOut(True)
            return font
        if role == _ROLE.ToolTipRole:
            name = class_name(self._classes, state.class_id)
            return f"Region {region}: {name}, {state.status}, {state.shape} shape"
        if role == _ROLE.AccessibleTextRole and column == 0:
            return state.status
        return None

    def _text(self, row: int, column: int) -> str:
        assert self._review is not None
        state = self._review.state(int(self._review.ids[row]))
        if column == 0:
            return _MARKS[state.status]
        if column == 1:
            doubt = self._review.uncertainty[row]
            return "refused" if self._refused[row] else f"{doubt:.2f}"
        if column == 2:
            return class_name(self._classes, state.class_id)
        value = self._columns[column - 3][row]
        if column == 5:
            return f"{value:,}"
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
        if column == 0:
            states = [review.state(r).status for r in review.ids[rows].tolist()]
            return np.array([list(_MARKS).index(status) for status in states])
        if column == 1:
            return review.uncertainty[rows]
        if column == 2:
            values, where = np.unique(review.classes()[rows], return_inverse=True)
            names = [class_name(self._classes, int(value)) for value in values]
            return np.argsort(np.argsort(names))[where]
        return self._columns[column - 3][rows]


class RegionTable(QTableView):
    """One row a region; one is selected."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.regions = RegionModel(self)
        self.setModel(self.regions)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAccessibleName("Regions")
        rows = self.verticalHeader()
        rows.hide()
        # No row is asked for its height.
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 8)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(20)
        header.setHighlightSections(False)
        for column, (width, _) in enumerate(COLUMNS.values()):
            if width:
                self.setColumnWidth(column, width)
            else:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.setSortingEnabled(True)
        self.sortByColumn(1, Qt.SortOrder.DescendingOrder)

    def sizeHint(self) -> QSize:
        return QSize(300, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 90)

    def current(self) -> int | None:
        """The selected region, if there is one."""
        rows = self.selectionModel().selectedRows()
        return int(self.regions.regions()[rows[0].row()]) if rows else None

    def choose(self, region: int | None) -> None:
        """Select a region if it is shown, else nothing."""
        row = self.regions.row_of(region)
        if row < 0:
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())
        else:
            self.selectRow(row)


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
