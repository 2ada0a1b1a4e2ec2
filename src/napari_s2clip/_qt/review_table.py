"""The list of regions, one of which is selected."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QEvent, QModelIndex, QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QStyle, QTableView, QWidget

from .review_model import TITLES, Column, RegionModel

__all__ = ["RegionTable"]

_SAMPLES: Final = {
    Column.MARK: "✓",
    Column.DOUBT: "0.00",
    Column.PROBABILITY: "0.00",
    Column.IOU: "0.00",
    Column.AREA: "99.9M",
}
"""For these texts the columns have room; the class gets what is left."""

_LETTERS: Final = 11
"""Of the class for which there is room; else columns of numbers are hidden."""

_Align: Final = Qt.AlignmentFlag
_Metric: Final = QStyle.PixelMetric


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
        header = self.horizontalHeader()
        header.setMinimumSectionSize(16)
        header.setHighlightSections(False)
        # In the middle it would lie under the arrow that shows the order.
        header.setDefaultAlignment(_Align.AlignLeft | _Align.AlignVCenter)
        # The widths come from the letters: Qt would ask every row for its contents.
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(Column.CLASS, QHeaderView.ResizeMode.Stretch)
        self.setSortingEnabled(True)
        self.sortByColumn(Column.DOUBT, Qt.SortOrder.DescendingOrder)
        self._fit()

    def _fit(self) -> None:
        """Give every column room for its letters; hide some before names are cut."""
        letters = self.fontMetrics()
        self.verticalHeader().setDefaultSectionSize(letters.height() + 8)
        style = self.style()
        arrow = 0 if style is None else style.pixelMetric(_Metric.PM_HeaderMarkSize)
        widths = {
            column: max(
                letters.horizontalAdvance(TITLES[column]) + arrow + 4,
                letters.horizontalAdvance(sample) + 8,
            )
            for column, sample in _SAMPLES.items()
        }
        name = _LETTERS * letters.averageCharWidth() + letters.height() + 8
        over = name + sum(widths.values()) - self.viewport().width()
        for column, width in widths.items():
            self.setColumnWidth(column, width)
        for column in (Column.PROBABILITY, Column.IOU, Column.AREA):
            self.setColumnHidden(column, over > 0)
            over -= widths[column]

    def changeEvent(self, event: QEvent) -> None:
        """Follow the size of the letters, which the theme sets."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the columns for which there is room."""
        self._fit()
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:
        # A page scrolls where it has less than this; it gives the table what is left.
        return QSize(300, 120)

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
