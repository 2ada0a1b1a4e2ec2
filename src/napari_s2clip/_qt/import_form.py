"""What is seen of an import: a dataset, the list of its images, a button."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from .summary_box import SummaryBox

__all__ = ["ImportForm"]

_ROWS = 7
"""Images that are seen at once."""


class ImportForm(QWidget):
    """Lays the controls out; what they do is elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = QLineEdit()
        self.path.setPlaceholderText("folder, or file of COCO")
        self.path.setToolTip(
            "Dataset to look into: its folder, or an index of COCO. Press Enter."
        )
        self.path.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.folder_button = QPushButton("Folder…")
        self.folder_button.setToolTip("Choose the folder of a dataset.")
        self.file_button = QPushButton("File…")
        self.file_button.setToolTip("Choose an index of COCO, or data.yaml.")
        self.kind = QLabel()
        self.kind.setWordWrap(True)
        self.search = QLineEdit()
        self.search.setPlaceholderText("search")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search images")
        self.search.setToolTip("Show images with this in their name.")
        self.list = QListWidget()
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.setUniformItemSizes(True)
        self.list.setAccessibleName("Images of the dataset")
        self.list.setToolTip("Images of the dataset; choose some, or all by Ctrl+A.")
        height = self.list.fontMetrics().lineSpacing() * _ROWS
        self.list.setFixedHeight(height + 2 * self.list.frameWidth() + 8)
        self.button = QPushButton("&Add to the viewer")
        self.button.setToolTip(
            "Add the chosen images with their labels and objects. Meanwhile the\n"
            "button cancels."
        )
        self.summary = SummaryBox()
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("Datase&t", self.path)
        buttons = QHBoxLayout()
        buttons.addWidget(self.folder_button, 1)
        buttons.addWidget(self.file_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        layout.addLayout(buttons)
        for widget in (self.kind, self.search, self.list, self.button, self.summary):
            layout.addWidget(widget)
        self.kind.hide()

    def show_kind(self, text: str) -> None:
        """Say what the dataset is."""
        self.kind.setText(text)
        self.kind.setVisible(bool(text))
