"""The mask that SAM found, shown over the image before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from ..planes import Plane
from ..prompting import Found, Window
from .prompt_plane import PlaneMap

__all__ = ["MaskPreview"]

_INSIDE, _EDGE = 1, 2


class MaskPreview:
    """Draws masks on a Labels layer, which lies on the window of the mask only.

    Parameters
    ----------
    layer : Labels
    plane : Plane
    places : PlaneMap
        Of a layer with the plane's own placement.
    """

    def __init__(self, layer: Labels, plane: Plane, places: PlaneMap) -> None:
        self.layer = layer
        self._plane = plane
        self._places = places
        self._window: Window | None = None
        self._drawn: tuple[slice, slice] | None = None

    def show(self, found: Found | None, colour: str) -> None:
        """Draw a mask in a colour with a white edge; None takes the last one away."""
        if found is None:
            self._erase()
            self.layer.refresh(thumbnail=False, extent=False, highlight=False)
            return
        self._move_to(found.window)
        self._erase()
        colours = {
            None: "transparent",
            0: "transparent",
            _INSIDE: (*_rgb(colour), 0.6),
            _EDGE: "white",
        }
        if not _same(self.layer.colormap, colours):
            self.layer.colormap = DirectLabelColormap(color_dict=colours)
        if found.mask.any():
            at = _extent(found.mask, 1), _extent(found.mask, 0)
            mask = found.mask[at]
            self._pixels[at] = mask * np.uint8(_INSIDE) + _edge(mask)
            self._drawn = at
        self.layer.refresh(thumbnail=False, extent=False, highlight=False)

    @property
    def _pixels(self) -> NDArray[Any]:
        """What the layer shows, without the axes that are hidden."""
        found: NDArray[Any] = self.layer.data.squeeze(self._plane.hidden)
        return found

    def _erase(self) -> None:
        if self._drawn is not None:
            self._pixels[self._drawn] = 0
            self._drawn = None

    def _move_to(self, window: Window) -> None:
        """Lay the layer on a window; of a large plane it is no larger than that."""
        if window == self._window:
            return
        self._window, self._drawn = window, None
        self.layer.data = self._plane.lift(np.zeros(window.shape, np.uint8))
        corner = self._places.to_world(window.left + 0.5, window.top + 0.5)
        affine = self.layer.affine.affine_matrix
        self.layer.translate = np.linalg.solve(affine, np.append(corner, 1.0))[:-1]


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
