"""What is seen of a job over many images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .contrast_row import ContrastRow
from .export_form import folder_row
from .image_table import ImageTable

if TYPE_CHECKING:
    from ..batch import FolderSummary
    from ..classes import ClassSet

__all__ = ["BatchForm", "ClassTable", "new_label"]

_ROWS = 6
"""Of the table of classes that are seen at once."""


class BatchForm(QWidget):
    """Lays the controls out; what they do is elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images = QLineEdit()
        self.images.setPlaceholderText("folder, files or pattern")
        self.images.setToolTip(
            "A folder, with all images in it and in its folders; a file; a pattern\n"
            "such as photos/**/*.tif. Several are separated by semicolons."
        )
        self.images.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.folder_button = QPushButton("Folder…")
        self.folder_button.setToolTip("Choose a folder of images.")
        self.files_button = QPushButton("Files…")
        self.files_button.setToolTip("Choose single images.")
        choose = QHBoxLayout()
        choose.addWidget(self.folder_button)
        choose.addWidget(self.files_button)
        self.out, self.out_button, out = folder_row(
            "Folder of the results; if it is left empty, the one that is named here,\n"
            "beside the images. A job that was stopped goes on in the same folder."
        )
        self.out.setPlaceholderText("beside the images")
        self.contrast = ContrastRow()
        self.about = new_label()
        self.about.setToolTip("Classes, models and settings are those of the dock.")
        self.planned = new_label()
        self.pictures = QCheckBox("Pi&ctures with a legend")
        self.pictures.setChecked(True)
        self.pictures.setToolTip("Write a picture of each map beside it, as PNG.")
        self.overwrite = QCheckBox("Replace results of &other jobs")
        self.overwrite.setToolTip(
            "Write images anew that were done with other classes, models or settings.\n"
            "Labels that were edited since are never replaced."
        )
        self.button = QPushButton("Run on all images")
        self.button.setToolTip(
            "Segment all images that are not done yet. Meanwhile the button cancels;\n"
            "what is done stays, and the next job goes on from there."
        )
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.status = new_label()
        self.table = ImageTable("waiting…")
        self.reason = new_label()
        self.copy_button = QPushButton("Copy failures")
        self.copy_button.setToolTip("Copy names and reasons, one image a line.")
        self.classes = ClassTable()
        self.sheet_button = QPushButton("Contact sheet")
        self.sheet_button.setToolTip("All images beside their maps, in the browser.")
        self.review_button = QPushButton("Review results")
        self.review_button.setToolTip(
            "Look through the images of a folder of results, and correct them."
        )
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.addRow("Ima&ges", self.images)
        form.addRow("", choose)
        form.addRow("Resul&ts", out)
        form.addRow("Co&ntrast", self.contrast)
        buttons = QHBoxLayout()
        buttons.addWidget(self.sheet_button)
        buttons.addWidget(self.review_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        halves = (self.folder_button, self.files_button)
        for button in (*halves, self.sheet_button, self.review_button):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for widget in (
            *(self.about, self.overwrite, self.pictures, self.planned),
            *(self.button, self.bar, self.status),
        ):
            layout.addWidget(widget)
        layout.addWidget(self.table, 1)
        hidden: tuple[QWidget, ...] = (self.reason, self.copy_button, self.classes)
        for part in hidden:
            layout.addWidget(part)
            part.hide()
        layout.addLayout(buttons)
        self.bar.hide()
        self.status.hide()

    def say(self, text: str, more: str = "") -> None:
        """Say something below the button, and more of it as a tooltip."""
        self.status.setText(text)
        self.status.setToolTip(more)
        self.status.setVisible(bool(text))

    def show_running(self) -> None:
        """A job has begun."""
        self.button.setText("Cancel")
        self.bar.setValue(0)
        self.bar.setFormat("Starting")
        self.bar.show()
        self.classes.hide()
        self._enable(on=False)

    def show_cancelling(self) -> None:
        """It was asked to stop and has not yet."""
        self.button.setText("Cancelling…")
        self.button.setEnabled(False)

    def show_idle(self) -> None:
        """None is under way."""
        self.button.setText("Run on all images")
        self.button.setEnabled(True)
        self.bar.hide()
        self._enable(on=True)

    def _enable(self, *, on: bool) -> None:
        for widget in (
            *(self.images, self.folder_button, self.files_button),
            *(self.out, self.out_button, self.overwrite, self.pictures, self.contrast),
        ):
            widget.setEnabled(on)


class ClassTable(QTableWidget):
    """How much there is of each class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 3, parent)
        self.setHorizontalHeaderLabels(["Class", "Images", "Share"])
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setAccessibleName("Classes in the folder")
        self.setToolTip("In how many images a class is, and its share of all pixels.")
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def show_summary(self, summary: FolderSummary, classes: ClassSet) -> None:
        """Show the numbers of a folder."""
        colours = {entry.id: entry.colour for entry in classes}
        self.setRowCount(len(summary.classes))
        for row, one in enumerate(summary.classes):
            texts = (one.name, f"{one.images:,}", f"{one.share:.1%}")
            for column, item in enumerate(_items(texts)):
                self.setItem(row, column, item)
            self.item(row, 0).setData(
                Qt.ItemDataRole.DecorationRole, QColor(colours[one.id])
            )
        height = self.horizontalHeader().sizeHint().height()
        height += sum(self.rowHeight(n) for n in range(min(_ROWS, self.rowCount())))
        self.setFixedHeight(height + 2 * self.frameWidth() + 2)
        self.show()


def _items(texts: Iterable[str]) -> Iterable[QTableWidgetItem]:
    for column, text in enumerate(texts):
        item = QTableWidgetItem(text)
        if column:
            item.setTextAlignment(
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            )
        yield item


def new_label() -> QLabel:
    """Words that wrap and can be copied."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return label
