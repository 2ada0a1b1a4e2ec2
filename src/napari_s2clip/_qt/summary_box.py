"""What came of an export or import: a sentence, and below it all that was left out."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from .texts import breakable

__all__ = ["SummaryBox"]

_LINES = 6
"""Of the list that are seen at once."""


class SummaryBox(QWidget):
    """A text that can be selected and copied; a list of lines below, if there are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.list = QPlainTextEdit()
        self.list.setReadOnly(True)
        self.list.setAccessibleName("What was left out")
        self.list.setToolTip("What was left out and why; it can be copied.")
        self.list.setTabChangesFocus(True)
        height = self.list.fontMetrics().lineSpacing() * _LINES
        self.list.setFixedHeight(height + 2 * self.list.frameWidth() + 8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addWidget(self.list)
        self.say("")

    def say(self, text: str, lines: Sequence[str] = ()) -> None:
        """Show a sentence and the lines of a list; both may be empty."""
        self.text.setText(breakable(text))
        self.list.setPlainText("\n".join(lines))
        self.list.setVisible(bool(lines))
        self.setVisible(bool(text))

    def said(self) -> str:
        """The sentence as it was given."""
        return self.text.text().replace("\u200b", "")
