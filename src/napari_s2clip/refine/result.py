"""What refinement gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Refinement"]


@dataclass(frozen=True, eq=False)
class Refinement:
    """The refined map and what SAM thought of each region.

    Attributes
    ----------
    refined : ndarray of uint16, (H, W)
    owners : ndarray of int32, (H, W)
        Id of the region that gave a pixel its class, 0 where none did: the region of
        the mask that won, or the coarse region where no mask did.
    sam_scores : ndarray of float32, (N,)
        Predicted IoU of each region's mask, NaN where SAM was not asked.
    used : ndarray of bool, (N,)
        Whether the mask passed and was merged.
    """

    refined: NDArray[np.uint16]
    owners: NDArray[np.int32]
    sam_scores: NDArray[np.float32]
    used: NDArray[np.bool_]

    @classmethod
    def none(
        cls, coarse: NDArray[np.uint16], region_map: NDArray[np.int32], count: int
    ) -> Self:
        """The coarse map as it is, for ``count`` regions that SAM never saw."""
        return cls(
            coarse.copy(),
            region_map.copy(),
            np.full(count, np.nan, np.float32),
            np.zeros(count, bool),
        )
