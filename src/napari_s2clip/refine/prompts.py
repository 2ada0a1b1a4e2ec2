"""Prompts for SAM: boxes and points of regions, in pixels of the image.

A pixel is an area: the box of a region ends where its last pixel ends, and a point is
the middle of its pixel. (The printed pseudo-code takes the indices of corners.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["boxes_in_image", "points_in_image", "windows_in_image"]


def _scaled(
    pairs: NDArray[np.floating[Any]] | NDArray[np.int64],
    grid: tuple[int, int],
    size: tuple[int, int],
) -> NDArray[np.float64]:
    """Columns and rows of the grid (…, 2) to pixels of the image."""
    # Multiplied first, so that the last edge is the image's edge, not 4e-15 beyond.
    return np.asarray(pairs * np.array(size[::-1]) / np.array(grid[::-1]), np.float64)


def boxes_in_image(
    boxes: NDArray[np.int64], grid: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Inclusive boxes on a grid to half-open boxes in the image.

    Parameters
    ----------
    boxes : ndarray of int, (N, 4)
        x0, y0, x1, y1 on the grid, last pixel included.
    grid, size : (int, int)
        Height and width of the grid and of the image.

    Returns
    -------
    ndarray of float64, (N, 4)
        x_min, y_min, x_max, y_max in pixels of the image.
    """
    ends = boxes.reshape(-1, 2, 2) + np.array([[0, 0], [1, 1]])
    return _scaled(ends, grid, size).reshape(-1, 4)


def windows_in_image(
    boxes: NDArray[np.int64], grid: tuple[int, int], size: tuple[int, int]
) -> list[tuple[slice, slice]]:
    """Whole pixels of the image that inclusive boxes on a grid touch."""
    found = boxes_in_image(boxes, grid, size)
    low, high = np.floor(found[:, :2]), np.ceil(found[:, 2:])
    return [
        (slice(y0, y1), slice(x0, x1))
        for x0, y0, x1, y1 in np.hstack([low, high]).astype(int).tolist()
    ]


def points_in_image(
    points: NDArray[np.int64], grid: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Columns and rows on a grid (N, 2) to the pixels' middles in the image."""
    return _scaled(points + 0.5, grid, size)
