"""The layers on which prompts are made: clicks, a box, and a preview of the mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from ..planes import Plane
from ..planes.geometry import in_units_of
from ..prompting import Found, Prompts, Window

__all__ = ["LAYER_NAMES", "PromptLayers", "place_in"]

LAYER_NAMES: Final = ("S2CLIP preview", "S2CLIP box", "S2CLIP prompts")

_SYMBOLS: Final = {True: "cross", False: "x"}
# Of Okabe and Ito (2008), and the form differs too.
_COLOURS: Final = {True: "#009e73", False: "#d55e00"}
_BOX_COLOUR: Final = "#f0e442"

_STILL: Final = 4
"""A press that moves no further than so many pixels of the screen is a click."""

_INSIDE, _EDGE = 1, 2


class PromptLayers(QObject):
    """Three layers of ours on a plane of an image, until `close`.

    A click adds a positive prompt, one with Ctrl or Cmd or of the right button a
    negative one, and dragging with Shift a box; dragging alone pans, as everywhere.
    Mouse and keys act on these layers only, while one of them is selected.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
    plane : Plane
    keys : mapping of str to callable
        Without arguments, by napari's name of the key.
    """

    clicked = Signal(float, float, bool)
    """x, y in pixels of the plane, and whether it is positive."""
    elsewhere = Signal()
    """A click in another slice than the plane."""
    boxed = Signal(float, float, float, float)
    removed = Signal()
    """Somebody has removed one of the layers."""

    def __init__(
        self,
        viewer: Any,
        image: Image,
        plane: Plane,
        keys: Mapping[str, Callable[[], object]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image = image
        self.plane = plane
        self._window: Window | None = None
        self._drawn: tuple[slice, slice] | None = None
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
        self._keys = tuple(keys)
        self._closed = False
        selected = set(viewer.layers.selection)
        for layer in self.layers:
            layer.editable = False
            layer.mouse_drag_callbacks.append(self._on_press)
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
            layer.mouse_drag_callbacks.remove(self._on_press)
            for key in self._keys:
                layer.bind_key(key, None)
            if layer in layers:
                layers.remove(layer)
        if active in self.layers:
            layers.selection = {one for one in self._selected_before if one in layers}

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
            points.data = np.vstack([points.data, self._to_data(x, y)])

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
        self.box.data = [np.array([self._to_data(*corner) for corner in corners])]
        self.box.edge_width = [2 / scale]

    def show_preview(self, found: Found | None, colour: str) -> None:
        """Draw a mask in a colour with a white edge; None takes the last one away."""
        if found is None:
            self._erase()
            self.preview.refresh(thumbnail=False, extent=False, highlight=False)
            return
        self._move_to(found.window)
        self._erase()
        colours = {
            None: "transparent",
            0: "transparent",
            _INSIDE: (*_rgb(colour), 0.6),
            _EDGE: "white",
        }
        if not _same(self.preview.colormap, colours):
            self.preview.colormap = DirectLabelColormap(color_dict=colours)
        if found.mask.any():
            at = _extent(found.mask, 1), _extent(found.mask, 0)
            mask = found.mask[at]
            self._pixels[at] = mask * np.uint8(_INSIDE) + _edge(mask)
            self._drawn = at
        self.preview.refresh(thumbnail=False, extent=False, highlight=False)

    @property
    def _pixels(self) -> NDArray[Any]:
        """What the preview shows, without the axes that are hidden."""
        found: NDArray[Any] = self.preview.data.squeeze(self.plane.hidden)
        return found

    def _erase(self) -> None:
        if self._drawn is not None:
            self._pixels[self._drawn] = 0
            self._drawn = None

    def _move_to(self, window: Window) -> None:
        """Lay the preview on a window; of a large plane it is no larger than that."""
        if window == self._window:
            return
        self._window, self._drawn = window, None
        self.preview.data = self.plane.lift(np.zeros(window.shape, np.uint8))
        corner = self._to_data(window.left + 0.5, window.top + 0.5)
        world = np.append(self.points.data_to_world(corner), 1.0)
        affine = self.points.affine.affine_matrix
        self.preview.translate = np.linalg.solve(affine, world)[:-1]

    def _to_data(self, x: float, y: float) -> NDArray[np.float64]:
        """Pixels of the plane, whose corner is 0, to the points' own coordinates."""
        found = np.zeros(self.points.ndim)
        rows, columns = self._shown
        found[[rows, columns]] = y - 0.5, x - 0.5
        return found

    @property
    def _shown(self) -> tuple[int, int]:
        rows, columns = (
            axis for axis in range(self.points.ndim) if axis not in self.plane.hidden
        )
        return rows, columns

    def at(self, position: Any) -> tuple[float, float] | None:
        """x, y in pixels of the plane of a point of the world; None in another slice.

        Parameters
        ----------
        position : sequence of float
            As in napari's mouse events.
        """
        units = getattr(self._viewer.layers, "units", None)  # since napari 0.9
        world = in_units_of(self.points, position, units)
        data = np.asarray(self.points.world_to_data(world))
        if any(abs(data[axis]) > 0.5 + 1e-6 for axis in self.plane.hidden):
            return None
        rows, columns = self._shown
        return float(data[columns] + 0.5), float(data[rows] + 0.5)

    def _on_press(self, layer: Layer, event: Any) -> Iterator[None]:
        if self._viewer.dims.ndisplay != 2 or event.button not in (1, 2):
            return
        pressed, button, modifiers = event.position, event.button, set(event.modifiers)
        start = np.array(event.pos)
        box = button == 1 and "Shift" in modifiers
        if box:
            layer.mouse_pan = False
        try:
            yield
            moved = False
            while event.type == "mouse_move":
                moved = moved or bool(
                    np.abs(np.array(event.pos) - start).max() > _STILL
                )
                if box and moved:
                    self._show_drag(pressed, event.position)
                yield
        finally:
            layer.mouse_pan = True
        # Released.
        first, last = self.at(pressed), self.at(event.position)
        if first is None or last is None:
            self.elsewhere.emit()
        elif box and moved:
            self.boxed.emit(*first, *last)
        elif not moved and not modifiers - {"Control", "Meta"}:
            negative = button == 2 or bool(modifiers)
            self.clicked.emit(*first, not negative)

    def _show_drag(self, pressed: Any, position: Any) -> None:
        first, last = self.at(pressed), self.at(position)
        if first is not None and last is not None:
            self._show_box((*first, *last))

    def _on_removed(self, event: Any) -> None:
        if event.value in self.layers:
            self.removed.emit()


