"""What the planes of a result are, and which of them is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..results import Segmentation

__all__ = ["Stack"]


@dataclass(frozen=True)
class Stack:
    """What maps (planes, H, W) are, and which slice of them is drawn.

    Attributes
    ----------
    shape : tuple of int
        Axes of the image without colours and channels, (…, H, W).
    axes : str
        A letter for each; by default ``Q`` for those before ``YX``.
    plane : int
        The slice that is drawn.
    step : int
        Of so many rows and columns one is drawn.
    """

    shape: tuple[int, ...]
    axes: str = ""
    plane: int = 0
    step: int = 1

    def __post_init__(self) -> None:
        if not self.axes:
            axes = "Q" * (len(self.shape) - 2) + "YX"
            object.__setattr__(self, "axes", axes)

    def cut(self, result: Segmentation) -> Segmentation:
        """The slice that is drawn, in memory."""
        table = result.region_table
        part: tuple[int | slice, ...] = (slice(None, None, self.step),) * 2
        if len(result.coarse.shape) == 3:
            table = table[table["plane"] == self.plane]
            part = (self.plane, *part)
        elif self.step == 1:
            return result
        return replace(
            result,
            region_table=table,
            coarse=np.asarray(result.coarse[part]),
            regions=np.asarray(result.regions[part]),
            refined=np.asarray(result.refined[part]),
        )
