"""Where class names are written."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from ..classes import ClassSet

__all__ = ["ClassPanel"]

_EXAMPLE = "red circle\ngreen star | green asterisk\ngrass"


_HEIGHT = 90
"""Of the class names in a low window, in pixels; they take what room there is."""


class _ShortEdit(QPlainTextEdit):
    """Qt's own hint is so tall that it pushes what follows out of a low window."""

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), _HEIGHT)


class ClassPanel(QWidget):
    """Class names one a line, and background words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names = _ShortEdit()
        self.names.setPlaceholderText(_EXAMPLE)
        self.names.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.names.setTabChangesFocus(True)
        # napari's themes leave this kind of editor in the colour of the dock.
        self.names.setStyleSheet(
            "QPlainTextEdit { background: rgba(128, 128, 128, 70);"
            " border-radius: 2px; padding: 2px; }"
        )
        self.names.setToolTip(
            "One class a line. Synonyms follow after a bar: car | automobile.\n"
            "The first line is label 1; 0 is background."
        )
        self.background = QLineEdit()
        self.background.setPlaceholderText("sky; road")
        self.background.setToolTip(
            "Words for what no class should claim, separated by semicolons.\n"
            "Their pixels become 0. May be empty."
        )
        self._offered = ""

        names_label = QLabel("&Classes, one a line")
        names_label.setBuddy(self.names)
        background_label = QLabel("&Background words")
        background_label.setBuddy(self.background)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(names_label)
        layout.addWidget(self.names, 1)
        layout.addWidget(background_label)
        layout.addWidget(self.background)

    def class_set(self) -> ClassSet:
        """The classes as written; `ValueError` says what is wrong with them."""
        words = [w for w in self.background.text().split(";") if w.strip()]
        return ClassSet.parse(self.names.toPlainText(), words)

    def offer(self, names: Sequence[str]) -> None:
        """Fill in the names that an image brings along, unless the user wrote some."""
        text = self.names.toPlainText()
        if names and text.strip() in ("", self._offered):
            self._offered = "\n".join(names)
            self.names.setPlainText(self._offered)
