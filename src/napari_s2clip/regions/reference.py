"""Connected regions as Algorithm 2 of the paper's appendix prints them.

For reading and for tests: a map for each class, and a full mask for each region.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from .checks import check_limits, check_maps, check_shapes
from .maps import Regions, in_steps, mean_of_steps, of_class

__all__ = ["find_regions_reference"]

_label: Any = measure.label


def find_regions_reference(
    labels: NDArray[np.integer],
    probabilities: NDArray[np.float32],
    *,
    threshold: float = 0.2,
    min_area: int = 225,
    background: bool = False,
    connected: bool = True,
) -> Regions:
    """Algorithm 2; see `napari_s2clip.regions.find_regions`.

    Two readings of what is printed: S is the one-hot map of Algorithm 4 without its
    uncertain pixels, which form no region (``split_last`` is false); and where a class
    has several regions, r is their number in reading order of the first pixel.
    """
    least = check_limits(threshold, min_area)
    check_shapes(labels, probabilities, tensors=False)
    probabilities = np.ascontiguousarray(probabilities, np.float32)
    check_maps(labels, probabilities)
    # Algorithm 4: class 0 .. C - 1, then the uncertain pixels.
    maps = probabilities
    if background:
        rest = of_class(probabilities, 0)
        maps = np.concatenate([rest[None], probabilities])
    values = np.arange(len(maps)) + (0 if background else 1)
    one_hot = labels == values[:, None, None]  # S
    one_hot &= maps.max(0) >= least  # uncertain pixels
    ids = np.zeros(labels.shape, np.int32)
    classes, areas, scores, boxes, points = [], [], [], [], []
    for value, own_mask, own in zip(values, one_hot, maps, strict=True):
        if own.max() < least:
            continue
        # Connectivity 2 in scikit-image: across edges and corners.
        numbered = (
            _label(own_mask, connectivity=2) if connected else own_mask.astype(int)
        )
        for number in range(1, numbered.max() + 1):
            mask = numbered == number  # M_r
            if mask.sum() < min_area:
                continue
            # A region where the class is nowhere probable: its first pixel.
            inside = np.where(mask, own, -1)
            y, x = np.unravel_index(inside.argmax(), mask.shape)
            rows, columns = np.nonzero(mask)
            classes.append(value)
            areas.append(mask.sum())
            # Exact sums, so that the fast way can be equal to the last bit.
            total = in_steps(own[mask]).sum(dtype=np.float64)
            scores.append(mean_of_steps(total, mask.sum()))
            points.append((x, y))
            boxes.append((columns.min(), rows.min(), columns.max(), rows.max()))
            ids[mask] = len(classes)
    return Regions(
        labels=ids,
        classes=np.array(classes, np.int64),
        areas=np.array(areas, np.int64),
        scores=np.array(scores, np.float64),
        boxes=np.array(boxes, np.int64).reshape(-1, 4),
        points=np.array(points, np.int64).reshape(-1, 2),
    )
