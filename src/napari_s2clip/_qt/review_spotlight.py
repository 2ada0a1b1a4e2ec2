"""Show a region in the canvas: its slice, its place, a frame around it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAME", "Spotlight"]

FRAME: Final = "S2CLIP review"
"""Name of the layer with the frame."""

_COLOUR: Final = "#ff00ff"  # no class has it by default
_LINE: Final = 3.0  # screen pixels
_SHARE: Final = (0.1, 0.4, 0.8)
"""Of the canvas: the least that a region takes as it is, what it takes after zooming
in, and the most that leaves a margin around it."""
_LARGEST_PIXEL: Final = 16.0  # screen pixels, so that a small region keeps its context


class Spotlight:
    """A frame around one region of a Labels layer, in a layer of our own.

    Parameters
    ----------
    viewer : Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._frame: Any = None
        self._around: Any = None

    def show(
        self,
        labels: Any,
        position: tuple[int, ...],
        box: tuple[float, float, float, float],
        axes: tuple[int, int],
        *,
        move: bool = True,
    ) -> None:
        """Frame a box and, with ``move``, go to its slice and bring it into view.

        Parameters
        ----------
        labels : Labels
        position : tuple of int
            Of the box on the axes that are neither its rows nor its columns.
        box : (float, float, float, float)
            Top, left, bottom and right, half-open, in pixels.
        axes : (int, int)
            Rows and columns.
        move : bool
        """
        corners = _corners(labels.ndim, position, box, axes)
        if move:
            self._go_to(labels, corners)
        drawn = self._pixel_size(labels, corners) * _camera(self._viewer).zoom
        self._draw(labels, corners, drawn)

    def clear(self) -> None:
        """Take the frame away."""
        if self._frame is not None and self._frame in self._viewer.layers:
            self._viewer.layers.remove(self._frame)
        self._frame = self._around = None

    def _go_to(self, labels: Any, corners: NDArray[np.float64]) -> None:
        world = self._to_viewer(labels, corners)
        dims = self._viewer.dims
        missing = dims.ndim - labels.ndim
        middle = (world.min(0) + world.max(0)) / 2
        for axis in dims.not_displayed:
            if axis >= missing:
                dims.set_point(axis, middle[axis - missing])
        shown = [axis - missing for axis in dims.displayed if axis >= missing]
        camera = _camera(self._viewer)
        center = np.array(camera.center, float)
        center[len(center) - len(shown) :] = middle[shown]
        camera.center = tuple(center)
        extent = np.ptp(world[:, shown[-2:]], axis=0)
        pixel = self._pixel_size(labels, corners)
        camera.zoom = _zoom(camera.zoom, extent, _canvas_size(self._viewer), pixel)

    def _pixel_size(self, labels: Any, corners: NDArray[np.float64]) -> float:
        """Side of a pixel of the labels in the world of the viewer."""
        sides = np.linalg.norm(np.diff(corners[:3], axis=0), axis=1)
        world = np.diff(self._to_viewer(labels, corners[:3]), axis=0)
        return float(np.mean(np.linalg.norm(world, axis=1) / sides))

    def _to_viewer(
        self, labels: Any, points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Points of the data in the world of the viewer and its units."""
        world = np.array([labels.data_to_world(point) for point in points], float)
        units = getattr(self._viewer.layers, "units", None)
        if units is None:  # units that do not compare are not converted
            return world
        for axis, unit in enumerate(units[-labels.ndim :]):
            if unit != labels.units[axis]:
                world[:, axis] = (
                    (world[:, axis] * labels.units[axis]).to(unit).magnitude
                )
        return world

    def _draw(
        self, labels: Any, corners: NDArray[np.float64], drawn_pixel: float
    ) -> None:
        from napari.layers import Shapes

        layers = self._viewer.layers
        if self._frame in layers and self._around is labels:
            # Another layer would take napari a tenth of a second.
            self._frame.data = [(corners, "rectangle")]
            self._frame.edge_width = [_LINE / drawn_pixel]
            self._frame.edge_color = _COLOUR
            self._frame.face_color = "transparent"
            return
        self.clear()
        self._around = labels
        selected, active = set(layers.selection), layers.selection.active
        self._frame = Shapes(
            [corners],
            shape_type="rectangle",
            name=FRAME,
            edge_color=_COLOUR,
            edge_width=_LINE / drawn_pixel,
            face_color="transparent",
            scale=labels.scale,
            translate=labels.translate,
            rotate=np.array(labels.rotate),
            shear=np.array(labels.shear),
            affine=np.array(labels.affine.affine_matrix),
            units=labels.units,
            axis_labels=labels.axis_labels,
        )
        self._viewer.add_layer(self._frame)
        # Whoever works on a layer goes on doing so.
        layers.selection = selected
        layers.selection.active = active


def _corners(
    ndim: int,
    position: tuple[int, ...],
    box: tuple[float, float, float, float],
    axes: tuple[int, int],
) -> NDArray[np.float64]:
    """Corners of the box in the data, shape (4, ndim); whole numbers are middles."""
    top, left, bottom, right = (edge - 0.5 for edge in box)
    corners = np.zeros((4, ndim))
    others = [axis for axis in range(ndim) if axis not in axes]
    corners[:, others] = position
    corners[:, axes[0]] = top, top, bottom, bottom
    corners[:, axes[1]] = left, right, right, left
    return corners


def _zoom(
    zoom: float, extent: NDArray[np.float64], canvas: tuple[int, int], pixel: float
) -> float:
    """The zoom that shows a region well and whole; the one that is, if it does."""
    least, wanted, most = _SHARE
    share = float(np.max(extent * zoom / np.array(canvas)))
    largest = _LARGEST_PIXEL / pixel
    if share > most:
        return min(zoom * most / share, largest)
    if share < least:
        return max(zoom, min(zoom * wanted / share, largest))
    return zoom


def _camera(viewer: Any) -> Any:
    # Since napari 0.9 it belongs to the scene, and asking the viewer for it warns.
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def _canvas_size(viewer: Any) -> tuple[int, int]:
    """Height and width in screen pixels."""
    if hasattr(viewer, "canvas"):
        return tuple(viewer.canvas.size)
    return tuple(viewer._canvas_size)  # noqa: SLF001, public since napari 0.9
