"""Outlines along the edges of pixels, and polygons filled.

Their corners are whole numbers, so whoever fills what is inside gets the same pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill", "outlines", "rings"]


def rings(mask: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """Closed lines around the 4-connected regions of a mask and around their holes.

    Yields
    ------
    ring : ndarray of int, (n, 2)
        x and y of the corners, clockwise as the image is seen; none is met twice.
    hole : bool
    """
    y, x, east, south, filled = _corners(mask)
    along_row = _partners(np.lexsort((east, x, y))).tolist()
    along_column = _partners(np.lexsort((south, y, x))).tolist()
    corners = np.stack([x, y], 1)
    visited = bytearray(len(x))
    # In the order of rows each ring begins with its top left corner, and goes east.
    for first in range(len(x)):
        if visited[first]:
            continue
        ring = []
        corner = first
        while not visited[corner]:
            other = along_row[corner]
            visited[corner] = visited[other] = True
            ring += [corner, other]
            corner = along_column[other]
        yield corners[ring], not filled[first]


def outlines(mask: NDArray[np.bool_]) -> tuple[list[NDArray[np.int64]], bool]:
    """Polygons without holes that together are a mask.

    Returns
    -------
    polygons : list of ndarray of int, (n, 2)
        x and y of their corners.
    cut : bool
        Whether there were holes: then the mask is cut at the top of each.
    """
    found = list(rings(mask))
    tops = sorted({int(ring[:, 1].min()) for ring, hole in found if hole})
    if not tops:
        return [ring for ring, _ in found], False
    bands = zip([0, *tops], [*tops, len(mask)], strict=True)
    down = ((np.array([0, top]), mask[top:end]) for top, end in bands)
    return [ring + by for by, band in down for ring, _ in rings(band)], True


def fill(
    polygons: Sequence[NDArray[np.float64]], shape: tuple[int, int]
) -> tuple[int, int, NDArray[np.bool_]]:
    """Pixels whose centres are inside any of the polygons, by the even-odd rule.

    Parameters
    ----------
    polygons : sequence of ndarray, (n, 2)
        x and y; the centre of the first pixel is at 0.5, 0.5.
    shape : tuple of int
        Of the image.

    Returns
    -------
    x, y : int
        Where the mask lies.
    mask : ndarray of bool
    """
    low = np.min([p.min(0) for p in polygons], 0)
    high = np.max([p.max(0) for p in polygons], 0)
    limits = shape[::-1]
    x, y = (int(np.clip(np.floor(v), 0, n)) for v, n in zip(low, limits, strict=True))
    right, bottom = (
        int(np.clip(np.ceil(v), 0, n)) for v, n in zip(high, limits, strict=True)
    )
    mask = np.zeros((max(0, bottom - y), max(0, right - x)), bool)
    if mask.size:
        for polygon in polygons:
            _fill_one(polygon - [x, y], mask)
    return x, y, mask


def _corners(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], ...]:
    """Where outlines turn, in the order of rows.

    Each is given by its row and column, whether its horizontal edge goes east and its
    vertical one south, and whether the pixel south-east of it is set.
    """
    padded = np.pad(mask, 1)
    nw, ne = padded[:-1, :-1], padded[:-1, 1:]
    sw, se = padded[1:, :-1], padded[1:, 1:]
    crossed = (nw == se) & (ne == sw) & (nw != ne)
    turned = nw ^ ne ^ sw ^ se
    # Where two pixels meet at a point, each has a corner of its own there.
    y, x = np.nonzero(turned | crossed)
    twice = crossed[y, x]
    y, x = np.repeat(y, 1 + twice), np.repeat(x, 1 + twice)
    east, south = (ne != se)[y, x], (sw != se)[y, x]
    at = np.flatnonzero(twice) + np.arange(np.count_nonzero(twice))
    falling = nw[y[at], x[at]]  # north-west and south-east are set
    east[at], east[at + 1] = ~falling, falling
    south[at], south[at + 1] = False, True
    return y, x, east, south, se[y, x]


def _partners(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Ends of edges in order: each two of them belong together."""
    found = np.empty_like(order)
    found[order[0::2]], found[order[1::2]] = order[1::2], order[0::2]
    return found


def _fill_one(polygon: NDArray[np.float64], mask: NDArray[np.bool_]) -> None:
    height, width = mask.shape
    start, end = polygon, np.roll(polygon, -1, 0)
    # The rows whose centres an edge passes.
    top, bottom = (
        np.clip(np.ceil(edge - 0.5), 0, height).astype(np.int64)
        for edge in (
            np.minimum(start[:, 1], end[:, 1]),
            np.maximum(start[:, 1], end[:, 1]),
        )
    )
    count = bottom - top
    edge = np.repeat(np.arange(len(polygon)), count)
    before = np.cumsum(count) - count
    row = np.arange(count.sum()) + (top - before)[edge]
    run, rise = (end - start)[edge].T
    at = start[edge, 0] + run * ((row + 0.5 - start[edge, 1]) / rise)
    column = np.clip(np.ceil(at - 0.5), 0, width).astype(np.int64)
    crossings = np.bincount(row * (width + 1) + column, minlength=height * (width + 1))
    inside = np.cumsum(crossings.reshape(height, width + 1)[:, :-1], 1) % 2 == 1
    mask |= inside
