"""What one sees while labels are corrected by clicks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..classes import ClassSet
from .texts import breakable

__all__ = ["ERASE_COLOUR", "KEYS", "PromptForm"]

KEYS: Final[Mapping[str, str]] = {
    "K": "keep: commit into the class",
    "U": "undo the last prompt",
    "Shift-U": "redo it",
    "Q": "clear all prompts",
    "N": "clicks mean outside, or not",
    "G": "improve the label pointed at",
    ",": "previous class",
    ".": "next class",
}
"""What keys do; none of them is napari's own for a layer or the viewer."""

_SHOWN: Final = {",": "Comma", ".": "Period"}

_CTRL: Final = "Cmd" if sys.platform == "darwin" else "Ctrl"

_MOUSE: Final = {
    "Click": "inside the object",
    f"{_CTRL}+click": "outside it; or right click",
    "Shift+drag": "a box around it",
    "Drag": "moves the view",
}

ERASE_COLOUR: Final = "#c0c0c0"


class PromptForm(QWidget):
    """Controls and texts, without behaviour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.toggle = QPushButton("Correct b&y clicks")
        self.toggle.setCheckable(True)
        self.toggle.setToolTip(
            "Click on objects in the image: SAM draws their edge.\n"
            "Adds layers of its own, which go when you stop."
        )
        self.classes = QComboBox()
        self.classes.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.classes.setToolTip("The class that the pixels get.")
        self.overwrite = QCheckBox("&Take from other classes")
        self.overwrite.setToolTip(
            "Also pixels that have another class; otherwise only background is taken."
        )
        self.negative = QCheckBox("Clicks mean &outside")
        self.negative.setToolTip(
            "Clicks say where the object is not, as with Ctrl (Cmd) held. Key N."
        )
        self.score = QLabel()
        self.score.setToolTip("How sure SAM is of the mask: the IoU that it predicts.")
        self.commit = QPushButton("&Keep")
        self.commit.setToolTip("Give the pixels to the class: one step of undo. Key K.")
        self.undo = QPushButton("&Undo")
        self.undo.setToolTip(
            "Take back the last prompt; without one, the last commit. Key U."
        )
        self.redo = QPushButton("R&edo")
        self.redo.setToolTip("Bring back a prompt. Key Shift+U.")
        self.clear = QPushButton("Cle&ar")
        self.clear.setToolTip("Take back all prompts. Key Q.")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Encoding")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop encoding; the prompts stay.")
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.help = QLabel(_help())
        self.help.setWordWrap(True)
        self.help.setTextFormat(Qt.TextFormat.RichText)
        self._lay_out()
        self.show_score(None)
        self.show_busy(False)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.toggle)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        label = QLabel("&Class")
        label.setBuddy(self.classes)
        form.addRow(label, self.classes)
        column.addLayout(form)
        column.addWidget(self.overwrite)
        column.addWidget(self.negative)
        buttons = QGridLayout()
        for index, button in enumerate((self.commit, self.undo, self.clear, self.redo)):
            buttons.addWidget(button, index // 2, index % 2)
        column.addLayout(buttons)
        column.addWidget(self.score)
        work = QHBoxLayout()
        work.addWidget(self.bar, 1)
        work.addWidget(self.cancel)
        column.addLayout(work)
        column.addWidget(self.status)
        column.addWidget(self.help)
        column.addStretch(1)

    def show_classes(self, classes: ClassSet | None) -> None:
        """Fill the list of classes; the choice stays if its class is still there."""
        chosen = self.class_id
        self.classes.clear()
        if classes is None:
            return
        entries = [(e.name, classes.id_of(e.name), e.colour) for e in classes]
        entries.append(("background (erase)", 0, ""))
        for row, (name, value, colour) in enumerate(entries):
            self.classes.addItem(_icon(colour), name, value)
            self.classes.setItemData(row, colour or ERASE_COLOUR, _COLOUR_ROLE)
        self.classes.setCurrentIndex(max(0, self.classes.findData(chosen)))

    @property
    def class_id(self) -> int | None:
        """Label value of the chosen class; 0 to erase."""
        value = self.classes.currentData()
        return None if value is None else int(value)

    @property
    def colour(self) -> str:
        """Of the chosen class."""
        return str(self.classes.currentData(_COLOUR_ROLE) or ERASE_COLOUR)

    def step_class(self, step: int) -> None:
        """Choose the next class, or the one before; the list goes round."""
        count = self.classes.count()
        if count:
            self.classes.setCurrentIndex((self.classes.currentIndex() + step) % count)

    def show_active(self, active: bool) -> None:
        """Whether clicks are prompts now."""
        self.toggle.setChecked(active)
        self.toggle.setText("Stop correctin&g" if active else "Correct b&y clicks")

    def show_possible(self, *, commit: bool, undo: bool, redo: bool) -> None:
        """What can be done now."""
        self.commit.setEnabled(commit)
        self.clear.setEnabled(commit)
        self.undo.setEnabled(undo)
        self.redo.setEnabled(redo)

    def show_score(self, score: float | None) -> None:
        """What SAM thinks of its mask."""
        self.score.setText("Score: –" if score is None else f"Score: {score:.2f}")

    def show_busy(self, busy: bool, *, done: int = 0, total: int = 0) -> None:
        """How far encoding is; of a single step nobody knows."""
        self.bar.setRange(0, total if total > 1 else 0)
        self.bar.setValue(done)
        self.bar.setVisible(busy)
        self.cancel.setVisible(busy)
        self.cancel.setEnabled(busy)

    def show_status(self, text: str) -> None:
        """Say something in a line below."""
        self.status.setText(breakable(text))
        self.status.setVisible(bool(text))


_COLOUR_ROLE: Final = int(Qt.ItemDataRole.UserRole) + 1


def _icon(colour: str) -> QIcon:
    pixmap = QPixmap(32, 32)
    pixmap.fill(QColor(colour) if colour else Qt.GlobalColor.transparent)
    return QIcon(pixmap)


def _help() -> str:
    keys = {_SHOWN.get(key, key.replace("-", "+")): text for key, text in KEYS.items()}
    rows = "".join(
        f"<tr><td><b>{key}</b>&nbsp;&nbsp;</td><td>{text}</td></tr>"
        for key, text in {**_MOUSE, **keys}.items()
    )
    return f"<table>{rows}</table>"
