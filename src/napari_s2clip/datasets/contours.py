"""Outlines through pixel centres, which fill to the very same pixels.

What reads YOLO labels fills them with OpenCV, which draws the outline too. A hole is
joined to what lies left of it by a bridge along a row of pixels of the region, there
and back: the bridge covers no pixel that the region lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Polygon", "fill", "join", "outlines"]

Polygon: TypeAlias = NDArray[np.int32]
"""Corners (x, y), shape (N, 2); three or more, repeated where there are fewer."""


def outlines(mask: NDArray[np.bool_]) -> list[Polygon]:
    """One closed outline for each 8-connected part of a mask, holes included.

    Parameters
    ----------
    mask : ndarray of bool, (H, W)

    Returns
    -------
    list of ndarray of int32, (N, 2)
        From the top left part on.
    """
    from .._opencv import cv2

    # A frame of zeros, so that walking left from a hole always ends.
    framed = np.pad(np.asarray(mask, np.uint8), 1)
    found, tree = cv2.findContours(framed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = [np.asarray(ring, np.int32).reshape(-1, 2) for ring in found]
    holes: dict[int, list[Polygon]] = {}
    parts: list[int] = []
    for number, ring in enumerate(rings):
        parent = int(tree[0, number, 3])
        if parent < 0:
            parts.append(number)
        else:
            holes.setdefault(parent, []).append(ring)
    polygons = [
        _corners(_bridged(rings[part], holes[part], framed))
        if part in holes
        else _corners(rings[part])
        for part in parts
    ]
    polygons.sort(key=lambda polygon: tuple(polygon[:, ::-1].min(0).tolist()))
    return [polygon - np.int32(1) for polygon in polygons]


def join(polygons: Sequence[Polygon]) -> Polygon:
    """One outline of several, by bridges between the points that are nearest.

    The bridges, one pixel wide, cover what lies between the parts.
    """
    joined = polygons[0]
    for polygon in polygons[1:]:
        here, there = _nearest(joined, polygon)
        joined = np.concatenate(
            [
                joined[: here + 1],
                polygon[there:],
                polygon[: there + 1],
                joined[here:],
            ]
        )
    return joined


def fill(polygon: Polygon, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels that OpenCV fills, as trainers do."""
    from .._opencv import cv2

    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.ascontiguousarray(polygon, np.int32)], 1)
    return mask.astype(bool)


def _nearest(first: Polygon, second: Polygon) -> tuple[int, int]:
    from scipy.spatial import KDTree

    distances, indices = KDTree(first).query(second)
    there = int(np.argmin(distances))
    return int(indices[there]), there


def _bridged(
    outer: Polygon, holes: Sequence[Polygon], framed: NDArray[np.uint8]
) -> Polygon:
    """The outer ring with every hole's, each begun where its bridge arrives."""
    bridges: dict[tuple[int, int], list[Polygon]] = {}
    # What a hole's bridge meets is the outer ring or a hole that begins further left.
    for ring in sorted(holes, key=lambda ring: int(ring[:, 0].min())):
        start = int(np.argmin(ring[:, 0]))
        x, y = (int(v) for v in ring[start])
        pier = int(np.flatnonzero(framed[y, :x] == 0)[-1]) + 1
        bridges.setdefault((pier, y), []).append(np.roll(ring, -start, axis=0))
    points: list[tuple[int, int]] = []
    # The rest of each ring that is being walked; a bridge interrupts it.
    stack = [iter([tuple(corner) for corner in outer.tolist()])]
    ends: list[tuple[int, int] | None] = [None]
    while stack:
        point = next(stack[-1], None)
        if point is None:
            stack.pop()
            end = ends.pop()
            if end is not None:
                points.append(end)
            continue
        points.append(point)
        for ring in bridges.pop(point, []):
            walk = [tuple(corner) for corner in ring.tolist()]
            stack.append(iter([*walk, walk[0]]))
            ends.append(point)
    return np.array(points, np.int32)


def _corners(ring: Polygon) -> Polygon:
    """Leave out the points on the way straight on; keep three at least."""
    before = ring - np.roll(ring, 1, axis=0)
    after = np.roll(ring, -1, axis=0) - ring
    long = np.abs(before).max(1) > 1  # bridges are not made of single steps
    kept = ring[(np.sign(before) != np.sign(after)).any(1) | long | np.roll(long, -1)]
    if len(kept) == 0:
        kept = ring[:1]
    if len(kept) < 3:
        kept = kept[np.arange(3) % len(kept)]
    return np.ascontiguousarray(kept)
