"""Pixels that were painted at an object become part of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .instances import connected

__all__ = ["extend"]


def extend(instances: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int32]:
    """Give labels without an instance to the only one of their class that they touch.

    A connected region of such pixels that touches no instance of its class, or
    several, stays without one.

    Parameters
    ----------
    instances : ndarray of int, (H, W)
        0 where there is none.
    labels : ndarray of int, (H, W)

    Returns
    -------
    ndarray of int32
    """
    found = instances.astype(np.int32)
    loose = np.where(found > 0, 0, labels)
    if not loose.any() or not found.any():
        return found
    parts, _ = connected(loose)
    touching = [
        np.stack([parts[one][met], found[other][met]], 1)
        for one, other in _neighbours()
        for met in [
            (parts[one] > 0) & (found[other] > 0) & (labels[one] == labels[other])
        ]
    ]
    pairs = np.unique(np.concatenate(touching), axis=0)
    numbers, counts = np.unique(pairs[:, 0], return_counts=True)
    alone = np.isin(pairs[:, 0], numbers[counts == 1])
    table = np.zeros(int(parts.max()) + 1, np.int32)
    table[pairs[alone, 0]] = pairs[alone, 1]
    return np.where(found > 0, found, table[parts])


def _neighbours() -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Two views of a map whose pixels are neighbours, for all eight directions."""
    views = {0: (slice(None), slice(None)), 1: (slice(1, None), slice(None, -1))}
    views[-1] = views[1][::-1]
    for y in (-1, 0, 1):
        for x in (-1, 0, 1):
            if (y, x) != (0, 0):
                yield (views[y][0], views[x][0]), (views[y][1], views[x][1])
