"""What the user used last: it comes back when the widget or another project opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from ..user_memory import Remembered, UserMemory, is_remembering, project_of
from .preferences import read_preferences

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["Remembering"]


class Remembering(QObject):
    """Asks the panels what is set and tells them what was set last.

    Parameters
    ----------
    collect : callable
        Gives what is set now.
    apply : callable
        Sets what was set last; whether classes are set that the user wrote comes after.
    """

    noted = Signal(str)
    """One line about what could not be read or written."""

    def __init__(
        self,
        collect: Callable[[], Remembered],
        apply: Callable[[Remembered, bool], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._collect = collect
        self._apply = apply
        self._memory = UserMemory()
        self._project: str | None = None
        self._path: str | None = None
        self._last: Remembered | None = None

    def follow(self, layer: Image | None) -> None:
        """Another image was chosen: what was used last in its folder comes back."""
        path = layer.source.path if layer is not None else None
        project = project_of(path)
        if project == self._project or (not project and self._project is not None):
            return
        # Classes written for a project are kept for it; others might be lost.
        safe = bool(self._project)
        if safe:
            self.keep()
        self._project, self._path = project, path
        if not self._wanted():
            return
        found, note = self._memory.recall(path)
        if found is not None:
            self._apply(found, safe)
            self._last = self._collect()
        if note:
            self.noted.emit(note)

    def keep(self) -> None:
        """Write down what is set, if it is something else than last time."""
        if not self._wanted():
            return
        used = self._collect()
        if used == self._last:
            return
        self._last = used
        note = self._memory.remember(self._path, used)
        if note:
            self.noted.emit(note)

    def _wanted(self) -> bool:
        return is_remembering(read_preferences().remember)
