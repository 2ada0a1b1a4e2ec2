"""The window "Models": the files of the chosen preset, or of all models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import Qt, QUrl, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDesktopServices, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ..models.cards import CARDS, ModelCard
from ..models.own import catalogue
from ..models.own_presets import forget_model, preset_with_file
from ..models.parts import PartName
from ..models.specs import ModelSpec
from ..store import WeightStore
from .card_row import CardRow
from .texts import breakable, held_in_memory
from .transfers import Transfers

__all__ = ["ModelsDialog"]

_FILTER = "Weight files (*.safetensors *.pth *.pt *.bin *.ckpt);;All files (*)"


class ModelsDialog(QDialog):
    """A row for each model, and what is held in memory.

    It does not stop the window from being used, and may stay open during runs.
    """

    preset_added = Signal(str)
    """A file was chosen; the name of the preset with it."""

    list_changed = Signal()
    """The user's own models changed."""

    memory_unwanted = Signal()
    """The models are to be freed."""

    def __init__(
        self,
        transfers: Transfers,
        store: WeightStore,
        spec: ModelSpec,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("S2CLIP models")
        self._transfers, self._store, self._spec = transfers, store, spec
        self.rows: list[CardRow] = []
        self.heading = QLabel()
        self.heading.setWordWrap(True)
        self.all_box = QCheckBox("Show all models")
        self.all_box.toggled.connect(self.rebuild)
        self._list = QWidget()
        self._column = QVBoxLayout(self._list)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.memory = QLabel(held_in_memory({}, ""))
        self.memory.setWordWrap(True)
        self.free_button = QPushButton("Free memory")
        self.free_button.setToolTip("The next run loads the models again.")
        self.free_button.setEnabled(False)
        self.free_button.clicked.connect(self.memory_unwanted)
        self.folder = QLabel()
        self.folder.setWordWrap(True)
        self.folder.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self._lay_out()
        transfers.changed.connect(self.refresh)
        self.rebuild()

    def _lay_out(self) -> None:
        head, foot = QHBoxLayout(), QHBoxLayout()
        head.addWidget(self.heading, 1)
        head.addWidget(self.all_box)
        foot.addWidget(self.memory, 1)
        foot.addWidget(self.free_button)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(self._list)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        column.addWidget(self.problem)
        column.addLayout(foot)
        column.addWidget(self.folder)
        self.resize(560, 480)

    def show_spec(self, spec: ModelSpec, store: WeightStore) -> None:
        """Show another preset, or another folder."""
        if (spec, store) != (self._spec, self._store):
            self._spec, self._store = spec, store
            self.rebuild()

    def show_memory(self, held: Mapping[PartName, int], device: str) -> None:
        """Say what is held; there is no run now."""
        self.memory.setText(held_in_memory(held, device))
        self.free_button.setEnabled(bool(held))

    def show_running(self) -> None:
        """A run has begun, and needs what is in memory."""
        self.free_button.setEnabled(False)

    def rebuild(self) -> None:
        """Show the rows anew."""
        cards, own = self._cards()
        for row in self.rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        while self._column.count():
            self._column.takeAt(0)
        for card in cards:
            row = CardRow(card)
            row.wanted.connect(lambda action, row=row: self._do(action, row.card))
            self.rows.append(row)
            self._column.addWidget(row)
        self._column.addStretch(1)
        self._own = own
        shown = "All models" if self.all_box.isChecked() else self._spec.title
        self.heading.setText(f"<b>{shown}</b>")
        self.folder.setText(breakable(f"Folder: {self._store.folder}"))
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Look at the files again: others may have changed them meanwhile."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Show how things stand in every row."""
        for row in self.rows:
            card = row.card
            row.show_card(
                self._store.state(card),
                self._transfers.of(card),
                self._transfers.words(card),
                own=card.name in self._own,
                replaceable=card in self._spec.parts,
            )

    def _cards(self) -> tuple[list[ModelCard], frozenset[str]]:
        """The models to show, and the names of those that the user added."""
        try:
            known = catalogue()
            cards, own, problem = known.cards, known.own, ""
        except ValueError as error:
            cards, own, problem = CARDS, frozenset(), str(error)
        self.problem.setText(breakable(problem))
        self.problem.setVisible(bool(problem))
        if self.all_box.isChecked():
            return list(cards.values()), own
        return list(self._spec.parts), own

    def _do(self, action: str, card: ModelCard) -> None:
        if action == "download":
            self._transfers.download(card, self._store)
        elif action == "cancel":
            self._transfers.cancel(card)
        elif action == "verify":
            self._transfers.verify(card, self._store)
        elif action == "choose":
            self._choose(card)
        elif action == "open":
            path = self._store.find(card)
            if path is not None:
                QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))
        elif card.name in self._own:
            self._forget(card)
        else:
            self._transfers.remove(card, self._store)

    def _choose(self, card: ModelCard) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, f"A weight file in place of {card.title}", "", _FILTER
        )
        if not name:
            return
        try:
            preset = preset_with_file(self._spec, card.role, Path(name))
        except (ValueError, OSError) as error:
            self._transfers.say(card, str(error))
            return
        self.preset_added.emit(preset.name)

    def _forget(self, card: ModelCard) -> None:
        try:
            forget_model(card.name)
        except (ValueError, OSError) as error:
            self._transfers.say(card, str(error))
            return
        self.list_changed.emit()
