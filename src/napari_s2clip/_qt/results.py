"""Results in the viewer: shown one at a time, and the newest found again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from qtpy.compat import isalive
from qtpy.QtCore import (
    QElapsedTimer,
    QEventLoop,
    QObject,
    QTimer,
    Signal,  # type: ignore[attr-defined]
)
from qtpy.QtWidgets import QApplication

from ..layers import outputs_of, show_result

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Image

    from ..layers import OutputSet
    from .engine import Done, Draft, Request

__all__ = ["Results"]

_LARGE = 1 << 22
"""Pixels whose labels are not written within the blink of an eye."""

_DRAG = 2000
"""Changes that follow each other sooner are one step of undo, in ms."""


class Results(QObject):
    """Brings results into the viewer.

    The window draws itself meanwhile, so other things may want to happen before a
    result is there whole: they wait (`wait`).

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    changed = Signal()
    """There are other layers to work on: `output`."""

    def __init__(
        self, viewer: napari.viewer.Viewer, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image: Image | None = None
        self._showing = False
        self._due: deque[Callable[[], object]] = deque()
        self._drag: set[str] = set()
        self._rest = QElapsedTimer()
        self._rest.start()
        self.output: OutputSet | None = None
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def image(self) -> Image | None:
        """Whose layers these are."""
        return self._image

    def follow(self, layer: Image | None) -> None:
        """Work on the layers of this image."""
        self._image = layer
        self.refresh()

    def refresh(self) -> None:
        """Find the newest layers of the image."""
        layer = self._image
        found = outputs_of(self._viewer, layer) if layer is not None else []
        self._watch(found[0] if found else None)
        self.changed.emit()

    def _watch(self, output: OutputSet | None) -> None:
        """Hear when undo takes layers back to what another run has found."""
        before, self.output = self.output, output
        for layers, act in ((before, "disconnect"), (output, "connect")):
            for labels in layers.layers if layers is not None else ():
                # Undo and redo emit nothing else.
                getattr(labels.events.set_data, act)(self._on_data)

    def _on_data(self, event: Any = None) -> None:
        # Not while a result is being shown: it says itself when it is there.
        if not isalive(self) or self._showing or self.output is None:
            return
        if not self.output.current:
            self.refresh()

    def begin_update(self) -> None:
        """An update is on its way; soon after another it is the same step of undo."""
        if self._rest.elapsed() > _DRAG:
            self._drag = set()

    def show(
        self,
        request: Request,
        found: Done | Draft,
        edited: Literal["keep", "merge"],
        **options: Any,
    ) -> tuple[str, ...]:
        """Bring a result into the viewer; what was done with the layers, for people."""
        live = request.live
        self._showing = True
        try:
            shown = show_result(
                self._viewer,
                request.layer,
                found.result,
                # An update follows a hand on a slider: it makes no layers.
                edited="merge" if live else edited,
                amend=self._drag if live else (),
                between=_draw if _is_slow(request) else lambda: None,
                **options,
            )
            self._drag = {*self._drag, *shown} if live else set()
            self._rest.restart()
        finally:
            self._showing = False
            if self._due:
                QTimer.singleShot(0, self._go_on)
        if request.layer is self._image:
            self.refresh()
        return shown.notes

    @property
    def busy(self) -> bool:
        """Whether a result is being shown, or something waits for that."""
        return self._showing or bool(self._due)

    def wait(self, function: Callable[..., object], *given: Any) -> bool:
        """Whether something has to wait until a result is shown; it comes then."""
        if self._showing:
            self._due.append(partial(function, *given))
        return self._showing

    def _go_on(self) -> None:
        while self._due and not self._showing and isalive(self):
            self._due.popleft()()

    def _on_removed(self, event: Any) -> None:
        """Go on with the layers that are left."""
        if not isalive(self) or self.output is None:
            return
        if event.value in self.output.layers and not self.wait(self.refresh):
            self.refresh()


def _is_slow(request: Request) -> bool:
    """Whether showing a result takes so long that the window has to draw meanwhile.

    New layers do; changes of layers that are there only where they are large.
    """
    planes = request.target.planes
    pixels = sum(plane.shape[0] * plane.shape[1] for plane in planes)
    return not request.live or pixels > _LARGE


def _draw() -> None:
    """Let the window draw itself; what the user does waits."""
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
