"""Keeps prompts on the plane that is shown: start, follow slices and pixels, stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari.layers import Image
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from ..planes import Plane, Scope, take_target
from .prompt_watch import ViewWatch
from .prompted_object import PromptedObject

__all__ = ["PromptView"]


class PromptView(QObject):
    """Lets an object be prompted on what is shown of an image.

    Parameters
    ----------
    viewer : ViewerModel
    prompted : PromptedObject
    """

    stopped = Signal(str)
    """Prompting is over; why, or nothing if somebody asked for it."""
    turned = Signal()
    """The view has become one of two dimensions, or of three."""

    def __init__(
        self, viewer: Any, prompted: PromptedObject, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._prompted = prompted
        self._image: Image | None = None
        self._scope = Scope()
        prompted.elsewhere.connect(self._on_elsewhere)
        prompted.layer_removed.connect(self._on_ours_removed)
        self._watch = watch = ViewWatch(viewer, self)
        watch.moved.connect(self._follow)
        watch.turned.connect(self.turned)
        watch.repainted.connect(self._on_pixels)
        watch.removed.connect(self._on_image_removed)

    @property
    def active(self) -> bool:
        """Whether prompts are being made."""
        return self._prompted.layers is not None

    @property
    def flat(self) -> bool:
        """Whether the view has two dimensions."""
        return self._watch.flat

    def set_image(self, layer: Image | None) -> None:
        """Set the image on which one clicks; on another one prompting ends."""
        if layer is not self._image:
            self.stop()
            self._image = layer

    def set_scope(self, scope: Scope) -> None:
        """Set level, channels and contrast; ranges and window do not matter."""
        scope = replace(scope, ranges=(), window=None)
        if scope != self._scope:
            self.stop()
            self._scope = scope

    def start(self) -> bool:
        """Begin on the plane that is shown; False, and it is said why, if none is."""
        image, said = self._image, self._prompted.said
        if image is None or image not in self._viewer.layers:
            said.emit("There is no image to click on; open one first.")
            return False
        try:
            plane = self._take(image)
        except ValueError as error:
            said.emit(str(error))
            return False
        self._prompted.begin(plane)
        self._watch.begin(image)
        return True

    def stop(self, why: str = "") -> None:
        """Take everything away; prompts that were not kept are lost."""
        if self.active:
            self._watch.end()
            self._prompted.end()
            self._prompted.asker.forget_pixels()
            self.stopped.emit(why)

    def _take(self, image: Image) -> Plane:
        return take_target(self._viewer, image, self._scope).planes[0]

    def _shown(self) -> Plane | None:
        """What is shown of the image; None, and prompting ends, if it is no plane."""
        if self._image is None or not self.active:
            return None
        try:
            return self._take(self._image)
        except ValueError as error:
            self.stop(str(error))
            return None

    def _move(self, plane: Plane) -> None:
        """Begin on another plane, with the same layer selected as before."""
        layers = self._prompted.layers
        assert layers is not None
        selection = self._viewer.layers.selection
        selected = None if layers.active else selection.active
        self._prompted.end()
        self._prompted.begin(plane)
        if selected is not None and selected in self._viewer.layers:
            selection.active = selected
        self._prompted.ask()

    def _is_here(self, plane: Plane) -> bool:
        """Whether a plane lies where the prompts are."""
        layers = self._prompted.layers
        return layers is not None and _where(plane) == _where(layers.plane)

    def _follow(self) -> None:
        """Move to the slice that is shown, unless there are prompts on the last one."""
        plane = self._shown()
        if plane is None or self._is_here(plane):
            return
        if self._prompted.session.prompts:
            self._prompted.said.emit(
                "The prompts are in another slice; go back, or click here to begin "
                "anew."
            )
            return
        self._move(plane)

    def _on_elsewhere(self) -> None:
        """A click in another slice; napari is still busy with it."""
        QTimer.singleShot(0, self._begin_elsewhere)

    def _begin_elsewhere(self) -> None:
        plane = self._shown() if isalive(self) else None
        if plane is not None:
            self._move(plane)
            self._prompted.said.emit("Another slice: click on an object.")

    def _on_pixels(self) -> None:
        """The pixels are other ones, and so is perhaps the array."""
        plane, layers = self._shown(), self._prompted.layers
        self._prompted.asker.forget_pixels()
        if plane is None or layers is None:
            return
        if self._is_here(plane):
            layers.plane = plane
            # An answer that is on the way is about the old pixels.
            if self._prompted.session.prompts:
                self._prompted.ask()
        else:
            self._move(plane)

    def _on_image_removed(self, name: str) -> None:
        self._image = None
        self._stop_later(f"{name} was removed.")

    def _on_ours_removed(self) -> None:
        self._stop_later("A layer of the prompts was removed.")

    def _stop_later(self, why: str) -> None:
        # napari is in the middle of removing a layer.
        QTimer.singleShot(0, lambda: self.stop(why) if isalive(self) else None)


def _where(plane: Plane) -> tuple[Any, ...]:
    """Planes of one image for which this is equal lie on each other."""
    return plane.at, plane.position, plane.shape
