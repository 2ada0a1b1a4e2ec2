"""The controls of the review, without what they do."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..classes import ClassSet
from .class_combo import ClassCombo, ClassRow
from .review_keys import KEYS
from .review_model import class_name
from .review_table import RegionTable

__all__ = ["ReviewForm"]

_BUTTONS: Final[dict[str, tuple[str, str]]] = {
    "accept": ("Accept", "The region is right as it is"),
    "reject": ("Reject", "The region's pixels become background"),
    "next": ("Next", "Go to the next open region of the list"),
    "reassign": ("Reassign", "Give the region's pixels the class that is chosen here"),
    "coarse": ("Coarse shape", "Give the region the pixels of the coarse map"),
    "refined": ("Refined shape", "Give the region the pixels of the refined map"),
    "undo": ("Undo", "Take the last decision back"),
    "redo": ("Redo", "Decide again what was taken back"),
}


class ReviewForm(QWidget):
    """Filter, table, progress, buttons and one line of text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.class_filter = ClassCombo("Show only regions of this class", "Class shown")
        self.open_only = QCheckBox("Open only")
        self.open_only.setToolTip("Hide regions that are reviewed")
        self.min_area = QSpinBox()
        self.min_area.setRange(0, 1_000_000_000)
        self.min_area.setSuffix(" px")
        self.min_area.setKeyboardTracking(False)
        self.min_area.setToolTip("Hide regions with a smaller area")
        self.table = RegionTable()
        self.table.setToolTip(
            "Select a region to go to it. Click a title to sort by that column."
        )
        self.progress = QProgressBar()
        self.progress.setFormat("%v of %m reviewed")
        self.progress.setToolTip("Regions that were accepted, rejected or changed")
        self.class_box = ClassCombo("Class for the button Reassign", "New class")
        self.overwrite = QCheckBox("Overwrite")
        self.overwrite.setToolTip(
            "Coarse and refined shapes win pixels of other classes too, "
            "not only background"
        )
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.buttons: dict[str, QPushButton] = {}
        for act, (text, tip) in _BUTTONS.items():
            key = KEYS[act].replace("-", "+")
            button = QPushButton(text)
            button.setToolTip(f"{tip} ({key}; also on the canvas)")
            button.setAccessibleDescription(tip)
            # Buttons as wide as their texts do not fit three to a row.
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(text) + 10)
            self.buttons[act] = button
        self._lay_out()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        top = QHBoxLayout()
        top.addWidget(self.class_filter, 1)
        top.addWidget(self.open_only)
        column.addLayout(top)
        area = QHBoxLayout()
        label = QLabel("Least &area")
        label.setBuddy(self.min_area)
        area.addWidget(label)
        area.addWidget(self.min_area, 1)
        column.addLayout(area)
        column.addWidget(self.table, 1)
        column.addWidget(self.progress)
        grid = QGridLayout()
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(4)
        for place, act in enumerate(("accept", "reject", "next")):
            grid.addWidget(self.buttons[act], 0, 2 * place, 1, 2)
        grid.addWidget(self.class_box, 1, 0, 1, 4)
        grid.addWidget(self.buttons["reassign"], 1, 4, 1, 2)
        grid.addWidget(self.buttons["coarse"], 2, 0, 1, 3)
        grid.addWidget(self.buttons["refined"], 2, 3, 1, 3)
        grid.addWidget(self.overwrite, 3, 0, 1, 3)
        undo = QHBoxLayout()
        undo.addWidget(self.buttons["undo"])
        undo.addWidget(self.buttons["redo"])
        grid.addLayout(undo, 3, 3, 1, 3)
        for number in range(6):
            grid.setColumnStretch(number, 1)
        column.addLayout(grid)
        column.addWidget(self.status)

    def show_classes(self, classes: ClassSet, *, background: bool) -> None:
        """Offer these classes; what is chosen stays chosen where it still is one.

        Parameters
        ----------
        classes : ClassSet
        background : bool
            Whether there are regions of the background.
        """
        rows = [
            ClassRow(class_name(classes, value), value, classes.colour_of(value))
            for value in classes.ids
        ]
        self.class_box.offer(rows)
        others = [ClassRow("All classes", None)]
        if background:
            others.append(ClassRow(class_name(classes, 0), 0))
        self.class_filter.offer([*others, *rows])

    def show_progress(self, reviewed: int, total: int) -> None:
        """How many regions are reviewed."""
        # A range from 0 to 0 would be a bar that waits.
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(reviewed)
        self.progress.setFormat(f"{reviewed} of {total} reviewed")

    def say(self, text: str) -> None:
        """One sentence below the buttons."""
        self.status.setText(text)
        # Else the buttons would move under the mouse whenever a sentence comes or goes.
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing())
