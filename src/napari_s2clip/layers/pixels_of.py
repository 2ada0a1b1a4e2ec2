"""Pixels of an image that belong to a slice of a Labels layer, read when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..image import Levels
from ..planes.geometry import current_index

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

__all__ = ["Pixels", "pixels_of", "size_of"]


@dataclass(frozen=True, eq=False)
class Pixels:
    """A level of an image beside a Labels layer.

    Attributes
    ----------
    data : array_like
        NumPy, dask, zarr or whatever can be indexed.
    index : tuple
        For each axis of it an index, all of it, or the axis of the labels whose index
        it has, as a text.
    levels : Levels or None
        What the layer shows as black and white; None for colours.
    """

    data: Any
    index: tuple[int | slice | str, ...]
    levels: Levels | None

    def read(self, at: tuple[int | slice, ...]) -> NDArray[Any]:
        """The slice (H, W) or (H, W, colours) at an index of the labels."""
        where = tuple(at[int(i)] if isinstance(i, str) else i for i in self.index)
        return np.asarray(self.data[where])


def pixels_of(
    viewer: ViewerModel, image: Image, labels: Labels, axes: tuple[int, int]
) -> Pixels:
    """Find the level of an image that has the size of a Labels layer.

    Axes are counted from the last, as napari lays layers over each other. Along an
    axis of the image that the labels do not have, or only once, such as that of
    channels, it is the slice that is shown.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
    labels : Labels
    axes : (int, int)
        Rows and columns of the slices of the labels.

    Raises
    ------
    ValueError
        If there is none.
    """
    shape = size_of(labels)
    missing = len(shape) - image.ndim
    current = current_index(viewer, image)
    levels = list(image.data) if image.multiscale else [image.data]
    finest = levels[0].shape
    for level in levels:
        index: list[int | slice | str] = []
        for axis, length in enumerate(level.shape[: image.ndim]):
            own = axis + missing
            if own in axes:
                index.append(str(own) if length == shape[own] else -1)
            elif own >= 0 and length == shape[own]:
                index.append(str(own))
            elif own < 0 or shape[own] == 1:
                index.append(int(current[axis]) * length // finest[axis])
            else:
                index.append(-1)
        if -1 not in index and all(axis - missing >= 0 for axis in axes):
            if image.rgb:
                index.append(slice(None))
            low, high = (float(v) for v in image.contrast_limits)
            known = not image.rgb and np.isfinite([low, high]).all() and low < high
            levels_shown = Levels(((low, high),)) if known else None
            return Pixels(level, tuple(index), levels_shown)
    size = " × ".join(map(str, shape))
    other = " × ".join(map(str, finest[: image.ndim]))
    raise ValueError(
        f"image: {image.name!r} has {other} px but {labels.name!r} has {size}; choose "
        "the image that the labels are of"
    )


def size_of(labels: Labels) -> tuple[int, ...]:
    """Shape of the labels, of a pyramid the finest level."""
    data = labels.data[0] if labels.multiscale else labels.data
    return tuple(int(n) for n in data.shape)
