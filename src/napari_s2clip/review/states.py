"""What a reviewer says about a region, and which region to look at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Mark", "RegionState", "Shape", "Status", "has_failed", "uncertainty"]

Status: TypeAlias = Literal["open", "accepted", "rejected", "changed"]
Shape: TypeAlias = Literal["coarse", "refined"]
Mark: TypeAlias = tuple[Any, ...]
"""What tells a region from others: its plane, proposed class, area and box."""


@dataclass(frozen=True)
class RegionState:
    """What is known of a region now.

    Attributes
    ----------
    class_id : int
        Label value of its pixels.
    shape : {"refined", "coarse"}
        Whether it has the pixels that the refined map gave it, or those of the coarse
        map.
    status : {"open", "accepted", "rejected", "changed"}
        Open until somebody decides; changed if it then differs from what was proposed.
    """

    class_id: int
    shape: Shape = "refined"
    status: Status = "open"


def has_failed(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Regions for which SAM was asked and its mask refused, shape (N,)."""
    asked = np.isfinite(table["sam_score"].to_numpy(np.float64))
    return np.asarray(asked & ~table["refined"].to_numpy(bool))


def uncertainty(table: pd.DataFrame) -> NDArray[np.float64]:
    """How doubtful each region is, shape (N,): the larger, the sooner it is shown.

    It is 1 - p · s, with the mean probability p of the region's class and the IoU s
    that SAM predicts for its mask (1 where SAM was not asked), both within 0 to 1. A
    region whose mask was refused has 1 more, so that these come first.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns ``mean_probability``, ``sam_score`` and ``refined``.
    """
    probability = np.nan_to_num(table["mean_probability"].to_numpy(np.float64))
    score = np.nan_to_num(table["sam_score"].to_numpy(np.float64), nan=1.0)
    doubt = 1 - probability.clip(0, 1) * score.clip(0, 1)
    return np.asarray(doubt + has_failed(table))
