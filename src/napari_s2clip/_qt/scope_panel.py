"""Stand-in until the panel for slices, areas and channels is here."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from ..planes import Scope
from ..tiles import Tiling

__all__ = ["ScopePanel"]


class ScopePanel(QWidget):
    """Everything that is shown of the image."""

    changed = Signal()
    tiling = Tiling()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)

    def set_layer(self, layer: Any) -> None:
        """Nothing."""

    def scope(self, viewer: Any, layer: Any) -> Scope:
        """The default."""
        return Scope()
