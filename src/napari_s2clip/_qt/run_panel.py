"""The Run button and what a run says about itself."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..progress import STAGES, Progress, Stage

__all__ = ["RunPanel"]

_TITLES: dict[Stage, str] = {
    "load": "Loading models",
    "encode": "Encoding the image",
    "classify": "Classifying pixels",
    "regions": "Finding regions",
    "refine": "Refining with SAM",
}


class RunPanel(QWidget):
    """Run, which becomes Cancel and then "Cancelling…"; progress; one line of text."""

    run_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QPushButton("Run")
        self.button.clicked.connect(self._on_click)
        self.bar = QProgressBar()
        self.bar.setRange(0, 100 * len(STAGES))
        self.status = QLabel()
        self.status.setWordWrap(True)
        self._running = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.bar)
        layout.addWidget(self.status)
        self.show_idle("")

    @property
    def running(self) -> bool:
        """Whether a run is under way, also one that is being cancelled."""
        return self._running

    def show_running(self, text: str) -> None:
        """A run has begun."""
        self._running = True
        self.button.setText("Cancel")
        self.button.setEnabled(True)
        self.bar.setValue(0)
        self.bar.setFormat("Starting")
        self.bar.setVisible(True)
        self.status.setText(text)

    def show_cancelling(self) -> None:
        """A run was asked to stop and has not yet."""
        self.button.setText("Cancelling…")
        self.button.setEnabled(False)

    def show_progress(self, progress: Progress) -> None:
        """A run has come further."""
        stage = STAGES.index(progress.stage) + 1
        # Reports may arrive out of order across threads; the bar never goes back.
        done = round(self.bar.maximum() * progress.overall)
        self.bar.setValue(max(self.bar.value(), done))
        self.bar.setFormat(f"{stage}/{len(STAGES)} {_TITLES[progress.stage]}")
        if progress.message:
            self.status.setText(progress.message)

    def show_idle(self, text: str) -> None:
        """No run is under way."""
        self._running = False
        self.button.setText("Run")
        self.button.setEnabled(True)
        self.bar.setVisible(False)
        # A path has no spaces: let it break at its slashes, or it widens the dock.
        self.status.setText(text.replace("/", "/\u200b").replace("\\", "\\\u200b"))
        self.status.setToolTip(text)
        self.status.setVisible(True)

    def _on_click(self) -> None:
        if self._running:
            self.cancel_requested.emit()
        else:
            self.run_requested.emit()
