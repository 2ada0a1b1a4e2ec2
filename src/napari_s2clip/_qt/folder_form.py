"""What is seen of a folder of results that somebody looks through."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..batch.listing import Listed
from .batch_form import new_label
from .folder_export import FolderExport
from .image_table import ImageTable, Row
from .scope_rows import new_combo

__all__ = ["FILTERS", "KEY", "FolderForm", "row_of"]

KEY: Final = "Shift-K"
"""As K keeps one region; none of napari's own."""

FILTERS: Final = {
    "All": "all",
    "Not reviewed": "open",
    "Reviewed": "reviewed",
    "Edited": "edited",
    "Failed": "failed",
}


def row_of(listed: Listed) -> Row:
    """An image as the list shows it."""
    if listed.error:
        return Row(listed.name, "failed", listed.error)
    known = {"✓": listed.reviewed, "edited": listed.edited}
    words = [word for word, is_so in known.items() if is_so]
    more = " and ".join(words).replace("✓", "reviewed")
    return Row(listed.name, " ".join(words), more)


class FolderForm(QWidget):
    """Lays the controls out; what they do is elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.back_button = QPushButton("Close")
        self.back_button.setToolTip("Save, and go back to the job.")
        self.search = QLineEdit()
        self.search.setPlaceholderText("part of a name")
        self.search.setToolTip("Show images with these letters in their names.")
        self.search.setClearButtonEnabled(True)
        self.search.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.filter = new_combo("Which images are shown.", dict(FILTERS))
        self.table = ImageTable("✓ edited")
        self.count = new_label()
        self.previous_button, self.next_button = QToolButton(), QToolButton()
        self.previous_button.setArrowType(Qt.ArrowType.LeftArrow)
        self.next_button.setArrowType(Qt.ArrowType.RightArrow)
        for button, words in (
            (self.previous_button, "Previous image"),
            (self.next_button, "Next image"),
        ):
            button.setAccessibleName(words)
            button.setToolTip(f"{words}; corrections are saved first.")
        self.reviewed_button = QPushButton("Reviewed, next")
        self.reviewed_button.setToolTip(
            "The image is as it should be: on to the next that nobody has reviewed\n"
            f"({KEY.replace('-', '+')})."
        )
        self.reviewed = QCheckBox("Review&ed")
        self.reviewed.setToolTip("Somebody has looked through this image.")
        self.save_button = QPushButton("Save")
        self.save_button.setToolTip(
            "Save the labels and decisions of this image in the folder of results.\n"
            "That is done by itself when you move on."
        )
        self.export_button = QPushButton("Export…")
        self.export_button.setCheckable(True)
        self.export_button.setToolTip("Make training data of the folder.")
        self.status = new_label()
        self.discard_button = QPushButton("Discard changes")
        self.discard_button.setToolTip(
            "Open the image again as it was saved last; what you changed since then\n"
            "is lost."
        )
        self.find_button = QPushButton("Find images…")
        self.find_button.setToolTip(
            "Choose the folder that the images were moved to, with or without the\n"
            "folders around them."
        )
        self.discard_button.hide()
        self.find_button.hide()
        self.export = FolderExport()
        self.export.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(_row((self.title, 1), (self.back_button, 0)))
        layout.addLayout(_row((self.search, 1), (self.filter, 1)))
        layout.addWidget(self.table, 1)
        layout.addWidget(self.count)
        layout.addLayout(
            _row(
                (self.previous_button, 0),
                (self.reviewed_button, 1),
                (self.next_button, 0),
            )
        )
        layout.addLayout(
            _row((self.reviewed, 1), (self.save_button, 0), (self.export_button, 0))
        )
        layout.addWidget(self.status)
        layout.addWidget(self.discard_button)
        layout.addWidget(self.find_button)
        layout.addWidget(self.export)


def _row(*widgets: tuple[QWidget, int]) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget, stretch in widgets:
        row.addWidget(widget, stretch)
    return row
