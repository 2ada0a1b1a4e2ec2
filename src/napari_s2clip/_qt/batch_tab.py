"""A job over many images, and then its results: one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from .batch_panel import BatchPanel
from .engine import Engine
from .folder_panel import FolderPanel
from .runs import Runs

__all__ = ["BatchTab"]


class BatchTab(QWidget):
    """The job, or the folder of results that somebody looks through.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    engine : Engine
    runs : Runs
    """

    def __init__(
        self, viewer: Any, engine: Engine, runs: Runs, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.job = BatchPanel(engine, runs)
        self.folder = FolderPanel(viewer)
        self.folder.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.job)
        layout.addWidget(self.folder)
        self.job.review_requested.connect(self._on_review)
        # What is on the disk is what a job sees.
        self.job.began.connect(self.folder.flush)
        self.folder.opened.connect(self._show_folder)
        self.folder.closed.connect(self._show_job)
        self.folder.refused.connect(self.job.refuse)
        self.folder.told.connect(self.job.refuse)

    @property
    def busy(self) -> bool:
        """Whether a thread is at work."""
        busy = (self.job.busy, self.job.looking, self.folder.busy)
        return any(busy) or self.folder.drawing or self.folder.export.busy

    def leave(self) -> None:
        """Stop the job and save corrections; the window closes."""
        self.job.leave()
        self.folder.leave()

    def _on_review(self, folder: Path | None) -> None:
        if folder is None:
            chosen = QFileDialog.getExistingDirectory(self, "Folder of results")
            folder = Path(chosen) if chosen else None
        if folder is not None:
            self.folder.open_folder(folder)

    def _show_folder(self) -> None:
        self.job.hide()
        self.folder.show()

    def _show_job(self) -> None:
        self.folder.hide()
        self.job.show()
