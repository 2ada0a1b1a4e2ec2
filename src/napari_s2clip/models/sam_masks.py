"""SAM's small masks at the size of the image, only where they are inside.

segment_anything enlarges a mask to the model's input, cuts off the padding and resizes
that to the image, each step bilinear (`Sam.postprocess_masks`). Both steps are linear
and separate for rows and columns, so together they are R · logits · Cᵀ with two small
matrices, and any window of the image needs only some of their rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

__all__ = ["MaskResizer", "MaskWindow", "extent"]


@dataclass(frozen=True)
class MaskWindow:
    """The part of a mask that holds every pixel inside.

    Attributes
    ----------
    rows, columns : slice
        Of the image.
    logits : Tensor of float32, (height, width)
        Inside where positive.
    """

    rows: slice
    columns: slice
    logits: Tensor


def _bilinear(n_out: int, n_in: int, device: torch.device) -> Tensor:
    """The matrix (n_out, n_in) of `torch.nn.functional.interpolate` along an axis."""
    unit = torch.eye(n_in, device=device)[:, None]
    return F.interpolate(unit, n_out, mode="linear", align_corners=False)[:, 0].T


class MaskResizer:
    """R and C for images of one size.

    Parameters
    ----------
    low : (int, int)
        Height and width of the decoder's logits.
    side : int
        Of the model's square input.
    input_size : (int, int)
        Height and width of the part of the input that holds the image.
    image_size : (int, int)
    device : torch.device
    """

    def __init__(
        self,
        low: tuple[int, int],
        side: int,
        input_size: tuple[int, int],
        image_size: tuple[int, int],
        device: torch.device,
    ) -> None:
        self.rows, self.columns = (
            _bilinear(size, inside, device) @ _bilinear(side, n, device)[:inside]
            for size, inside, n in zip(image_size, input_size, low, strict=True)
        )

    def full(self, logits: Tensor) -> Tensor:
        """Logits (N, h, w) at the size of the image (N, H, W)."""
        return self.rows @ logits @ self.columns.T

    def window(self, logits: Tensor) -> MaskWindow | None:
        """The part of one mask (h, w) that may be inside; None if there is none."""
        inside = logits > 0
        # A pixel can be positive only if it takes from a row and a column that are.
        lines = self.rows @ inside.any(1).float(), self.columns @ inside.any(0).float()
        rows, columns = (extent((line > 0).cpu().numpy()) for line in lines)
        if rows is None or columns is None:
            return None
        of_rows, of_columns = self.rows[rows], self.columns[columns]
        from_rows, from_columns = _support(of_rows), _support(of_columns)
        enlarged = (
            of_rows[:, from_rows]
            @ logits[from_rows, from_columns]
            @ of_columns[:, from_columns].T
        )
        return MaskWindow(rows, columns, enlarged)


def extent(line: ArrayLike) -> slice | None:
    """From the first to the last true value; None if there is none."""
    at = np.flatnonzero(line)
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else None


def _support(matrix: Tensor) -> slice:
    """The columns of rows in a row that are not all zero."""
    ends = matrix[[0, -1]].nonzero()[:, 1]
    return slice(int(ends.min()), int(ends.max()) + 1)
