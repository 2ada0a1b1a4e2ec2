"""What is seen of an export: layer, objects, folder, format; a button; a summary."""

from __future__ import annotations

from typing import Final

from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..datasets import FORMATS
from .format_options import FormatOptions, about
from .labels_combo import LabelsCombo
from .scope_rows import new_combo
from .summary_box import SummaryBox

__all__ = ["ExportForm", "folder_row"]

_LARGEST: Final = 65_536
"""Side of a tile, in pixels."""


class ExportForm(QWidget):
    """Lays the controls out; what they do is elsewhere."""

    def __init__(self, labels: LabelsCombo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.labels = labels
        self.labels.setToolTip("The Labels layer whose labels become training data.")
        self.objects = new_combo("What one object is.", {})
        self.classes = new_combo("What the labels mean.", {})
        self.slices = new_combo(
            "Which slices are written; each becomes an image of its own.", {}
        )
        self.empty = QCheckBox("&Keep empty slices and tiles")
        self.empty.setToolTip(
            "Write those without labels too, as images in which nothing is to be found."
        )
        self.format = new_combo("Format of the dataset.", {})
        for name, form in FORMATS.items():
            self.format.addItem(name, name)
            self.format.setItemData(self.format.count() - 1, about(form), 3)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.options = FormatOptions()
        self.folder, self.browse, folder = folder_row(
            "Folder of the dataset; it is made, or images are added to it."
        )
        self.val, self.test = (
            _spin(name, tip, 0, 100, suffix=" %")
            for name, tip in (
                ("Validation", "Share of the images that are for validation."),
                ("Test", "Share of the images that are for tests."),
            )
        )
        self.tile = _spin(
            "Side of tiles",
            "Cut images into squares of this side; the lowest value leaves them whole.",
            *(0, _LARGEST),
            suffix=" px",
        )
        self.tile.setSpecialValueText("no tiles")
        self.tile.setSingleStep(128)
        self.overlap = _spin(
            "Overlap of tiles",
            "What neighbouring tiles share at least.",
            *(0, _LARGEST - 1),
            suffix=" px",
        )
        self.overlap.setSingleStep(16)
        self.overwrite = QCheckBox("Replace existing ima&ges")
        self.overwrite.setToolTip(
            "Images that are in the dataset already are written anew; else they are\n"
            "left as they are."
        )
        self.button = QPushButton("E&xport")
        self.button.setToolTip(
            "Write the dataset. Meanwhile the button cancels; images that were\n"
            "written stay."
        )
        self.bar = QProgressBar()
        self.bar.hide()
        self.summary = SummaryBox()
        self.open_button = QPushButton("Open folder")
        self.open_button.setToolTip("Show the dataset in the file manager.")
        self.open_button.hide()

        self.rows = QFormLayout()
        self.rows.setFieldGrowthPolicy(
            QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        )
        self.rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self.rows.addRow("La&yer", self.labels)
        self.rows.addRow("&Objects", self.objects)
        self.rows.addRow("&Classes", self.classes)
        self.rows.addRow("Slic&es", self.slices)
        self.rows.addRow("For&mat", self.format)
        self.rows.addRow(self.about)
        self.rows.addRow(self.options)
        self.rows.addRow("Fol&der", folder)
        self.rows.addRow("Validatio&n", self.val)
        self.rows.addRow("Test", self.test)
        self.rows.addRow("C&ut into", self.tile)
        self.rows.addRow("Overlap", self.overlap)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self.rows)
        for widget in (
            *(self.empty, self.overwrite, self.button, self.bar),
            *(self.summary, self.open_button),
        ):
            layout.addWidget(widget)
        self.tile.valueChanged.connect(self._on_tile)
        self.format.currentIndexChanged.connect(self._on_format)
        self._on_tile()
        self._on_format()

    def _on_tile(self) -> None:
        side = self.tile.value()
        self.rows.setRowVisible(self.overlap, side > 0)
        self.overlap.setMaximum(max(0, side - 1))

    def _on_format(self) -> None:
        form = FORMATS[self.format.currentData()]
        self.about.setText(about(form))
        self.options.set_format(form)

    def show_running(self, count: int) -> None:
        """An export of so many images has begun."""
        self.bar.setRange(0, count)
        self.bar.setValue(0)
        self.bar.setFormat("%v of %m")
        self.bar.show()
        self.open_button.hide()
        self.summary.say("Exporting…")
        self.button.setText("Cancel")

    def show_cancelling(self) -> None:
        """It was asked to stop and has not yet."""
        self.button.setText("Cancelling…")
        self.button.setEnabled(False)

    def show_idle(self) -> None:
        """None is under way."""
        self.bar.hide()
        self.button.setText("E&xport")
        self.button.setEnabled(True)


def folder_row(tip: str) -> tuple[QLineEdit, QToolButton, QWidget]:
    """A line for a path and a button to choose one, in a widget."""
    line = QLineEdit()
    line.setToolTip(tip)
    line.setPlaceholderText("choose a folder")
    line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    button = QToolButton()
    button.setText("…")
    button.setAccessibleName("Choose a folder")
    button.setToolTip("Choose a folder.")
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(line, 1)
    layout.addWidget(button)
    row.setFocusProxy(line)
    return line, button, row


def _spin(name: str, tip: str, low: int, high: int, *, suffix: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setSuffix(suffix)
    box.setToolTip(tip)
    box.setAccessibleName(name)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box
