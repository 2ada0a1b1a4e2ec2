"""Connected regions fast (Algorithm 3 of the paper's appendix, read sanely).

No one-hot stack and no mask per region. Each class's pixels go through OpenCV's
labelling once, inside their own box; everything else is summed over the runs of equal
pixels in a row, of all regions at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._opencv import cv2
from .maps import Regions, check_maps
from .runs import Runs

__all__ = ["find_regions"]


def find_regions(
    labels: NDArray[np.integer],
    probabilities: NDArray[np.float32],
    *,
    threshold: float = 0.2,
    min_area: int = 225,
    background: bool = False,
    connected: bool = True,
) -> Regions:
    """Connected regions of each class (Algorithm 3).

    Pixels whose best class is less probable than ``threshold`` are uncertain and belong
    to no region, and a class that nowhere reaches it has none. Pixels touch across
    edges and corners (8-connectivity). Regions are ordered by class, then by their
    first pixel in reading order.

    Parameters
    ----------
    labels : ndarray of int, (h, w)
        0 is background, i has the probability ``probabilities[i - 1]``.
    probabilities : ndarray of float32, (C, h, w)
        From 0 to 1.
    threshold : float
        tau_c.
    min_area : int
        A_min, in pixels of this grid; smaller regions are dropped.
    background : bool
        Also find regions of label 0; its probability is what is missing to 1.
    connected : bool
        If not, all pixels of a class are one region.

    Returns
    -------
    Regions

    Raises
    ------
    ValueError
        If the shapes do not fit, a map is empty, a probability is outside 0 to 1 or
        NaN, or a label has no probability.
    """
    best = check_maps(labels, probabilities)
    rest = None
    if background:
        # Rounding may leave a little less than nothing.
        rest = np.maximum(0, 1 - probabilities.sum(0))
        best = np.maximum(best, rest)
    values = labels.astype(np.int32)
    values[best < threshold] = -1
    if not background:
        values[labels == 0] = -1
    maps = _Maps(probabilities, rest)
    runs = Runs.of(values)
    components = _components(values, runs, maps, threshold, connected=connected)
    return _describe(values, runs, components, maps, min_area)


@dataclass(frozen=True)
class _Maps:
    """Probabilities (C, h, w) of the values from 1, and of 0 if it is wanted."""

    classes: NDArray[np.float32]
    rest: NDArray[np.float32] | None

    def of(self, value: int) -> NDArray[np.float32]:
        if value:
            return np.asarray(self.classes[value - 1])
        assert self.rest is not None
        return self.rest

    def own(self, values: NDArray[np.int32]) -> NDArray[np.float32]:
        """The probability of each pixel's own class, in reading order."""
        plane = np.maximum(values.ravel() - 1, 0).astype(np.intp)
        at = plane * values.size + np.arange(values.size)
        own: NDArray[np.float32] = self.classes.ravel().take(at)
        if self.rest is not None:
            is_rest = values.ravel() == 0
            own[is_rest] = self.rest.ravel()[is_rest]
        return own


def _components(
    values: NDArray[np.int32],
    runs: Runs,
    maps: _Maps,
    threshold: float,
    *,
    connected: bool,
) -> NDArray[np.int64]:
    """The component of each run, from 1, 0 where no region can be."""
    found = np.zeros(len(runs), np.int64)
    count = 0
    for value, some in runs.by_value():
        if value < 0 or maps.of(value).max() < threshold:
            continue
        if not connected:
            count += 1
            found[some] = count
            continue
        top, bottom = runs.rows[some[0]], runs.rows[some[-1]] + 1
        left, right = runs.first[some].min(), runs.last[some].max() + 1
        mask = (values[top:bottom, left:right] == value).view(np.uint8)
        # Without OpenCV's own statistics, which take four times as long.
        n, numbers = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
        at = np.asarray(numbers)[runs.rows[some] - top, runs.first[some] - left]
        found[some] = at + count
        count += n - 1
    return found


def _describe(
    values: NDArray[np.int32],
    runs: Runs,
    components: NDArray[np.int64],
    maps: _Maps,
    min_area: int,
) -> Regions:
    """What `Regions` holds, for components of at least ``min_area`` pixels."""
    areas = np.bincount(components, runs.lengths).astype(np.int64)
    # Of runs in reading order the first one written last.
    first_run = np.zeros(len(areas), np.int64)
    first_run[components[::-1]] = np.arange(len(runs))[::-1]
    kept = np.flatnonzero(areas >= min_area)
    kept = kept[kept > 0]
    if not len(kept):
        return Regions.none(runs.shape)
    kept = kept[np.lexsort((first_run[kept], runs.values[first_run[kept]]))]
    number = np.zeros(len(areas), np.int64)
    number[kept] = np.arange(1, len(kept) + 1)
    regions, n = number[components], len(kept)
    ids = np.repeat(regions, runs.lengths)
    own = maps.own(values)
    # One after the other in reading order, as the reference adds them.
    sums = np.bincount(ids, own, n + 1)[1:]
    left, right = runs.extremes(regions, n)
    inside = regions > 0
    bottom = np.zeros(n + 1, np.int64)
    bottom[regions[inside]] = runs.rows[inside]
    at = runs.argmax(regions, n, own)
    width = runs.shape[1]
    top = runs.rows[first_run[kept]]
    return Regions(
        labels=ids.reshape(runs.shape).astype(np.int32),
        classes=runs.values[first_run[kept]].astype(np.int64),
        areas=areas[kept],
        scores=sums / areas[kept],
        boxes=np.stack([left, top, right, bottom[1:]], 1),
        points=np.stack([at % width, at // width], 1),
    )
