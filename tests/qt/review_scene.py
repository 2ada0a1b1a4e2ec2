"""A result to review in a window, without models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_s2clip import ClassSet

from ..review.conftest import make_table

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Labels

CAT, DOG, FOX = 1, 2, 3
CLASSES = ClassSet(["cat", "dog", "fox"])


@dataclass
class Output:
    """As much of a set of layers as the review looks at."""

    coarse: Labels | None
    regions: Labels | None
    refined: Labels | None
    owners: np.ndarray[Any, Any] | None
    region_table: pd.DataFrame
    classes: ClassSet = CLASSES


def make_output(viewer: Any, planes: int = 0, **placement: Any) -> Output:
    """Three regions in a plane of 60 × 80 pixels, or in each of several planes.

    In each plane: a cat whose mask SAM refused at the top left, a dog that SAM made
    larger at the bottom right, and a sure cat at the top right.
    """
    shape = (max(planes, 1), 60, 80)
    regions, owners = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for plane in range(shape[0]):
        first = 3 * plane
        regions[plane, 4:14, 6:26] = first + 1
        regions[plane, 40:52, 50:62] = first + 2
        regions[plane, 5:15, 60:70] = first + 3
        owners[plane] = regions[plane]
        owners[plane, 38:54, 48:64] = first + 2
    classes = [CAT, DOG, CAT] * shape[0]
    if not planes:
        regions, owners = regions[0], owners[0]
    table = make_table(
        regions,
        classes,
        probability=[0.9, 0.5, 0.95] * shape[0],
        sam_score=[0.3, 0.8, 0.9] * shape[0],
        refined=[False, True, True] * shape[0],
    )
    lookup = np.array([0, *classes], np.uint16)
    labels = {
        "coarse": lookup[regions],
        "regions": regions.copy(),
        "refined": lookup[owners],
    }
    layers = {
        name: viewer.add_labels(data, name=name, **placement)
        for name, data in labels.items()
    }
    return Output(**layers, owners=owners, region_table=table)
