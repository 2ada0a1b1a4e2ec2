"""Training data out and in: two panels below each other, with headings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from .export_panel import ExportPanel
from .import_panel import ImportPanel

__all__ = ["DataPanel"]


class DataPanel(QWidget):
    """Export above, import below.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.exporting = ExportPanel(viewer)
        self.importing = ImportPanel(viewer)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("<b>Export training data</b>"))
        layout.addWidget(self.exporting)
        layout.addWidget(line)
        layout.addWidget(QLabel("<b>Import training data</b>"))
        layout.addWidget(self.importing)

    def leave(self) -> None:
        """Stop what is under way; the window closes."""
        self.exporting.cancel()
        self.importing.cancel()

    def state(self) -> dict[str, Any]:
        """What is set, as plain data."""
        return {"export": self.exporting.state(), "import": self.importing.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set what `state` gave; what does not fit is left as it is."""
        for name, panel in (
            ("export", self.exporting),
            ("import", self.importing),
        ):
            part = state.get(name)
            if isinstance(part, Mapping):
                panel.restore(part)
