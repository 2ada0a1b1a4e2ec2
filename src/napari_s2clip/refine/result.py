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
    sam_scores : ndarray of float32, (N,)
        Predicted IoU of each region's mask, NaN where SAM was not asked.
    used : ndarray of bool, (N,)
        Whether the mask passed and was merged.
    """

    refined: NDArray[np.uint16]
    sam_scores: NDArray[np.float32]
    used: NDArray[np.bool_]

    @classmethod
    def none(cls, coarse: NDArray[np.uint16], count: int) -> Self:
        """The coarse map as it is, for ``count`` regions that SAM never saw."""
        return cls(
            coarse.copy(), np.full(count, np.nan, np.float32), np.zeros(count, bool)
        )
