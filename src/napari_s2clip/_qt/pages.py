"""Pages of the dock: each scrolls by itself, so that a low window clips nothing."""

from __future__ import annotations

from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

__all__ = ["Page"]


class Page(QScrollArea):
    """Panels one above the other; they scroll where there is no room for them.

    Parameters
    ----------
    *panels : QWidget
    stretched : QWidget, optional
        The panel that takes the room that is left.
    """

    def __init__(
        self,
        *panels: QWidget,
        stretched: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(4, 6, 4, 4)
        for panel in panels:
            self._column.addWidget(panel, int(panel is stretched))
        if stretched is None:
            self._column.addStretch(1)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setWidget(inner)

    def fit(self) -> None:
        """Make room for a new text; Qt would find out its height only later."""
        inner, view = self.widget(), self.viewport()
        if inner is None or view is None:
            return
        for child in inner.children():
            layout = child.layout() if isinstance(child, QWidget) else None
            if layout is not None:
                layout.activate()
        self._column.activate()
        height = self._column.totalHeightForWidth(inner.width())
        inner.resize(inner.width(), max(height, view.height()))
