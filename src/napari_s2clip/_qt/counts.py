"""How many pixels each class has, also after edits by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from ..maps import count_labels

if TYPE_CHECKING:
    from napari.layers import Labels

__all__ = ["Counts"]

_REST = 300
"""After the last edit, in ms."""


class Counts(QObject):
    """Counts the pixels of a Labels layer, in a thread, when edits have come to rest.

    Counting again begins when the one before has ended, so that there is one at most.
    """

    counted = Signal(object)
    """Pixels by label value."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._labels: Labels | None = None
        self._busy = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self._count)

    @property
    def pending(self) -> bool:
        """Whether there will be other counts."""
        return self._busy or self._rest.isActive()

    def follow(self, labels: Labels | None) -> None:
        """Count this layer now and after its edits; None counts nothing."""
        if labels is not self._labels:
            self.leave()
            self._labels = labels
            if labels is not None:
                labels.events.paint.connect(self._on_edit)
                # Undo and redo emit nothing else.
                labels.events.set_data.connect(self._on_edit)
        self._on_edit()

    def leave(self) -> None:
        """Follow nothing."""
        labels, self._labels = self._labels, None
        self._rest.stop()
        if labels is not None:
            labels.events.paint.disconnect(self._on_edit)
            labels.events.set_data.disconnect(self._on_edit)

    def _on_edit(self, event: Any = None) -> None:
        if isalive(self) and self._labels is not None:
            self._rest.start()

    def _count(self) -> None:
        labels = self._labels
        if labels is None:
            return
        if self._busy:
            self._rest.start()
            return
        self._busy = True
        data = labels.data
        create_worker(
            count_labels,
            data,
            _connect={"returned": lambda found: self._on_counted(labels, found)},
        )

    def _on_counted(self, labels: Labels, found: dict[int, int]) -> None:
        if not isalive(self):
            return
        self._busy = False
        if labels is self._labels:
            self.counted.emit(found)
