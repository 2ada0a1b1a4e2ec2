"""Windows of an image: what is in sight, and rectangles drawn on it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .geometry import in_units_of, shown_axes

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Shapes

    from .scope import Window

__all__ = ["field_of_view", "is_upright", "rectangle"]

_NEARLY = 1e-3
"""Parts of a pixel that rounding may add to the corners of a rectangle."""


def field_of_view(viewer: ViewerModel, layer: Image) -> Window:
    """The part of an image that is in sight, as a window of its finest level.

    Of a rotated image it is the smallest window that holds what is in sight.

    Raises
    ------
    ValueError
        If nothing of the image is in sight, or it is shown in three dimensions.
    """
    if viewer.dims.ndisplay != 2:
        raise ValueError(
            "window: what is in sight is no rectangle in 3D; show it in 2D"
        )
    new = hasattr(viewer, "scene")  # since napari 0.9
    camera = viewer.scene.camera if new else viewer.camera
    size = viewer.canvas.size if new else viewer._canvas_size  # noqa: SLF001
    half = np.array(size, float) / camera.zoom / 2
    shown = list(viewer.dims.order[-2:])
    corners = np.tile(np.array(viewer.dims.point, float), (4, 1))
    corners[:, shown] = [
        np.array(camera.center[-2:]) + half * way for way in product((-1, 1), repeat=2)
    ]
    units = getattr(viewer.layers, "units", None)
    window = _window_of(viewer, layer, in_units_of(layer, corners, units))
    if window is None:
        raise ValueError(
            f"window: nothing of {layer.name!r} is in sight; move the view to it"
        )
    return window


def rectangle(
    viewer: ViewerModel, shapes: Shapes, layer: Image, index: int | None = None
) -> Window:
    """The rectangle around a shape, as a window of the finest level of an image.

    Pixels that it touches belong to it. The slice on which it was drawn does not
    matter.

    Parameters
    ----------
    viewer : ViewerModel
    shapes : Shapes
    layer : Image
    index : int, optional
        Which shape; by default the last one that is selected, else the last one.

    Raises
    ------
    ValueError
        If there is no such shape, it has no area, or lies outside the image.
    """
    corners = _corners(shapes, layer, _chosen(shapes, index))
    window = _window_of(viewer, layer, corners)
    if window is None:
        raise ValueError(
            f"window: the shape in {shapes.name!r} lies outside {layer.name!r}; draw "
            "it on the image"
        )
    return window


def is_upright(
    viewer: ViewerModel, shapes: Shapes, layer: Image, index: int | None = None
) -> bool:
    """Whether a shape is a rectangle along rows and columns of an image.

    Of every other one `rectangle` gives more than the shape itself. For parameters and
    errors see there.
    """
    index = _chosen(shapes, index)
    if shapes.shape_type[index] != "rectangle":
        return False
    points = _pixels(viewer, layer, _corners(shapes, layer, index))
    low, high = points.min(0), points.max(0)
    at_an_end = np.minimum(np.abs(points - low), np.abs(points - high))
    return bool((at_an_end < 0.5).all())


def _chosen(shapes: Shapes, index: int | None) -> int:
    count = len(shapes.data)
    if not count:
        raise ValueError(f"window: {shapes.name!r} has no shape; draw a rectangle")
    if index is None:
        return max(shapes.selected_data, default=count - 1)
    if not -count <= index < count:
        raise ValueError(f"window: {shapes.name!r} has no shape {index}; draw it first")
    return index


def _corners(shapes: Shapes, layer: Image, index: int) -> Any:
    """The vertices of a shape in the world, in the units of an image."""
    vertices = np.asarray(shapes.data[index], float)
    if not _has_area(vertices):
        raise ValueError(
            f"window: the shape in {shapes.name!r} has no area; draw a larger one"
        )
    world = np.array([shapes.data_to_world(vertex) for vertex in vertices])
    return in_units_of(layer, world, getattr(shapes, "units", None))


def _has_area(vertices: NDArray[np.float64]) -> bool:
    spread = np.linalg.svd(vertices - vertices.mean(0), compute_uv=False)
    return bool(len(spread) > 1 and spread[1] > _NEARLY)


def _pixels(viewer: ViewerModel, layer: Image, world: Any) -> NDArray[np.float64]:
    """Rows and columns of the finest level at points of the world."""
    points = np.array([layer.world_to_data(point) for point in world], float)
    return points[:, list(shown_axes(viewer, layer.ndim))]


def _window_of(viewer: ViewerModel, layer: Image, world: Any) -> Window | None:
    """The pixels of the finest level around points of the world; None for no pixel."""
    points = _pixels(viewer, layer, world)
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    sides = np.array([shape[axis] for axis in shown_axes(viewer, layer.ndim)])
    # A pixel reaches half to both sides of its middle.
    low = np.floor(points.min(0) + 0.5 + _NEARLY).clip(0, sides)
    high = np.ceil(points.max(0) + 0.5 - _NEARLY).clip(0, sides)
    if not (low < high).all():
        return None
    (top, left), (bottom, right) = low.astype(int).tolist(), high.astype(int).tolist()
    return top, left, bottom, right
