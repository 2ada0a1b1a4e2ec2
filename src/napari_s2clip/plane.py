"""Which pixels of an Image layer a run looks at, and where they lie in the world.

Works on napari's layers and imports none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["MAX_SIDE", "Plane", "take_plane"]

MAX_SIDE: Final = 4096
"""Of a multiscale image the first level whose sides are not longer is taken, in px."""


@dataclass(frozen=True)
class Plane:
    """A 2-D plane of an Image layer, as it was when a run began.

    Attributes
    ----------
    data : array_like
        The level that is used, with all its axes; not read before `read`.
    index : tuple of int or slice
        Picks the plane out of ``data``.
    hidden : tuple of int
        Axes of the layer that the plane does not have.
    position : tuple of int
        Where the plane is on them, in pixels of the finest level.
    shape : (int, int)
        Height and width of the plane, in pixels.
    rgb : bool
        Whether the last axis of ``data`` holds colours.
    contrast_limits : (float, float) or None
        What the layer shows as black and white; None for colours.
    placement : dict
        Arguments for a layer that lies exactly on the plane.
    notes : tuple of str
        What was chosen on the user's behalf, for people.
    """

    data: Any
    index: tuple[int | slice, ...]
    hidden: tuple[int, ...]
    position: tuple[int, ...]
    shape: tuple[int, int]
    rgb: bool
    contrast_limits: tuple[float, float] | None
    placement: dict[str, Any]
    notes: tuple[str, ...] = ()

    def read(self) -> NDArray[Any]:
        """Pixels (H, W) or (H, W, colours); for lazy data this is the work."""
        return np.asarray(self.data[self.index])

    def lift(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Labels (H, W) with the axes of the image; hidden ones have length 1."""
        return np.expand_dims(labels, self.hidden)


def take_plane(viewer: ViewerModel, layer: Image) -> Plane:
    """Snapshot of the plane that is shown of an image.

    Of an image with more than two axes it is the current slice, of a multiscale image
    the finest level with sides of at most `MAX_SIDE` pixels, else the coarsest.
    """
    levels = list(layer.data) if layer.multiscale else [layer.data]
    ndim = layer.ndim
    shapes = [np.array(level.shape[:ndim]) for level in levels]
    shown = _shown_axes(viewer, ndim)
    hidden = tuple(axis for axis in range(ndim) if axis not in shown)
    fits = [bool((shape[list(shown)] <= MAX_SIDE).all()) for shape in shapes]
    # Without a pyramid there is no smaller level to choose.
    level = fits.index(True) if True in fits else len(levels) - 1
    factors = shapes[0] / shapes[level]

    point = np.asarray(layer.world_to_data(_point(viewer, layer)), float)
    nearest = np.clip(np.floor(point + 0.5), 0, shapes[0] - 1).astype(int)
    at_level = np.clip(
        np.floor((nearest + 0.5) / factors), 0, shapes[level] - 1
    ).astype(int)
    index = tuple(slice(None) if a in shown else int(at_level[a]) for a in range(ndim))
    position = tuple(int(nearest[a]) for a in hidden)

    # The centre of the plane's first pixel, in pixels of the finest level: a pixel of
    # a coarser level covers several, and both levels begin at the same edge.
    first = nearest.astype(float)
    scale = np.array(layer.scale, float)
    for axis in shown:
        first[axis] = (factors[axis] - 1) / 2
        scale[axis] *= factors[axis]

    notes = []
    if hidden:
        where = ", ".join(
            f"{p} of {shapes[0][a]} along axis {layer.axis_labels[a]}"
            for a, p in zip(hidden, position, strict=True)
        )
        notes.append(f"only the current slice was segmented: {where}")
    height, width = (int(shapes[level][axis]) for axis in shown)
    if level:
        notes.append(f"level {level} of the pyramid ({width} × {height} px) was used")
    return Plane(
        data=levels[level],
        index=index,
        hidden=hidden,
        position=position,
        shape=(height, width),
        rgb=bool(layer.rgb),
        contrast_limits=None if layer.rgb else _finite(layer.contrast_limits),
        placement={
            "scale": scale,
            "translate": _to_physical(layer, first),
            "rotate": np.array(layer.rotate),
            "shear": np.array(layer.shear),
            "affine": np.array(layer.affine.affine_matrix),
            "units": tuple(layer.units),
            "axis_labels": tuple(layer.axis_labels),
        },
        notes=tuple(notes),
    )


def _point(viewer: ViewerModel, layer: Image) -> NDArray[np.float64]:
    """Where the sliders are, in the units of the layer.

    Layers in nm and in µm lie together in one viewer, whose own point is in one of the
    two units; the transforms of a layer know only its own.
    """
    point = np.array(viewer.dims.point, float)
    units = getattr(viewer.layers, "units", None)  # since napari 0.9
    if units is None:  # as many pixels, or units that do not compare
        return point
    for axis in range(-min(len(units), layer.ndim), 0):
        if units[axis] != layer.units[axis]:
            point[axis] = (point[axis] * units[axis]).to(layer.units[axis]).magnitude
    return point


def _shown_axes(viewer: ViewerModel, ndim: int) -> tuple[int, int]:
    """Axes of the layer that the canvas shows, in the order of the data."""
    missing = viewer.dims.ndim - ndim
    rows, columns = sorted(axis - missing for axis in viewer.dims.order[-2:])
    return (rows, columns) if rows >= 0 else (ndim - 2, ndim - 1)


def _finite(limits: Any) -> tuple[float, float] | None:
    low, high = (float(value) for value in limits)
    return (low, high) if np.isfinite([low, high]).all() else None


def _to_physical(layer: Image, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point of the data after scale, shear, rotation and translation."""
    world = np.append(layer.data_to_world(point), 1.0)
    return np.linalg.solve(layer.affine.affine_matrix, world)[:-1]
