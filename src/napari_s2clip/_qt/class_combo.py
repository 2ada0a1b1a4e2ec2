"""A box to choose a class from, with its colour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from .colour_menu import colour_icon

__all__ = ["ClassCombo", "ClassRow"]

_COLOUR_ROLE: Final = int(Qt.ItemDataRole.UserRole) + 1


class ClassRow(NamedTuple):
    """What can be chosen: a label value, or something that is no class."""

    text: str
    value: int | None
    colour: str = ""
    """Of the icon; without one there is none."""


class ClassCombo(QComboBox):
    """Classes by label value; however long their names, it does not widen the dock.

    Parameters
    ----------
    tip : str
        The tooltip.
    name : str
        For screen readers, where no label stands beside the box.
    """

    def __init__(self, tip: str, name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(tip)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(60)

    def offer(self, rows: Iterable[ClassRow]) -> None:
        """Offer these, without a signal; what is chosen stays if it is still there."""
        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        for number, row in enumerate(rows):
            self.addItem(_icon(row.colour), row.text, row.value)
            self.setItemData(number, row.colour, _COLOUR_ROLE)
        self.setCurrentIndex(max(0, self.findData(chosen)) if self.count() else -1)
        self.blockSignals(False)

    def step(self, step: int) -> None:
        """Choose the next one, or the one before; the list goes round."""
        if self.count():
            self.setCurrentIndex((self.currentIndex() + step) % self.count())

    @property
    def value(self) -> int | None:
        """Label value that is chosen."""
        value = self.currentData()
        return None if value is None else int(value)

    @property
    def colour(self) -> str:
        """Of what is chosen."""
        return str(self.currentData(_COLOUR_ROLE) or "")


def _icon(colour: str) -> QIcon:
    if colour:
        return colour_icon(colour)
    # As wide as the others, so that the texts begin at one place.
    pixmap = QPixmap(32, 32)
    pixmap.fill(Qt.GlobalColor.transparent)
    return QIcon(pixmap)
