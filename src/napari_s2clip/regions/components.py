"""Connected regions fast (Algorithm 3 of the paper's appendix, read sanely).

No one-hot stack and no mask of a class or a region. Runs of equal pixels in a row are
joined where they touch, and everything is summed over the runs, of all regions at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_limits, check_shapes
from .maps import Regions, in_steps, mean_of_steps
from .planes import Planes, planes_of_arrays, planes_of_tensors
from .runs import Runs

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["find_regions"]


def find_regions(
    labels: NDArray[np.integer] | Tensor,
    probabilities: NDArray[np.float32] | Tensor,
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
    labels : ndarray or Tensor of int, (h, w)
        0 is background, i has the probability ``probabilities[i - 1]``.
    probabilities : ndarray or Tensor, (C, h, w)
        From 0 to 1. Of tensors on a GPU no more than three planes are copied to the
        CPU.
    threshold : float
        tau_c, rounded to float32 as the probabilities are.
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
        NaN, a label has no probability, or a limit is no number.
    """
    least = check_limits(threshold, min_area)
    planes = _planes(labels, probabilities, background)
    certain = planes.best >= least
    if not background:
        certain &= planes.labels > 0
    # -1 where no region can be.
    runs = Runs.of((planes.labels + 1) * certain - 1)
    own = planes.own.ravel()
    peaks = runs.maxima(own)
    inside = runs.values >= 0
    for value in _below(runs, peaks, least):
        # None of its own pixels is certain of it, but others may be.
        if planes.most(value) < least:
            inside &= runs.values != value
    numbers = runs.components(inside) if connected else runs.values
    components = np.where(inside, numbers + 1, 0).astype(np.int32)
    return _describe(runs, components, own, peaks, min_area)


def _planes(labels: Any, probabilities: Any, background: bool) -> Planes:
    check_shapes(labels, probabilities)
    if isinstance(probabilities, np.ndarray):
        return planes_of_arrays(labels, probabilities, background)
    if probabilities.device.type != "cpu":
        return planes_of_tensors(labels, probabilities, background)
    arrays = labels.cpu().numpy(), probabilities.detach().float().numpy()
    return planes_of_arrays(*arrays, background)


def _below(runs: Runs, peaks: NDArray[np.float32], threshold: np.float32) -> list[int]:
    """Labels of runs none of which has a peak of at least ``threshold``."""
    most = np.full(int(runs.values.max()) + 2, threshold, np.float32)
    most[runs.values] = -np.inf
    np.maximum.at(most, runs.values, peaks)
    found: list[int] = np.flatnonzero(most[:-1] < threshold).tolist()
    return found


def _describe(
    runs: Runs,
    components: NDArray[np.int32],
    own: NDArray[np.float32],
    peaks: NDArray[np.float32],
    min_area: int,
) -> Regions:
    """What `Regions` holds, for components of at least ``min_area`` pixels.

    ``own`` is the probability of each pixel's class, in reading order, ``peaks`` the
    largest of each run.
    """
    areas = np.bincount(components, runs.lengths).astype(np.int64)
    # Of runs in reading order the first one written last.
    first_run = np.zeros(len(areas), np.int64)
    first_run[components[::-1]] = np.arange(len(runs))[::-1]
    kept = np.flatnonzero(areas >= min_area)
    kept = kept[kept > 0]
    if not len(kept):
        return Regions.none(runs.shape)
    kept = kept[np.lexsort((first_run[kept], runs.values[first_run[kept]]))]
    n = len(kept)
    number = np.zeros(len(areas), np.int32)
    number[kept] = np.arange(1, n + 1)
    regions = number[components]
    sums: NDArray[np.float64] = np.zeros(n + 1)
    np.add.at(sums, regions, runs.sums(in_steps(own)))
    left, right = runs.extremes(regions, n)
    inside = regions > 0
    bottom = np.zeros(n + 1, np.int64)
    bottom[regions[inside]] = runs.rows[inside]
    at = runs.argmax(regions, n, own, peaks)
    width = runs.shape[1]
    top = runs.rows[first_run[kept]]
    return Regions(
        labels=np.repeat(regions, runs.lengths).reshape(runs.shape),
        classes=runs.values[first_run[kept]].astype(np.int64),
        areas=areas[kept],
        scores=mean_of_steps(sums[1:], areas[kept]),
        boxes=np.stack([left, top, right, bottom[1:]], 1),
        points=np.stack([at % width, at // width], 1),
    )
