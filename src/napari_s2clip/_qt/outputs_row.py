"""What a run adds to the viewer, and what it does with layers that were edited."""

from __future__ import annotations

from typing import Literal, cast

from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSizePolicy, QWidget

__all__ = ["OutputsRow"]

_CHOICES = {
    "keep": (
        "keep them",
        "Layers that were edited by hand stay as they are; the result gets new ones.",
    ),
    "merge": (
        "fill the rest",
        (
            "Pixels that were edited by hand stay; the others of the layer get the\n"
            "new result."
        ),
    ),
}


class OutputsRow(QWidget):
    """Choose what becomes of edited layers, and whether probabilities are shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.edited_box = QComboBox()
        for name, (title, about) in _CHOICES.items():
            self.edited_box.addItem(title, name)
            self.edited_box.setItemData(self.edited_box.count() - 1, about, 3)
        self.edited_box.setToolTip(
            "What a run does with layers that were edited by hand. It never writes\n"
            "over an edit."
        )
        self.edited_box.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed
        )
        self.probabilities = QCheckBox("Probability i&mages")
        self.probabilities.setToolTip(
            "Also add an Image layer for each class: its probability at every pixel."
        )
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        layout.addRow("Edited la&yers", self.edited_box)
        layout.addRow(self.probabilities)

    @property
    def edited(self) -> Literal["keep", "merge"]:
        """What becomes of layers that were edited by hand."""
        return cast("Literal['keep', 'merge']", self.edited_box.currentData())

    def choose(self, edited: str, *, probabilities: bool) -> None:
        """Set both; an unknown choice changes nothing."""
        index = self.edited_box.findData(edited)
        if index >= 0:
            self.edited_box.setCurrentIndex(index)
        self.probabilities.setChecked(probabilities)
