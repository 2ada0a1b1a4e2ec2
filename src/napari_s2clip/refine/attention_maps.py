"""Probabilities averaged over what looks alike, by the attention of another model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["propagate", "sharpen"]


def sharpen(attention: Tensor, threshold: float = 0.1) -> Tensor:
    """M: columns divided by their largest value, small values dropped, rows of sum 1.

    CLIPer's refinement (Sun et al. 2024, Section 3.4).

    Parameters
    ----------
    attention : Tensor, (N, N)
        Not negative.
    threshold : float
        Values below it are dropped, after the division. A row of which nothing is left
        keeps to itself.

    Returns
    -------
    Tensor, (N, N)
    """
    largest = attention.amax(-2, keepdim=True)
    found = attention / largest.clamp(min=torch.finfo(attention.dtype).tiny)
    found = torch.where(found < threshold, 0, found)
    total = found.sum(-1, keepdim=True)
    alone = torch.eye(len(found), dtype=found.dtype, device=found.device)
    return torch.where(total > 0, found / total.clamp(min=1e-30), alone)


def propagate(
    attentions: Iterable[Tensor], maps: Tensor, threshold: float = 0.1
) -> Tensor:
    """M₁ M₂ … M_n · maps on the grid of the attention, resized back, bilinear.

    Each is applied to the maps, which are small, instead of multiplied with the others.

    Rows of each M sum to 1, so values that sum to 1 over the classes still do.

    Parameters
    ----------
    attentions : iterable of Tensor, (N, N)
        Of a square grid, M_n first.
    maps : Tensor, (C, H, W)
    threshold : float
        See `sharpen`.

    Returns
    -------
    Tensor, (C, H, W)
    """
    small: Tensor | None = None
    side = 0
    for attention in attentions:
        if small is None:
            side = math.isqrt(len(attention))
            small = F.interpolate(
                maps[None].to(attention),
                (side, side),
                mode="bilinear",
                align_corners=False,
            )[0].flatten(1)
        small = small @ sharpen(attention, threshold).T
    if small is None:
        raise ValueError("attentions: give at least one")
    found = F.interpolate(
        small.view(1, -1, side, side),
        maps.shape[-2:],
        mode="bilinear",
        align_corners=False,
    )[0]
    return found.to(maps)
