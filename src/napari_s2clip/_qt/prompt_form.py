"""What one sees while labels are corrected by clicks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..classes import ClassSet
from .class_combo import ClassCombo, ClassRow
from .prompt_keys import KEYS
from .texts import breakable

__all__ = ["ERASE_COLOUR", "PromptForm"]

_ACTS: Final[Mapping[str, str]] = {
    "commit": "keep: commit into the class",
    "undo": "undo the last prompt",
    "redo": "redo it",
    "clear": "clear all prompts",
    "outside": "clicks mean outside, or not",
    "improve": "improve the label pointed at",
    "previous": "previous class",
    "next": "next class",
}

_SHOWN: Final = {",": "Comma", ".": "Period"}

_CTRL: Final = "Cmd" if sys.platform == "darwin" else "Ctrl"

_MOUSE: Final = {
    "Click": "inside the object",
    f"{_CTRL}+click": "outside it; or right click",
    "Shift+drag": "a box around it",
    "Drag": "moves the view",
}

ERASE_COLOUR: Final = "#c0c0c0"
"""Of the preview where pixels become background."""

_IN_3D: Final = (
    "Clicks and boxes need a 2-D view, and this one is 3-D. Switch it back with the "
    f"button below the list of layers, or {_CTRL}+Y on the canvas."
)


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
        self.classes = ClassCombo("The class that the pixels get.")
        self.overwrite = QCheckBox("&Take from other classes")
        self.overwrite.setToolTip(
            "Also pixels that have another class; otherwise only background is taken."
        )
        self.negative = QCheckBox("Clicks mean &outside")
        self.negative.setToolTip(
            f"Clicks say where the object is not, as with {_CTRL} held. "
            f"Key {_key('outside')}."
        )
        self.score = QLabel()
        self.score.setToolTip("How sure SAM is of the mask: the IoU that it predicts.")
        self.commit = QPushButton("&Keep")
        self.commit.setToolTip(
            f"Give the pixels to the class: one step of undo. Key {_key('commit')}."
        )
        self.undo = QPushButton("&Undo")
        self.undo.setToolTip(
            "Take back the last prompt; without one, the last commit. "
            f"Key {_key('undo')}, or {_CTRL}+Z."
        )
        self.redo = QPushButton("R&edo")
        self.redo.setToolTip(
            f"Bring back a prompt. Key {_key('redo')}, or {_CTRL}+Shift+Z."
        )
        self.clear = QPushButton("Cle&ar")
        self.clear.setToolTip(f"Take back all prompts. Key {_key('clear')}.")
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
        self.in_3d = QLabel(_IN_3D)
        self.in_3d.setWordWrap(True)
        self.in_3d.hide()
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
        column.addWidget(self.in_3d)
        column.addWidget(self.status)
        column.addWidget(self.help)
        column.addStretch(1)

    def show_classes(self, classes: ClassSet | None) -> None:
        """Fill the list of classes; the choice stays if its class is still there."""
        rows = []
        if classes is not None:
            rows = [ClassRow(e.name, classes.id_of(e.name), e.colour) for e in classes]
            rows.append(ClassRow("background (erase)", 0))
        self.classes.offer(rows)

    @property
    def colour(self) -> str:
        """Of the chosen class."""
        return self.classes.colour or ERASE_COLOUR

    def show_active(self, active: bool) -> None:
        """Whether clicks are prompts now."""
        self.toggle.setChecked(active)
        self.toggle.setText("Stop correctin&g" if active else "Correct b&y clicks")

    def show_in_3d(self, in_3d: bool) -> None:
        """Say that there can be no prompts in such a view, or no longer."""
        self.in_3d.setVisible(in_3d)

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


def _key(act: str) -> str:
    """The key of an act, as people write it."""
    key = KEYS[act]
    return _SHOWN.get(key, key.replace("-", "+"))


def _help() -> str:
    keys = {_key(act): text for act, text in _ACTS.items()}
    rows = "".join(
        f"<tr><td><b>{key}</b>&nbsp;&nbsp;</td><td>{text}</td></tr>"
        for key, text in {**_MOUSE, **keys}.items()
    )
    return f"<table>{rows}</table>"
