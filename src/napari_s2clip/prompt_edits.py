"""Labels corrected by prompts: the label one begins with, the edit a mask becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .edits import Edit
from .prompting import SIDE, Found, choose_window

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["commit", "label_around"]


def commit(
    found: Found,
    labels: Any,
    at: tuple[int | slice, ...],
    value: int,
    *,
    overwrite: bool = False,
) -> Edit | None:
    """The edit that gives the pixels of a mask to a class.

    Parameters
    ----------
    found : Found
    labels : array_like of int
        The array of the whole Labels layer; only what the mask covers is read.
    at : tuple of int or slice
        Where the plane lies in it: an index for each hidden axis, slices for rows and
        columns.
    value : int
        Label of the class; 0 makes the pixels background, whatever they are.
    overwrite : bool
        Whether pixels of other classes are taken too, not only background.

    Returns
    -------
    Edit or None
        None if no pixel would change.

    Raises
    ------
    ValueError
        If the layer cannot hold the value, or the mask reaches outside it.
    """
    limits = np.iinfo(labels.dtype)
    if not limits.min <= value <= limits.max:
        raise ValueError(
            f"class id {value}: the layer holds {limits.min} to {limits.max}; give the "
            "class a smaller id"
        )
    rows, columns = np.flatnonzero(found.mask.any(1)), np.flatnonzero(found.mask.any(0))
    if not len(rows):
        return None
    inner = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    mask = found.mask[inner]
    firsts = iter(
        (found.window.top + int(rows[0]), found.window.left + int(columns[0]))
    )
    sizes = iter(mask.shape)
    where: list[int | slice] = []
    for axis, part in enumerate(at):
        if isinstance(part, slice):
            first = int(part.start or 0) + next(firsts)
            part = slice(first, first + next(sizes))
        last = part.stop if isinstance(part, slice) else part + 1
        if last > labels.shape[axis]:
            raise ValueError(
                f"mask: it reaches outside the layer, whose axis {axis} has "
                f"{labels.shape[axis]} px; choose labels of this image"
            )
        where.append(part)
    present = np.asarray(labels[tuple(where)])
    taken = mask & (present != value)
    if not overwrite and value != 0:
        taken &= present == 0
    if not taken.any():
        return None
    return Edit.of(tuple(where), taken, value)


def label_around(
    labels: Any, at: tuple[int | slice, ...], point: tuple[float, float]
) -> tuple[NDArray[np.bool_], int, int]:
    """Connected pixels of one class around a point of the plane, and where they are.

    Of a large plane only what is around the point is read.

    Parameters
    ----------
    labels : array_like of int
        The array of the whole Labels layer.
    at : tuple of int or slice
        Where the plane lies in it.
    point : (float, float)
        x, y in pixels of the plane.

    Returns
    -------
    mask : ndarray of bool
    top, left : int
        Where its first pixel is in the plane.

    Raises
    ------
    ValueError
        If no label is there.
    """
    from scipy.ndimage import find_objects, label

    rows, columns = (part for part in at if isinstance(part, slice))
    shape = rows.stop - rows.start, columns.stop - columns.start
    window = choose_window(shape, point, side=2 * SIDE)
    sides = iter(window.slices)
    part = tuple(_inside(p, next(sides)) if isinstance(p, slice) else p for p in at)
    x, y = (int(np.floor(v)) for v in point)
    x, y = x - window.left, y - window.top
    plane = np.asarray(labels[part])
    if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]) or not plane[y, x]:
        raise ValueError("There is no label under the pointer.")
    parts, _ = label(plane == plane[y, x])
    down, across = find_objects(parts)[parts[y, x] - 1]
    mask = parts[down, across] == parts[y, x]
    return mask, window.top + down.start, window.left + across.start


def _inside(whole: slice, part: slice) -> slice:
    return slice(whole.start + part.start, whole.start + part.stop)
