"""The object that is clicked on: its prompts, and the mask that SAM finds for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from ..planes import Plane
from ..progress import Progress
from ..prompt_engine import PromptEngine
from ..prompting import Found, Prompts, PromptSession
from .prompt_asker import PromptAsker
from .prompt_layers import PromptLayers
from .worker import Failure

__all__ = ["PromptedObject"]

_DRAW_MS: Final = 100
"""Prompts are drawn with their mask, unless it takes longer: drawing takes longest."""


class PromptedObject(QObject):
    """Prompts on a plane, drawn on layers of ours and answered by SAM in a thread.

    Parameters
    ----------
    viewer : ViewerModel
    engine : PromptEngine or None
    """

    clicked = Signal(float, float, bool)
    """x, y in pixels of the plane, and whether it is positive; see `add_click`."""
    elsewhere = Signal()
    """A click in another slice than the plane."""
    layer_removed = Signal()
    """Somebody has removed one of the layers."""
    said = Signal(str)
    """A sentence; an empty one takes the last away."""
    encoding = Signal(object)
    """A `Progress`, or None when it is over."""
    prompts_changed = Signal()
    found_changed = Signal()
    """`found` is another mask, or none."""
    answered = Signal(bool)
    """Whether the present prompts have their mask now; else they will not get one."""

    def __init__(
        self, viewer: Any, engine: PromptEngine | None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.keys: Mapping[str, Callable[[], object]] = {}
        """What keys do while one of the layers is selected; see `PromptLayers`."""
        self.layers: PromptLayers | None = None
        self.session = PromptSession((0, 0))
        self.found: Found | None = None
        self.asker = PromptAsker(engine, self)
        self.asker.encoding.connect(self._on_encoding)
        self.asker.answered.connect(self._on_answer)
        self.asker.cancelled.connect(self._on_cancelled)
        self._encoding = False
        self._colour = "#ffffff"
        self._draw = QTimer(self)
        self._draw.setSingleShot(True)
        self._draw.setInterval(_DRAW_MS)
        self._draw.timeout.connect(self._show_prompts)

    def begin(self, plane: Plane) -> None:
        """Add the layers for a plane."""
        self.layers = layers = PromptLayers(self._viewer, plane, self.keys, self)
        layers.mouse.clicked.connect(self.clicked)
        layers.mouse.boxed.connect(self.set_box)
        layers.mouse.elsewhere.connect(self.elsewhere)
        layers.removed.connect(self.layer_removed)
        self.session = PromptSession(plane.shape)
        self._set_found(None)

    def end(self) -> None:
        """Take the layers and the prompts away."""
        self.asker.cancel()
        layers, self.layers = self.layers, None
        if layers is not None:
            layers.close()
            layers.deleteLater()
        self.session = PromptSession((0, 0))
        self._draw.stop()
        self._set_encoding(None)
        self._set_found(None)

    def begin_anew(self) -> None:
        """Forget the prompts, for the next object."""
        self.session.begin_anew()
        self._show_prompts()
        self._set_found(None)

    # Prompts.

    def undo(self) -> bool:
        """Take back the last prompt; False if there is none."""
        return self._step(self.session.undo())

    def redo(self) -> bool:
        """Bring back a prompt that was taken back; False if there is none."""
        return self._step(self.session.redo())

    def clear(self) -> None:
        """Take back all prompts."""
        if self.session.prompts:
            self.session.clear()
            self._changed()

    def add_click(self, x: float, y: float, *, positive: bool) -> None:
        """Add a click, in pixels of the plane."""
        self._add(lambda: self.session.add_click(x, y, positive=positive))

    def set_box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Set the box; what of it is outside the plane is cut off."""
        height, width = self.session.shape
        x0, x1 = np.clip((x0, x1), 0, width)
        y0, y1 = np.clip((y0, y1), 0, height)
        self._add(lambda: self.session.set_box(x0, y0, x1, y1))
        # What was drawn while dragging goes if it was refused.
        self._show_prompts()

    def start_from(self, mask: Any, *, top: int = 0, left: int = 0) -> None:
        """Begin with the present pixels of a label or region.

        Parameters
        ----------
        mask : ndarray of bool
        top, left : int
            Where its first pixel is in the plane.
        """
        self._add(lambda: self.session.set_start(mask, top=top, left=left))

    def set_colour(self, colour: str) -> None:
        """Of the class that the object will get."""
        self._colour = colour
        self._show_found()

    def _step(self, there: bool) -> bool:
        if there:
            self._changed()
        return there

    def _add(self, act: Callable[[], None]) -> None:
        if self.layers is None:
            return
        first = not self.session.prompts
        try:
            act()
        except ValueError as error:
            self.said.emit(str(error))
            return
        if first:
            # The array may have changed without any notice.
            self.asker.forget_pixels(only_cheap=True)
        self._changed()

    def _changed(self) -> None:
        self.prompts_changed.emit()
        self.ask()
        if self.asker.busy:
            self._draw.start()
        else:
            self._show_prompts()

    def _show_prompts(self) -> None:
        self._draw.stop()
        if self.layers is not None:
            self.layers.show_prompts(self.session.prompts)

    # SAM.

    def ask(self) -> None:
        """Have the mask of the present prompts made, in a thread."""
        layers, prompts = self.layers, self.session.prompts
        if layers is None:
            return
        if self.asker.engine is None:
            self.said.emit("No model is loaded; run once, then click.")
            return
        if not prompts.complete:
            self._set_found(None)
            if prompts:
                self.said.emit("Click on the object itself, too.")
        try:
            self.asker.ask(layers.plane, prompts, self._centre)
        except ValueError as error:
            self._set_found(None)
            self.said.emit(str(error))

    def cancel(self) -> bool:
        """Stop encoding; the prompts stay. False if nothing is on the way."""
        busy = self.asker.busy
        if busy:
            self.asker.cancel()
        return busy

    def _centre(self) -> tuple[float, float]:
        assert self.layers is not None
        dims = self._viewer.dims
        camera = getattr(self._viewer, "scene", self._viewer).camera
        position = np.array(dims.point, float)
        position[list(dims.displayed[-2:])] = camera.center[-2:]
        height, width = self.session.shape
        return self.layers.places.at(position) or (width / 2, height / 2)

    def _set_encoding(self, progress: Progress | None) -> None:
        if progress is not None or self._encoding:
            self._encoding = progress is not None
            self.encoding.emit(progress)

    def _on_encoding(self, progress: Progress) -> None:
        if self.layers is not None:
            self._set_encoding(progress)
            self.said.emit("Encoding the image with SAM…")

    def _on_cancelled(self, plane: Plane) -> None:
        if self.layers is not None and self.layers.plane is plane:
            self._set_encoding(None)
            self.said.emit("Cancelled; click to encode again.")
            self.answered.emit(False)

    def _on_answer(
        self, plane: Plane, prompts: Prompts, answer: Found | Failure | None
    ) -> None:
        if self.layers is None or self.layers.plane is not plane:
            return
        encoded = self._encoding
        self._set_encoding(None)
        if prompts != self.session.prompts:
            return
        self._show_prompts()
        if isinstance(answer, Failure):
            self._set_found(None)
            self.said.emit(answer.message)
        else:
            self._set_found(answer)
            if answer is not None:
                empty = not answer.mask.any()
                self.said.emit("SAM finds nothing there; add a click." if empty else "")
            elif encoded and not prompts:
                self.said.emit("Click on an object.")
        self.answered.emit(not isinstance(answer, Failure))

    def _set_found(self, found: Found | None) -> None:
        self.found = found
        self._show_found()
        self.found_changed.emit()

    def _show_found(self) -> None:
        if self.layers is not None:
            self.layers.show_preview(self.found, self._colour)
