"""A list of very many images, of which some are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from qtpy.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QSize,
    Qt,
)
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

__all__ = ["ImageModel", "ImageTable", "Row"]

_Role: Final = Qt.ItemDataRole
_NOWHERE: Final = QModelIndex()


class Row(NamedTuple):
    """An image in a list; there may be hundreds of thousands.

    Attributes
    ----------
    name : str
    state : str
        In a word or two.
    more : str
        A sentence.
    """

    name: str
    state: str = ""
    more: str = ""


class ImageModel(QAbstractTableModel):
    """Names and states; only the rows that are wanted are shown."""

    titles = ("Image", "State")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._shown: list[int] = []
        self._place: dict[int, int] = {}
        self._wanted: Callable[[Row], bool] | None = None

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show other images."""
        self.beginResetModel()
        self.rows = list(rows)
        self._filter()
        self.endResetModel()

    def show_only(self, wanted: Callable[[Row], bool] | None) -> None:
        """Show the images for which this holds; all with None."""
        self.beginResetModel()
        self._wanted = wanted
        self._filter()
        self.endResetModel()

    def update(self, changes: dict[int, Row]) -> None:
        """Show other states; images that are no longer wanted stay until asked."""
        for number, row in changes.items():
            self.rows[number] = row
        places = [self._place[n] for n in changes if n in self._place]
        if places:
            first, last = self.index(min(places), 0), self.index(max(places), 1)
            self.dataChanged.emit(first, last)

    def number(self, place: int) -> int:
        """Which image is in a line of the list."""
        return self._shown[place]

    def place(self, number: int) -> int:
        """In which line an image is shown; -1 if it is not."""
        return self._place.get(number, -1)

    @property
    def shown(self) -> list[int]:
        """Numbers of the images that are shown, in order."""
        return self._shown

    def _filter(self) -> None:
        wanted = self._wanted
        self._shown = [
            n for n, row in enumerate(self.rows) if wanted is None or wanted(row)
        ]
        self._place = {number: place for place, number in enumerate(self._shown)}

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:  # type: ignore[override]
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:  # type: ignore[override]
        return 0 if parent.isValid() else len(self.titles)

    def data(self, index: QModelIndex, role: int = _Role.DisplayRole) -> Any:  # type: ignore[override]
        row = self.rows[self._shown[index.row()]]
        if role == _Role.DisplayRole:
            return row.state if index.column() else row.name
        if role == _Role.ToolTipRole:
            return f"{row.name}: {row.more}" if row.more else row.name
        return None

    def headerData(  # type: ignore[override]
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = _Role.DisplayRole,
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == _Role.DisplayRole:
            return self.titles[section]
        return None


class ImageTable(QTableView):
    """One row an image; one is selected."""

    def __init__(self, widest: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images = ImageModel(self)
        self._widest = widest
        self.setModel(self.images)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        # Where images differ is at the end of long names.
        self.setTextElideMode(Qt.TextElideMode.ElideLeft)
        self.setAccessibleName("Images")
        rows = self.verticalHeader()
        rows.hide()
        # No row is asked for its height.
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)

    def resizeEvent(self, event: Any) -> None:
        """Leave room for the longest state; the letters depend on the theme."""
        letters = self.fontMetrics()
        self.verticalHeader().setDefaultSectionSize(letters.height() + 8)
        self.setColumnWidth(1, letters.horizontalAdvance(self._widest) + 16)
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(260, 150)

    def minimumSizeHint(self) -> QSize:
        return QSize(180, 100)

    def current(self) -> int | None:
        """Number of the selected image, if there is one."""
        rows = self.selectionModel().selectedRows()
        return self.images.number(rows[0].row()) if rows else None

    def choose(self, number: int | None) -> None:
        """Select an image if it is shown, else nothing."""
        place = -1 if number is None else self.images.place(number)
        if place < 0:
            self.clearSelection()
        else:
            self.selectRow(place)
            self.scrollTo(self.images.index(place, 0))
