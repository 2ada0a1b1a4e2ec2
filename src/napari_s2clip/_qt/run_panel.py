"""The Run button and what a run says about itself."""

from __future__ import annotations

from qtpy.QtCore import QElapsedTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..progress import STAGES, Progress, Stage
from ..time_left import TimeLeft, in_words
from .engine import Download
from .texts import breakable

__all__ = ["RunPanel"]

_TITLES: dict[Stage, str] = {
    "load": "Loading models",
    "encode": "Encoding the image",
    "classify": "Classifying pixels",
    "regions": "Finding regions",
    "refine": "Refining with SAM",
}


_QUICK = 400
"""Updates that take less show no bar, in ms."""


class RunPanel(QWidget):
    """Run, which becomes Cancel and then "Cancelling…"; progress; one line of text."""

    run_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QPushButton("Run")
        self.button.setToolTip(
            "Segment what is chosen. Meanwhile the button cancels; nothing is changed\n"
            "then."
        )
        self.button.clicked.connect(self._on_click)
        self.bar = QProgressBar()
        self.bar.setRange(0, 100 * len(STAGES))
        self.status = QLabel()
        self.status.setWordWrap(True)
        self._running = False
        self._downloading = False
        self._left = TimeLeft()
        self._updating = False
        self._clock = QElapsedTimer()
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
        self._downloading = False
        self._left = TimeLeft()
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
        if self._downloading:
            self._downloading = False
            self.bar.setValue(0)
        stage = STAGES.index(progress.stage) + 1
        # Reports may arrive out of order across threads; the bar never goes back.
        done = round(self.bar.maximum() * progress.overall)
        self.bar.setValue(max(self.bar.value(), done))
        self.bar.setFormat(f"{stage}/{len(STAGES)} {_TITLES[progress.stage]}")
        left = self._left.after(progress)
        if left is not None:
            self.status.setText(_joined(progress.message, f"{in_words(left)} left"))
        elif progress.message:
            self.status.setText(progress.message)

    def show_update(self, progress: Progress) -> None:
        """A live update, which did not begin with `show_running`, has come further.

        Quick ones leave the button alone, or it would flicker at every move of a
        slider.
        """
        if not self._updating:
            self._updating = True
            self._clock.restart()
        if self._clock.elapsed() < _QUICK:
            return
        if not self._running:
            self.show_running("")
        self.show_progress(progress)

    def show_note(self, text: str, more: str = "") -> None:
        """Say something, and more of it as a tooltip; nothing begins or ends."""
        self.status.setText(breakable(text))
        self.status.setToolTip(more or text)

    def show_download(self, download: Download) -> None:
        """Files come before the first stage; the bar begins anew with each."""
        self._downloading = True
        share = download.done / download.total if download.total else 0.0
        self.bar.setValue(round(self.bar.maximum() * min(1.0, share)))
        self.bar.setFormat("Downloading %p%")
        self.status.setText(download.message)

    def show_idle(self, text: str, more: str = "") -> None:
        """No run is under way; see `show_note`."""
        self._running = self._updating = False
        self.button.setText("Run")
        self.button.setEnabled(True)
        self.bar.setVisible(False)
        self.show_note(text, more)

    def _on_click(self) -> None:
        if self._running:
            self.cancel_requested.emit()
        else:
            self.run_requested.emit()


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
