"""What methods are made of: their result, and the attention of one block."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..attention import (
    ensemble_attention,
    gaussian_neighbourhood,
    query_key_attention,
    self_attention,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...methods import Method
    from ...models.clip import BlockParts

__all__ = ["Scores", "WindowFeatures", "block_attention", "block_output", "resample"]


@dataclass(frozen=True)
class WindowFeatures:
    """What a method makes of a batch of windows.

    Attributes
    ----------
    dense : Tensor, (B, h, w, d) or (B, branches, h, w, d)
        Dense features, not normalised.
    extras : dict of str to Tensor, each (B, …)
        What else the method's scores need.
    """

    dense: Tensor
    extras: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """A change to the scores of x-x attention: scale · x xᵀ + addition.

    Attributes
    ----------
    factor : float
        Of the block's own scale.
    addition : Tensor, (B, 1, N, N)
    """

    factor: float
    addition: Tensor


def block_attention(
    block: BlockParts,
    tokens: Tensor,
    method: Method,
    grid: tuple[int, int],
    scores: Scores | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention and values of ``tokens`` in a block, as the method mixes them.

    Parameters
    ----------
    block : BlockParts
    tokens : Tensor, (B, N, width)
        What enters the block: patches, with the class token first or without it.
    method : Method
    grid : (int, int)
        Rows and columns of the patches.
    scores : Scores, optional
        Of the q-q, k-k and v-v parts.

    Returns
    -------
    attention : Tensor, (B, heads, N, N)
        Rows sum to `Method.row_sum`.
    values : Tensor, (B, heads, N, d_head)
    """
    q, k, v = block.qkv(tokens)
    nearness, scale = None, block.scale
    if method.neighbourhood is not None:
        nearness = gaussian_neighbourhood(grid, method.neighbourhood).to(tokens)
        spare = tokens.shape[1] - grid[0] * grid[1]
        # The class token is near to nothing.
        nearness = F.pad(nearness, (spare, 0, spare, 0))
    if scores is not None:
        scale = scale * scores.factor
        nearness = scores.addition + (0.0 if nearness is None else nearness)

    def ensemble() -> Tensor:
        length = block.norm(tokens).norm(dim=-1).mean(-1)
        sharpness = block.scale * length[:, None, None, None]
        return ensemble_attention(q, k, v, sharpness)

    known: dict[str, Callable[[], Tensor]] = {
        "identity": lambda: torch.eye(v.shape[2], dtype=v.dtype, device=v.device),
        "qk": lambda: query_key_attention(q, k, block.scale),
        "qq": lambda: self_attention(q, scale, nearness),
        "kk": lambda: self_attention(k, scale, nearness),
        "vv": lambda: self_attention(v, scale, nearness),
        "ensemble": ensemble,
    }
    total: Tensor | float = 0.0
    for part in method.parts:
        total = total + known[part]()
    attention = torch.as_tensor(total * (method.row_sum / len(method.parts)))
    return attention.expand(*v.shape[:3], v.shape[2]), v


def block_output(
    block: BlockParts,
    method: Method,
    entered: Tensor,
    change: Tensor,
    grids: tuple[tuple[int, int], tuple[int, int]] | None = None,
) -> Tensor:
    """[x +] y [+ FFN(LN2(·))]: the halves of a block that the method keeps.

    Parameters
    ----------
    block : BlockParts
    method : Method
    entered : Tensor, (B, N, width)
        x, what entered the block.
    change : Tensor, (B, N', width)
        y, what its attention has made.
    grids : pair of (int, int), optional
        Those of x and of y, if they differ.

    Returns
    -------
    Tensor, (B, N', width)
    """
    if method.residual:
        change = change + (entered if grids is None else resample(entered, *grids))
    if method.feed_forward:
        change = change + block.feed_forward(change)
    return change


def resample(
    tokens: Tensor,
    grid: torch.Size | tuple[int, int],
    new: torch.Size | tuple[int, int],
) -> Tensor:
    """Bilinear change of grid: (B, h * w, d) to (B, h' * w', d)."""
    if tuple(new) == tuple(grid):
        return tokens
    maps = tokens.transpose(1, 2).reshape(len(tokens), -1, *grid)
    maps = F.interpolate(maps, tuple(new), mode="bilinear", align_corners=False)
    return maps.flatten(2).transpose(1, 2)
