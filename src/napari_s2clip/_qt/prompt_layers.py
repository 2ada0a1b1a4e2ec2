"""The layers on which prompts are made: clicks, a box, and a preview of the mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from napari.layers import Labels, Layer, Points, Shapes
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from ..planes import Plane
from ..prompting import Found, Prompts
from .prompt_mouse import PromptMouse
from .prompt_plane import PlaneMap
from .prompt_preview import MaskPreview

__all__ = ["LAYER_NAMES", "PromptLayers"]

LAYER_NAMES: Final = ("S2CLIP preview", "S2CLIP box", "S2CLIP prompts")

_SYMBOLS: Final = {True: "cross", False: "x"}
# Of Okabe and Ito (2008), and the form differs too.
_COLOURS: Final = {True: "#009e73", False: "#d55e00"}
_BOX_COLOUR: Final = "#f0e442"


class PromptLayers(QObject):
    """Three layers of ours on a plane of an image, until `close`.

    Mouse and keys act on these layers only, while one of them is selected. None of them
    can be edited by napari's own tools.

    Parameters
    ----------
    viewer : ViewerModel
    plane : Plane
    keys : mapping of str to callable
        Without arguments, by napari's name of the key.
    """

    removed = Signal()
    """Somebody has removed one of the layers."""

    def __init__(
        self,
        viewer: Any,
        plane: Plane,
        keys: Mapping[str, Callable[[], object]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.plane = plane
        self._clicks: tuple[tuple[float, float, bool], ...] = ()
        self._box: tuple[float, float, float, float] | None = None
        ndim = len(plane.placement["scale"])
        preview, box, points = LAYER_NAMES
        options = {**plane.placement, "metadata": {"napari_s2clip": {"prompts": True}}}
        self.preview = Labels(
            plane.lift(np.zeros((1, 1), np.uint8)), name=preview, **options
        )
        self.box = Shapes(
            ndim=ndim,
            name=box,
            edge_color=_BOX_COLOUR,
            face_color="transparent",
            **options,
        )
        self.points = Points(
            ndim=ndim,
            name=points,
            size=_size(plane),
            # On the screen. The lower limit counts for the border too, at its half.
            canvas_size_limits=(2, 26),
            border_color="white",
            **options,
        )
        self.places = PlaneMap(viewer, self.points, plane)
        self._mask = MaskPreview(self.preview, plane, self.places)
        self.mouse = PromptMouse(viewer, self.places, self)
        self.mouse.dragged.connect(lambda *corners: self._show_box(corners))
        self._keys = tuple(keys)
        self._closed = False
        selected = set(viewer.layers.selection)
        for layer in self.layers:
            layer.editable = False
            layer.mouse_drag_callbacks.append(self.mouse.press)
            for key, function in keys.items():
                layer.bind_key(key, _ignoring_the_layer(function))
            viewer.layers.append(layer)
        self._selected_before = selected
        viewer.layers.selection.active = self.points
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """From the bottom to the top."""
        return self.preview, self.box, self.points

    @property
    def active(self) -> bool:
        """Whether clicks are prompts now: one of the layers is selected."""
        return self._viewer.layers.selection.active in self.layers

    def activate(self) -> None:
        """Select the layer on which clicks are prompts."""
        self._viewer.layers.selection.active = self.points

    def close(self) -> None:
        """Take away the layers, and with them everything bound to them."""
        if self._closed:
            return
        self._closed = True
        layers = self._viewer.layers
        layers.events.removed.disconnect(self._on_removed)
        active = layers.selection.active
        for layer in self.layers:
            layer.mouse_drag_callbacks.remove(self.mouse.press)
            for key in self._keys:
                layer.bind_key(key, None)
            if layer in layers:
                layers.remove(layer)
        if active in self.layers:
            layers.selection = {one for one in self._selected_before if one in layers}

    def show_preview(self, found: Found | None, colour: str) -> None:
        """Draw a mask in a colour; None takes the last one away."""
        self._mask.show(found, colour)

    def show_prompts(self, prompts: Prompts) -> None:
        """Draw clicks and box."""
        clicks = tuple((c.x, c.y, c.positive) for c in prompts.clicks)
        if clicks != self._clicks:
            same = 0
            for old, new in zip(self._clicks, clicks, strict=False):
                if old != new:
                    break
                same += 1
            self._show_clicks(clicks, same)
            self._clicks = clicks
        self._show_box(prompts.box)

    def _show_clicks(
        self, clicks: tuple[tuple[float, float, bool], ...], same: int
    ) -> None:
        """Those beyond the first ``same`` are new. Each setter of napari draws."""
        points = self.points
        points.selected_data = set()
        if same < len(points.data):
            points.data = points.data[:same]
        for x, y, positive in clicks[same:]:
            points.current_symbol = _SYMBOLS[positive]
            points.current_face_color = _COLOURS[positive]
            points.data = np.vstack([points.data, self.places.to_data(x, y)])

    def _show_box(self, box: tuple[float, float, float, float] | None) -> None:
        if box == self._box:
            return
        self._box = box
        if box is None:
            self.box.data = []
            return
        x0, y0, x1, y1 = box
        # As wide as a line of the screen; it is in pixels of the image.
        zoom = getattr(self._viewer, "scene", self._viewer).camera.zoom
        scale = max(1e-9, float(np.abs(self.points.scale).max()) * zoom)
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        self.box.data = [np.array([self.places.to_data(*corner) for corner in corners])]
        self.box.edge_width = [2 / scale]

    def _on_removed(self, event: Any) -> None:
        if event.value in self.layers:
            self.removed.emit()


def _ignoring_the_layer(function: Callable[[], object]) -> Callable[[Layer], None]:
    def call(layer: Layer) -> None:
        function()

    return call


def _size(plane: Plane) -> float:
    """Of a click, in pixels of the image: on the screen too large, and so limited."""
    return max(3.0, max(plane.shape) / 16)
