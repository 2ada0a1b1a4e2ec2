"""Where pixels of a plane lie: on the layers of prompts, in the world, in labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from numpy.typing import NDArray

from ..planes import Plane
from ..planes.geometry import in_units_of

__all__ = ["PlaneMap"]


class PlaneMap:
    """Pixels of a plane, whose corner is 0, and coordinates of a layer on it.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Layer
        With the plane's own placement.
    plane : Plane
    """

    def __init__(self, viewer: Any, layer: Layer, plane: Plane) -> None:
        self._viewer = viewer
        self._layer = layer
        self._hidden = plane.hidden
        self._shape = plane.shape
        self._rows, self._columns = (
            axis for axis in range(layer.ndim) if axis not in plane.hidden
        )

    def to_data(self, x: float, y: float) -> NDArray[np.float64]:
        """The layer's coordinates of a pixel of the plane."""
        found = np.zeros(self._layer.ndim)
        found[[self._rows, self._columns]] = y - 0.5, x - 0.5
        return found

    def to_world(self, x: float, y: float) -> NDArray[np.float64]:
        """The world's coordinates of a pixel of the plane."""
        return np.asarray(self._layer.data_to_world(self.to_data(x, y)))

    def at(self, position: Any) -> tuple[float, float] | None:
        """x, y in pixels of the plane of a point of the world; None in another slice.

        Parameters
        ----------
        position : sequence of float
            As in napari's mouse events.
        """
        units = getattr(self._viewer.layers, "units", None)  # since napari 0.9
        world = in_units_of(self._layer, position, units)
        data = np.asarray(self._layer.world_to_data(world))
        if any(abs(data[axis]) > 0.5 + 1e-6 for axis in self._hidden):
            return None
        return float(data[self._columns] + 0.5), float(data[self._rows] + 0.5)

    def place_in(self, labels: Labels) -> tuple[int | slice, ...]:
        """Where the plane lies in the array of a Labels layer.

        Raises
        ------
        ValueError
            If their pixels do not lie on each other.
        """
        layer, shown = self._layer, (self._rows, self._columns)
        wrong = ValueError(
            f"{labels.name!r}: its pixels do not lie on those of the image; choose "
            "labels of this image and level"
        )
        if labels.ndim != layer.ndim or labels.multiscale:
            raise wrong
        corner = np.zeros(layer.ndim)
        steps = np.eye(layer.ndim)
        first = np.asarray(labels.world_to_data(layer.data_to_world(corner)))
        for axis in shown:
            end = labels.world_to_data(layer.data_to_world(steps[axis]))
            if not np.allclose(np.asarray(end) - first, steps[axis], atol=1e-3):
                raise wrong
        nearest = np.round(first)
        if np.abs(first - nearest)[list(shown)].max() > 0.01:
            raise wrong
        lengths = dict(zip(shown, self._shape, strict=True))
        where: list[int | slice] = []
        for axis, begin in enumerate(int(v) for v in nearest):
            length = lengths.get(axis, 1)
            if begin < 0 or begin + length > labels.data.shape[axis]:
                raise wrong
            where.append(slice(begin, begin + length) if axis in lengths else begin)
        return tuple(where)
