"""What a run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from .classes import ClassSet

__all__ = ["REGION_COLUMNS", "Segmentation"]

REGION_COLUMNS: dict[str, str] = {
    "region": "int64",
    "class_id": "int64",
    "class_name": "object",
    "area": "int64",
    "mean_probability": "float64",
    "x_min": "float64",
    "y_min": "float64",
    "x_max": "float64",
    "y_max": "float64",
    "point_x": "float64",
    "point_y": "float64",
    "sam_score": "float64",
    "refined": "bool",
}
"""Columns of `Segmentation.region_table` with their dtypes."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Three maps of one image and what is known about them.

    Attributes
    ----------
    classes : ClassSet
        Their ids are the label values.
    coarse : ndarray of uint16, shape (H, W)
        Stage 2; label values, 0 is background.
    regions : ndarray of int32, shape (H, W)
        Region ids, 0 where no region is; id r is the row ``region == r`` of the table.
    region_table : pandas.DataFrame
        One row a region, ordered by class, then by first pixel: the columns are
        `REGION_COLUMNS`. Lengths are pixels of the image; boxes are half-open
        (``x_max - x_min`` is the width); a point is the middle of a cell of the grid of
        half resolution, so that it may lie between pixels or have any fraction.
        ``area`` counts pixels of `regions`. ``sam_score`` is the IoU that SAM
        predicts, NaN where SAM was not asked; ``refined`` whether its mask was used.
    refined : ndarray of uint16, shape (H, W)
        Stage 3; equal to `coarse` where refinement was off or failed.
    owners : ndarray of int32, shape (H, W)
        Id of the region that gave `refined` its class at a pixel, 0 where none did: the
        region of the mask that won, or the coarse region where no mask did.
    probabilities : ndarray of float32, shape (C, H, W)
        Probability of each class, in the order of ``classes``; background has what is
        missing to 1.
    provenance : dict
        Models with checksums, settings, versions, notes on the input: plain data,
        ready for JSON.
    seconds : dict of str to float
        Wall time by stage.
    """

    classes: ClassSet
    coarse: NDArray[np.uint16]
    regions: NDArray[np.int32]
    region_table: pd.DataFrame
    refined: NDArray[np.uint16]
    owners: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    provenance: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        size = " × ".join(str(n) for n in self.coarse.shape)
        return (
            f"Segmentation({size} px, classes={len(self.classes)}, "
            f"regions={len(self.region_table)}, model={self.provenance.get('model')!r})"
        )

    @property
    def region_classes(self) -> NDArray[np.uint16]:
        """Shape (H, W): the class of each pixel's region, 0 outside all regions."""
        ids = self.region_table["region"].to_numpy(np.int64)
        # A region of the table need not have a pixel in the map.
        last = max(int(self.regions.max(initial=0)), int(ids.max(initial=0)))
        lookup = np.zeros(last + 1, np.uint16)
        lookup[ids] = self.region_table["class_id"].to_numpy(np.uint16)
        return lookup[self.regions]
