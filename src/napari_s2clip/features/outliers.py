"""Outlier tokens: found by their local density, replaced by their neighbours.

CLIP keeps global information in a few patch tokens of large norm; they break every map
made of patch similarities.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["find_outliers", "local_outlier_factor", "repair"]


def local_outlier_factor(tokens: Tensor, neighbours: int = 30) -> Tensor:
    """Local outlier factor of each token (Breunig et al. 2000, Definitions 5 to 7).

    Distances are squared Euclidean, as in SC-CLIP. With fewer than ``neighbours + 1``
    tokens, all others are neighbours.

    Parameters
    ----------
    tokens : Tensor, (B, N, d)
    neighbours : int
        k.

    Returns
    -------
    Tensor, (B, N)
        About 1 inside a cluster, larger outside; 1 where there is one token only.
    """
    count = tokens.shape[1]
    k = min(neighbours, count - 1)
    if k < 1:
        return tokens.new_ones(tokens.shape[:2])
    distance = torch.cdist(tokens, tokens).square()
    eye = torch.eye(count, dtype=torch.bool, device=tokens.device)
    nearest, index = distance.masked_fill(eye, torch.inf).topk(k, largest=False)
    k_distance = nearest[..., -1]
    flat = index.flatten(1)
    reach = torch.maximum(nearest, k_distance.gather(1, flat).view_as(nearest))
    # Equal tokens have distance 0 and infinite density; the floor keeps ratios at 1.
    density = 1 / reach.mean(-1).clamp(min=1e-12)
    return density.gather(1, flat).view_as(nearest).mean(-1) / density


def find_outliers(
    tokens: Tensor, neighbours: int = 30, quantile: float = 0.95
) -> Tensor:
    """Tokens whose factor exceeds the window's ``quantile``: bool (B, N)."""
    factor = local_outlier_factor(tokens, neighbours)
    return factor > factor.quantile(quantile, dim=1, keepdim=True)


def repair(tokens: Tensor, outliers: Tensor, grid: tuple[int, int]) -> Tensor:
    """Replace outliers by the mean of the sound tokens among their 8 neighbours.

    An outlier without a sound neighbour stays as it is.

    Parameters
    ----------
    tokens : Tensor, (B, N, d)
    outliers : Tensor of bool, (B, N)
    grid : (int, int)
        Rows and columns, N = rows * columns.
    """
    batch, _, width = tokens.shape
    sound = (~outliers).to(tokens.dtype).view(batch, 1, *grid)
    maps = tokens.transpose(1, 2).reshape(batch, width, *grid) * sound
    # Average pooling that counts the padding as zeros: 9 x mean is the plain sum.
    total, number = (9 * F.avg_pool2d(m, 3, stride=1, padding=1) for m in (maps, sound))
    mean = (total / number.clamp(min=1)).flatten(2).transpose(1, 2)
    usable = outliers & (number.flatten(1) > 0.5)
    return torch.where(usable[..., None], mean, tokens)
