"""What goes on between the model panel, its window, downloads and napari's settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from ..models.bring import describe_transfer
from ..models.errors import WeightsNotFound
from ..models.weights import locate
from ..settings import Settings
from .engine import Engine
from .model_panel import ModelPanel
from .models_dialog import ModelsDialog
from .preferences import follow_preferences, read_preferences
from .texts import breakable
from .transfers import Transfers

__all__ = ["ModelsDesk"]


class ModelsDesk(QObject):
    """Which models a run uses, whether they are here, and what is held in memory.

    Parameters
    ----------
    engine : Engine
    busy : callable
        Whether a run uses the engine just now.
    parent : QWidget
        Of the window that lists the models.
    """

    changed = Signal()
    """The panel needs another height."""

    asked = Signal()
    """The panel asks whether missing files may be downloaded."""

    accepted = Signal()
    """They may, and a run is wanted."""

    refused = Signal(str)
    """Why there can be no run."""

    def __init__(
        self, engine: Engine, busy: Callable[[], bool], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._busy = busy
        self._window = parent
        self._preferences = read_preferences()
        self.panel = ModelPanel(self._preferences.store())
        self.panel.where.choose(self._preferences.device, self._preferences.precision)
        self.transfers = Transfers(self)
        self.dialog: ModelsDialog | None = None
        self.panel.spec_changed.connect(self._on_spec)
        self.panel.state.models_button.clicked.connect(self.open)
        self.panel.state.accepted.connect(self.accepted)
        self.transfers.changed.connect(self._on_transfer)
        self.transfers.ended.connect(self._on_files)
        follow_preferences(self._on_preferences)

    def all_here(self, settings: Settings) -> bool:
        """Whether a run has its files; if not, ask or say what to do."""
        missing, store = self.panel.missing(settings), self.panel.store
        for card in missing:
            if not card.can_be_downloaded:
                try:
                    locate(card, None, store)
                except WeightsNotFound as error:
                    self.refused.emit(error.what)
                return False
        if missing:
            self.panel.state.ask(missing, offline=store.offline)
            self.asked.emit()
        return not missing

    def open(self) -> None:
        """Open the window that lists the models."""
        self.panel.reload()
        if self.dialog is None:
            self.dialog = ModelsDialog(
                self.transfers, self.panel.store, self.panel.spec, self._window
            )
            self.dialog.preset_added.connect(self._on_preset)
            self.dialog.list_changed.connect(self._on_list)
            self.dialog.memory_unwanted.connect(self._free_memory)
        self.show_memory()
        self.dialog.show()
        self.dialog.raise_()

    def close(self) -> None:
        """Stop the downloads and close the window."""
        self.transfers.cancel_all()
        if self.dialog is not None:
            self.dialog.close()

    def show_running(self) -> None:
        """Say that the models are in use."""
        self.panel.refresh()
        if self.dialog is not None:
            self.dialog.show_running()

    def show_memory(self) -> None:
        """Say what is held in memory."""
        # During a run the models are in use, and asking them would wait for it.
        if self.dialog is not None and not self._busy():
            self.dialog.show_memory(self._engine.held(), self._engine.device)

    def _free_memory(self) -> None:
        if not self._busy():
            self._engine.release()
        self.show_memory()

    def _on_spec(self) -> None:
        if self.dialog is not None:
            self.dialog.show_spec(self.panel.spec, self.panel.store)

    def _on_preset(self, name: str) -> None:
        self.panel.reload()
        self.panel.choose(name)

    def _on_list(self) -> None:
        self.panel.reload()
        if self.dialog is not None:
            self.dialog.rebuild()

    def _on_transfer(self) -> None:
        """Say in the dock how far a download of the chosen models is."""
        for card in self.panel.spec.parts:
            transfer = self.transfers.of(card)
            if transfer is not None and not self.panel.state.asks:
                self.panel.state.show_details(describe_transfer(transfer))
                self.changed.emit()
                return

    def _on_files(self, words: str) -> None:
        self.panel.refresh()
        if self.dialog is None or not self.dialog.isVisible():
            # Nobody would read it there.
            self.panel.state.show_details(breakable(words))
            self.changed.emit()
        self._on_transfer()

    def _on_preferences(self, event: Any = None) -> None:
        """Follow napari's settings; what the user chose here stays."""
        if not isalive(self.panel):
            return
        panel = self.panel
        old, new = self._preferences, read_preferences()
        self._preferences = new
        device = new.device if new.device != old.device else panel.device
        precision = new.precision if new.precision != old.precision else panel.precision
        panel.where.choose(device, precision)
        if new.store_facts != old.store_facts:
            panel.store = new.store()
            self._on_spec()
