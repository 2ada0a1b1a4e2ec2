"""Trident (Shi et al. 2024): windows spliced, then aggregated by SAM's attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from .parts import resample

if TYPE_CHECKING:
    from ...models.clip import ClipModel
    from ...models.sam_attention import SamAttention
    from ..windows import WindowPlan

__all__ = ["aggregate_with_sam", "correlation", "splice", "trident_features"]

_HIGHEST, _INSTEAD = 0.9, 0.6


def splice(windows: Tensor, plan: WindowPlan, patch: int) -> Tensor:
    """Features of overlapping windows to those of the whole image, averaged.

    Parameters
    ----------
    windows : Tensor, (windows, h', w', d)
        On any grid; resampled to that of the windows' patches.
    plan : WindowPlan
        Corners on the grid of the patches.
    patch : int
        Side of a patch, in pixels.

    Returns
    -------
    Tensor, (h, w, d)
        On the grid of the resized image's patches.
    """
    grid = (plan.window[0] // patch, plan.window[1] // patch)
    flat = resample(windows.flatten(1, 2), (windows.shape[1], windows.shape[2]), grid)
    maps = flat.view(len(flat), *grid, -1)
    total = maps.new_zeros(plan.size[0] // patch, plan.size[1] // patch, maps.shape[-1])
    hits = total.new_zeros(*total.shape[:2], 1)
    for window, (top, left) in zip(maps, plan.corners, strict=True):
        row, column = top // patch, left // patch
        part = (slice(row, row + grid[0]), slice(column, column + grid[1]))
        total[part] += window
        hits[part] += 1
    return total / hits


def correlation(
    attention: SamAttention, factor: float = 1.2, *, negative: bool = True
) -> Tensor:
    """W: SAM's attention where values are alike, averaged over heads, rows of sum 1.

    With the cosine c_h(i, j) of the values of two patches in head h::

        θ_i = min(factor · mean_{h, j} c_h(i, j), 0.9)
        W   = rownorm(mean_h A_h · 1[c_h > θ_i])

    Parameters
    ----------
    attention : SamAttention
    factor : float
    negative : bool
        Keep a negative θ; if False, 0.6 stands for it.

    Returns
    -------
    Tensor, (n, n)
    """
    unit = F.normalize(attention.values(), dim=-1)
    # The mean over all j is the product with the mean vector.
    mean = (unit @ unit.mean(1, keepdim=True).transpose(-1, -2))[..., 0].mean(0)
    threshold = (factor * mean).clamp(max=_HIGHEST)
    if not negative:
        threshold = torch.where(threshold < 0, _INSTEAD, threshold)
    total: Tensor | float = 0.0
    for head in range(attention.heads):
        alike = unit[head] @ unit[head].T > threshold[:, None]
        total = total + attention.of_head(head) * alike
    weights = torch.as_tensor(total)
    sums = weights.sum(-1, keepdim=True)
    # A patch whose attention has vanished everywhere keeps its own features.
    alone = torch.eye(len(weights), device=weights.device, dtype=weights.dtype)
    return torch.where(sums > 0, weights / sums.clamp(min=1e-30), alone)


def aggregate_with_sam(
    spliced: Tensor, weights: Tensor, grid: tuple[int, int]
) -> Tensor:
    """W · features, on SAM's grid: (h, w, d) to (rows, columns, d).

    Parameters
    ----------
    spliced : Tensor, (h, w, d)
    weights : Tensor, (n, n)
        Of `correlation`.
    grid : (int, int)
        Rows and columns of SAM's patches, n in all.
    """
    flat = resample(spliced[None].flatten(1, 2), spliced.shape[:2], grid)
    return (weights @ flat[0]).view(*grid, -1)


@torch.inference_mode()
def trident_features(
    clip: ClipModel,
    windows: Tensor,
    plan: WindowPlan,
    attention: SamAttention,
    factor: float,
    *,
    negative: bool,
) -> Tensor:
    """Dense features of a whole image from those of its windows.

    f = proj · LN_post(W · splice(o)).

    Parameters
    ----------
    clip : ClipModel
    windows : Tensor, (windows, h', w', width)
        Of the last block with the vision model's attention, before LN_post.
    plan : WindowPlan
    attention : SamAttention
        Of the whole image.
    factor : float
    negative : bool
        See `correlation`.

    Returns
    -------
    Tensor, (rows, columns, d)
        On SAM's grid, not normalised.
    """
    spliced = splice(windows, plan, clip.patch_size)
    weights = correlation(attention, factor, negative=negative)
    return clip.project(aggregate_with_sam(spliced, weights, attention.grid))