def place_in(labels: Labels, ours: PromptLayers) -> tuple[int | slice, ...]:
    """Where the plane of the prompts lies in the array of a Labels layer.

    Raises
    ------
    ValueError
        If their pixels do not lie on each other.
    """
    points, plane = ours.points, ours.plane
    rows, columns = ours._shown  # noqa: SLF001
    wrong = ValueError(
        f"{labels.name!r}: its pixels do not lie on those of the image; choose labels "
        "of this image and level"
    )
    if labels.ndim != points.ndim or labels.multiscale:
        raise wrong
    corner = np.zeros(points.ndim)
    steps = np.eye(points.ndim)
    first = np.asarray(labels.world_to_data(points.data_to_world(corner)))
    for axis in (rows, columns):
        end = labels.world_to_data(points.data_to_world(steps[axis]))
        if not np.allclose(np.asarray(end) - first, steps[axis], atol=1e-3):
            raise wrong
    nearest = np.round(first)
    if np.abs(first - nearest)[[rows, columns]].max() > 0.01:
        raise wrong
    lengths = dict(zip((rows, columns), plane.shape, strict=True))
    where: list[int | slice] = []
    for axis, begin in enumerate(int(v) for v in nearest):
        length = lengths.get(axis, 1)
        if begin < 0 or begin + length > labels.data.shape[axis]:
            raise wrong
        where.append(slice(begin, begin + length) if axis in lengths else begin)
    return tuple(where)


def _ignoring_the_layer(function: Callable[[], object]) -> Callable[[Layer], None]:
    def call(layer: Layer) -> None:
        function()

    return call


def _size(plane: Plane) -> float:
    """Of a click, in pixels of the image: on the screen too large, and so limited."""
    return max(3.0, max(plane.shape) / 16)


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _same(colormap: Any, colours: Mapping[Any, Any]) -> bool:
    known = getattr(colormap, "color_dict", {})
    inside = colours[_INSIDE]
    return _INSIDE in known and np.allclose(known[_INSIDE], inside, atol=1e-3)


def _extent(mask: NDArray[np.bool_], along: int) -> slice:
    at = np.flatnonzero(mask.any(along))
    return slice(int(at[0]), int(at[-1]) + 1)


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """1 at the pixels of a mask that are not surrounded by it, two deep."""
    inner = np.pad(mask, 2)
    for _ in range(2):
        around = inner.copy()
        around[1:] &= inner[:-1]
        around[:-1] &= inner[1:]
        around[:, 1:] &= inner[:, :-1]
        around[:, :-1] &= inner[:, 1:]
        inner = around
    edge: NDArray[np.bool_] = mask & ~inner[2:-2, 2:-2]
    return edge.astype(np.uint8)
