"""Axes, levels and places in the world of an Image layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

__all__ = [
    "Grid",
    "axis_name",
    "current_index",
    "in_units_of",
    "placement",
    "separable",
    "shown_axes",
]

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass(frozen=True)
class Grid:
    """A level of an image next to the finest one.

    Attributes
    ----------
    finest, shape : ndarray of int
        Sizes of the axes, without colours.
    """

    finest: NDArray[np.int64]
    shape: NDArray[np.int64]

    @property
    def factors(self) -> NDArray[np.float64]:
        """Pixels of the finest level in one of this level, along each axis."""
        return np.asarray(self.finest / self.shape)

    def index(self, axis: int, finest: int) -> int:
        """The pixel of this level that holds the middle of one of the finest."""
        found = int(np.floor((finest + 0.5) / self.factors[axis]))
        return min(max(found, 0), int(self.shape[axis]) - 1)

    def span(self, axis: int, first: int, stop: int) -> slice:
        """The pixels of this level that a range of the finest touches."""
        factor = self.factors[axis]
        low = max(0, int(np.floor(first / factor)))
        return slice(low, min(int(self.shape[axis]), int(np.ceil(stop / factor))))


def shown_axes(viewer: ViewerModel, ndim: int) -> tuple[int, int]:
    """Axes of a layer that the canvas shows, in the order of the data."""
    missing = viewer.dims.ndim - ndim
    rows, columns = sorted(axis - missing for axis in viewer.dims.order[-2:])
    return (rows, columns) if rows >= 0 else (ndim - 2, ndim - 1)


def axis_name(layer: Layer, axis: int) -> str:
    """What people call an axis: ``axis z``, or ``the first axis`` without a label."""
    label = str(layer.axis_labels[axis])
    if label != str(axis - layer.ndim):  # as napari calls it then
        return f"axis {label}"
    return f"the {_ORDINALS[axis]} axis" if axis < len(_ORDINALS) else f"axis {axis}"


def current_index(viewer: ViewerModel, layer: Image) -> NDArray[np.int64]:
    """The pixel of the finest level where the sliders are, clipped to the image."""
    units = getattr(viewer.layers, "units", None)  # since napari 0.9
    point = in_units_of(layer, np.array(viewer.dims.point, float), units)
    shape = np.array((layer.data[0] if layer.multiscale else layer.data).shape)
    found = np.floor(np.asarray(layer.world_to_data(point), float) + 0.5)
    return np.asarray(np.clip(found, 0, shape[: layer.ndim] - 1), np.int64)


def in_units_of(layer: Layer, point: NDArray[np.float64], units: Any) -> Any:
    """A point of the world, (…, axes), in the units of a layer.

    Layers in nm and in µm lie together in one viewer, whose own point is in one of the
    two units; the transforms of a layer know only its own.
    """
    point = np.array(point, float)
    if units is None:  # as many pixels, or units that do not compare
        return point
    for axis in range(-min(len(units), layer.ndim), 0):
        have, want = units[axis], layer.units[axis]
        if have != want and have.is_compatible_with(want):
            point[..., axis] *= (1.0 * have).to(want).magnitude
    return point


def placement(
    layer: Image,
    first: NDArray[np.float64],
    factors: NDArray[np.float64],
    dropped: int | None = None,
) -> dict[str, Any]:
    """Arguments for a layer whose pixels lie on those of an image.

    Parameters
    ----------
    layer : Image
    first : ndarray, (axes,)
        Middle of its first pixel, in pixels of the image's finest level.
    factors : ndarray, (axes,)
        Pixels of the image in one of it.
    dropped : int, optional
        An axis that the layer does not have, which must be `separable`.
    """
    kept = [axis for axis in range(layer.ndim) if axis != dropped]
    above = np.triu_indices(layer.ndim, 1)
    shear = np.eye(layer.ndim)
    shear[above] = layer.shear
    outer = [*kept, layer.ndim]
    world = np.append(layer.data_to_world(first), 1.0)
    affine = np.array(layer.affine.affine_matrix)
    physical = np.linalg.solve(affine, world)[:-1]
    return {
        "scale": (np.array(layer.scale, float) * factors)[kept],
        "translate": physical[kept],
        "rotate": np.array(layer.rotate)[np.ix_(kept, kept)],
        "shear": shear[np.ix_(kept, kept)][np.triu_indices(len(kept), 1)],
        "affine": affine[np.ix_(outer, outer)],
        "units": tuple(np.array(layer.units, object)[kept]),
        "axis_labels": tuple(np.array(layer.axis_labels, object)[kept]),
    }


def separable(layer: Image, axis: int) -> bool:
    """Whether an axis of the data is that axis of the world and nothing else."""
    step = np.eye(layer.ndim)
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    linear = np.array([layer.data_to_world(way) - origin for way in step])
    others = [other for other in range(layer.ndim) if other != axis]
    return not (linear[axis, others].any() or linear[others, axis].any())
