"""Whether the chosen models are here, and the question whether to download them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton

from ..models.cards import ModelCard
from ..models.parts import PartName
from ..models.specs import ModelSpec
from ..models.weights import missing_parts
from ..sizes import format_size
from ..store import WeightStore
from .texts import to_download

__all__ = ["StateLine", "missing_cards"]


class StateLine(QObject):
    """A few words, the button "Models…" and, when asked, "Download and run".

    The rows are the form's own: inside another widget Qt would cut off what is longer
    than a line.
    """

    accepted = Signal()
    """The user wants the download."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.label = QLabel()
        self.models_button = QPushButton("Models…")
        self.models_button.setToolTip("Download, check and remove the models' files.")
        self.details = QLabel()
        self.details.setWordWrap(True)
        self.download_button = QPushButton("Download and run")
        self.download_button.clicked.connect(self.accepted)

    def add_to(self, form: QFormLayout) -> None:
        """Add the rows to a form."""
        top = QHBoxLayout()
        top.addWidget(self.label, 1)
        top.addWidget(self.models_button)
        form.addRow(top)
        form.addRow(self.details)
        form.addRow(self.download_button)

    def show_state(self, spec: ModelSpec, missing: Sequence[ModelCard]) -> None:
        """Say whether everything is here; takes a question back."""
        lost = [card.title for card in missing if not card.can_be_downloaded]
        if lost:
            text = "Files are missing"
        elif missing:
            text = f"{to_download(missing)} to download"
        elif spec.built_in:
            text = "Built in"
        else:
            text = "On this computer"
        self.label.setText(text)
        self.show_details(f"Missing: {', '.join(lost)}" if lost else "")
        self.download_button.hide()

    def show_details(self, text: str) -> None:
        """Say something below the state, such as how far a download is."""
        self.details.setText(text)
        self.details.setVisible(bool(text))

    @property
    def asks(self) -> bool:
        """Whether a question is open."""
        return not self.download_button.isHidden()

    def ask(self, missing: Sequence[ModelCard], *, offline: bool) -> None:
        """Ask whether to download what a run needs."""
        names = ", ".join(
            f"{card.title} ({format_size(card.about_size)})"
            if card.about_size
            else card.title
            for card in missing
        )
        text = f"{to_download(missing)} must be downloaded: {names}."
        if offline:
            text += (
                " But the network may not be used (plugin settings, "
                "NAPARI_S2CLIP_OFFLINE or HF_HUB_OFFLINE)."
            )
        self.show_details(text)
        self.download_button.setVisible(not offline)


def missing_cards(
    spec: ModelSpec, parts: Iterable[PartName], store: WeightStore
) -> list[ModelCard]:
    """The models that are not on this computer, of those needed, each file once."""
    parts = frozenset(parts)
    missing: list[ModelCard] = []
    for card in missing_parts(spec, store):
        known = any(card.same_model(other) for other in missing)
        if card.role in parts and not known:
            missing.append(card)
    return missing
