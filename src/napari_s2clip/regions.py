"""Connected regions of the coarse map (Algorithms 2 and 3 of the paper's appendix).

The fast reading: no one-hot stack and no mask per region. Each class's pixels go
through OpenCV's labelling once, and scores and points are taken inside each component's
box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._opencv import cv2

__all__ = [
    "Regions",
    "find_regions",
    "full_resolution_regions",
    "half_resolution",
]


@dataclass(frozen=True)
class Regions:
    """Regions on the grid on which they were found, by class, then by first pixel.

    Attributes
    ----------
    labels : ndarray of int32, (h, w)
        Region ids from 1, 0 where no region is.
    classes : ndarray of int64, (N,)
        Label value of each region's class.
    areas : ndarray of int64, (N,)
        Pixels of the grid.
    scores : ndarray of float64, (N,)
        Mean probability of the region's class over the region.
    boxes : ndarray of int64, (N, 4)
        First and last column and row: x0, y0, x1, y1, inclusive.
    points : ndarray of int64, (N, 2)
        Column and row of the most probable pixel, the first in reading order.
    """

    labels: NDArray[np.int32]
    classes: NDArray[np.int64]
    areas: NDArray[np.int64]
    scores: NDArray[np.float64]
    boxes: NDArray[np.int64]
    points: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)


def half_resolution(
    labels: NDArray[np.uint16], probabilities: NDArray[np.float32], factor: int = 2
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Reduce both maps by ``factor`` (r = 2 in Algorithm 4).

    Labels by nearest neighbour (the pixel at the corner of each cell), probabilities
    bilinear with half-pixel centres, as torch's ``interpolate`` does without
    anti-aliasing. A side shorter than ``factor`` becomes 1.

    Parameters
    ----------
    labels : ndarray, (H, W)
    probabilities : ndarray of float32, (C, H, W)
    factor : int

    Returns
    -------
    labels : ndarray, (H // factor, W // factor)
    probabilities : ndarray of float32, (C, H // factor, W // factor)

    Raises
    ------
    ValueError
        If the shapes do not fit or ``factor`` is below 1.
    """
    _check_fit(labels, probabilities)
    if factor < 1:
        raise ValueError(f"factor is {factor}; give 1 or more")
    height, width = labels.shape
    size = (max(1, height // factor), max(1, width // factor))
    rows = np.arange(size[0]) * height // size[0]
    columns = np.arange(size[1]) * width // size[1]
    small = np.empty((len(probabilities), *size), np.float32)
    for plane, out in zip(probabilities, small, strict=True):
        out[:] = cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(labels[np.ix_(rows, columns)]), small


def find_regions(
    labels: NDArray[np.integer],
    probabilities: NDArray[np.float32],
    *,
    threshold: float = 0.2,
    min_area: int = 225,
    background: bool = False,
) -> Regions:
    """Connected regions of each class (Algorithm 3).

    Pixels whose best class is less probable than ``threshold`` are uncertain and belong
    to no region, and a class that nowhere reaches it has none. Pixels touch across
    edges and corners (8-connectivity).

    Parameters
    ----------
    labels : ndarray of int, (h, w)
        0 is background, i has the probability ``probabilities[i - 1]``.
    probabilities : ndarray of float32, (C, h, w)
    threshold : float
        tau_c.
    min_area : int
        A_min, in pixels of this grid; smaller regions are dropped.
    background : bool
        Also find regions of label 0; its probability is what is missing to 1.

    Returns
    -------
    Regions

    Raises
    ------
    ValueError
        If the shapes do not fit, a map is empty, or a label has no probability.
    """
    _check_fit(labels, probabilities)
    if labels.min() < 0 or labels.max() > len(probabilities):
        raise ValueError(
            f"labels go from {labels.min()} to {labels.max()}, but there are "
            f"probabilities for 1 to {len(probabilities)} only"
        )
    # Rounding may leave a little less than nothing.
    rest = np.maximum(0, 1 - probabilities.sum(0)) if background else None
    best = probabilities.max(0)
    if rest is not None:
        best = np.maximum(best, rest)
    certain = best >= threshold
    found = _Collector(labels.shape)
    for value in np.unique(labels[certain]):
        if value == 0 and rest is None:
            continue
        own = rest if value == 0 else probabilities[value - 1]
        assert own is not None
        if own.max() < threshold:
            continue
        mask = ((labels == value) & certain).astype(np.uint8)
        found.add_class(int(value), mask, own, min_area)
    return found.regions()


def _check_fit(labels: NDArray[np.integer], probabilities: NDArray[np.float32]) -> None:
    if probabilities.ndim != 3 or labels.shape != probabilities.shape[1:]:
        raise ValueError(
            f"labels {labels.shape} and probabilities {probabilities.shape} do not "
            "fit; give (h, w) and (C, h, w)"
        )
    if not probabilities.size:
        raise ValueError(
            f"probabilities {probabilities.shape} is empty; give at least one class "
            "and one pixel"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are {labels.dtype}; give integers")


class _Collector:
    """Gathers the components of one class after the other."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._labels = np.zeros(shape, np.int32)
        self._rows: list[tuple[int, int, float, tuple[int, ...], tuple[int, int]]] = []

    def add_class(
        self, value: int, mask: NDArray[np.uint8], own: NDArray[np.float32], least: int
    ) -> None:
        _, numbers, table, _ = cv2.connectedComponentsWithStats(
            mask, connectivity=8, ltype=cv2.CV_32S
        )
        components, stats = np.asarray(numbers, np.int32), np.asarray(table, np.int32)
        large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least) + 1
        kept: list[int] = large.tolist()
        # OpenCV numbers by blocks of two rows; readers expect the first pixel's order.
        kept.sort(key=lambda r: _first_pixel(components, stats[r], r))
        for r in kept:
            x, y, w, h, area = (int(v) for v in stats[r])
            box = np.s_[y : y + h, x : x + w]
            inside = components[box] == r
            values = own[box][inside]
            at = np.flatnonzero(inside)[values.argmax()]
            score = float(values.mean(dtype=np.float64))
            self._rows.append(
                (
                    value,
                    area,
                    score,
                    (x, y, x + w - 1, y + h - 1),
                    (x + int(at) % w, y + int(at) // w),
                )
            )
            self._labels[box][inside] = len(self._rows)

    def regions(self) -> Regions:
        rows = self._rows
        return Regions(
            labels=self._labels,
            classes=np.array([r[0] for r in rows], np.int64),
            areas=np.array([r[1] for r in rows], np.int64),
            scores=np.array([r[2] for r in rows], np.float64),
            boxes=np.array([r[3] for r in rows], np.int64).reshape(-1, 4),
            points=np.array([r[4] for r in rows], np.int64).reshape(-1, 2),
        )


def _first_pixel(
    components: NDArray[np.int32], stats: NDArray[np.int32], number: int
) -> tuple[int, int]:
    x, y, w = (int(v) for v in stats[:3])
    return y, x + int((components[y, x : x + w] == number).argmax())


def full_resolution_regions(
    regions: Regions, labels: NDArray[np.uint16]
) -> NDArray[np.int32]:
    """Region ids on the grid of ``labels`` (H, W): nearest neighbour, own class only.

    A pixel whose own label is another class than its region's belongs to no region, so
    that this map never contradicts the coarse one.
    """
    (height, width), (h, w) = labels.shape, regions.labels.shape
    rows = np.minimum(np.arange(height) * h // height, h - 1)
    columns = np.minimum(np.arange(width) * w // width, w - 1)
    ids = regions.labels[np.ix_(rows, columns)]
    own = np.concatenate([[-1], regions.classes])[ids]
    return np.where(own == labels, ids, 0).astype(np.int32)
