"""One model in the list of models: what it is, whether it is here, what can be done."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..models.bring import describe_transfer
from ..models.cards import ModelCard
from ..sizes import format_size
from ..store import CardState, Transfer
from .texts import breakable

__all__ = ["ACTIONS", "CardRow"]

ACTIONS: Final = {
    "download": ("Download", "Download the file from where it is published."),
    "cancel": ("Cancel", "Stop; what has come is kept for the next time."),
    "choose": (
        "Choose a file…",
        "Take a file of your own for this part. It is kept as a preset.",
    ),
    "verify": ("Verify", "Read the file through and compare its checksum."),
    "remove": ("Remove", "Delete the file; asks once more."),
    "open": ("Open folder", "Show the file in its folder."),
}
"""What can be asked for: the text of its button, and its tooltip."""

_PATIENCE = 4000  # milliseconds in which a second click removes


class CardRow(QFrame):
    """A model with its buttons; `wanted` says which was pressed."""

    wanted = Signal(str)

    def __init__(self, card: ModelCard, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.card = card
        title = QLabel(f"<b>{card.title}</b>")
        self.state = QLabel()
        self.about = QLabel(card.about)
        self.about.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.buttons: dict[str, QPushButton] = {}
        for action, (text, tip) in ACTIONS.items():
            self.buttons[action] = button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, a=action: self._on_click(a))
        self._own = False
        self._sure = QTimer(self)
        self._sure.setSingleShot(True)
        self._sure.setInterval(_PATIENCE)
        self._sure.timeout.connect(self._ask_again)
        self._lay_out(title)

    def _lay_out(self, title: QLabel) -> None:
        head, tail = QHBoxLayout(), QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.state)
        for button in self.buttons.values():
            tail.addWidget(button)
        tail.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 6, 4, 6)
        column.addLayout(head)
        for part in (self.about, self.bar, self.words):
            column.addWidget(part)
        column.addLayout(tail)

    def show_card(
        self,
        state: CardState,
        transfer: Transfer | None,
        words: str,
        *,
        own: bool,
        replaceable: bool,
    ) -> None:
        """Show how things stand.

        Parameters
        ----------
        state : CardState
        transfer : Transfer or None
            What is being done to the file.
        words : str
            How the last thing ended.
        own : bool
            Whether the user added the card.
        replaceable : bool
            Whether another file may be taken for this part.
        """
        card, busy, here = self.card, transfer is not None, state.installed
        self._own = own
        self.state.setText(_facts(card, state))
        self.setToolTip(_details(card, state))
        self.bar.setVisible(busy)
        if transfer is not None:
            # Numbers of bytes do not fit into Qt's.
            share = transfer.done / transfer.total if transfer.total else 0.0
            self.bar.setRange(0, 1000 if transfer.total else 0)
            self.bar.setValue(round(1000 * min(1.0, share)))
            words = describe_transfer(transfer).removeprefix(f"{transfer.card}: ")
            words = words or "starting"
        self.words.setText(breakable(words))
        self.words.setVisible(bool(words))
        shown = {
            "download": not here and not busy and card.can_be_downloaded,
            "cancel": busy,
            "choose": replaceable and not busy and not card.built_in,
            "verify": here and not busy and not card.built_in,
            "remove": not busy
            and not card.built_in
            and (own or here or bool(state.size)),
            "open": here and not busy and not card.built_in,
        }
        for action, visible in shown.items():
            self.buttons[action].setVisible(visible)
        if not self._sure.isActive():
            self._ask_again()

    def _on_click(self, action: str) -> None:
        if action == "remove" and not self._sure.isActive():
            self.buttons["remove"].setText(
                "Take it off the list?" if self._own else "Really remove?"
            )
            self._sure.start()
            return
        self._sure.stop()
        self._ask_again()
        self.wanted.emit(action)

    def _ask_again(self) -> None:
        self.buttons["remove"].setText(ACTIONS["remove"][0])


def _facts(card: ModelCard, state: CardState) -> str:
    """State, size and licence: ``on this computer · 375 MB · Apache-2.0``."""
    size = state.size if state.installed else card.about_size
    where = (
        "built in"
        if card.built_in
        else "on this computer"
        if state.installed
        else "to download"
        if card.can_be_downloaded
        else "missing"
    )
    if not state.installed and state.size:
        where = f"{format_size(state.size)} have come"
    return " · ".join(
        filter(None, (where, format_size(size) if size else "", card.licence))
    )


def _details(card: ModelCard, state: CardState) -> str:
    """Source, file, checksum and citation, a line each."""
    if not state.sha256:
        checksum = "none is published; recorded at first use"
    else:
        kind = "published" if state.published else "recorded at first use"
        checksum = f"{state.sha256} ({kind})"
    lines = {
        "Name": card.name,
        "Source": card.source,
        "File": str(state.path or card.path or card.filename),
        "SHA-256": checksum,
        "Citation": card.citation,
    }
    return "\n".join(f"{name}: {text}" for name, text in lines.items() if text)
