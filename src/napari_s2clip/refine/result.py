"""What refinement gives, and the probability of a label value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Refinement", "of_class"]


@dataclass(frozen=True)
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


def of_class(
    probabilities: NDArray[np.float32],
    value: int,
    window: tuple[slice, slice] = (slice(None), slice(None)),
) -> NDArray[np.float32]:
    """The probability of a label value in a window; that of 0 is what is missing to 1.

    Parameters
    ----------
    probabilities : ndarray of float32, (C, H, W)
    value : int
        From 0 to C.
    window : (slice, slice)
    """
    if value:
        return probabilities[(value - 1, *window)]
    rest = 1 - probabilities[(slice(None), *window)].sum(0)
    return np.asarray(rest.clip(min=0), np.float32)
