"""Attention of one block, mixed from the parts that a method names."""

from __future__ import annotations

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
    from ...models.clip import BlockParts
    from .table import Method

__all__ = ["block_attention", "resample"]


def block_attention(
    block: BlockParts, tokens: Tensor, method: Method, grid: tuple[int, int]
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

    Returns
    -------
    attention : Tensor, (B, heads, N, N)
        Rows sum to `Method.row_sum`.
    values : Tensor, (B, heads, N, d_head)
    """
    q, k, v = block.qkv(tokens)
    nearness = None
    if method.neighbourhood is not None:
        nearness = gaussian_neighbourhood(grid, method.neighbourhood).to(tokens)
        spare = tokens.shape[1] - grid[0] * grid[1]
        # The class token is near to nothing.
        nearness = F.pad(nearness, (spare, 0, spare, 0))
    found: list[Tensor] = []
    for part in method.parts:
        if part == "identity":
            count = tokens.shape[1]
            found.append(torch.eye(count, dtype=v.dtype, device=v.device)[None, None])
        elif part == "qk":
            found.append(query_key_attention(q, k, block.scale))
        elif part == "ensemble":
            length = block.norm(tokens).norm(dim=-1).mean(-1)
            sharpness = block.scale * length[:, None, None, None]
            found.append(ensemble_attention(q, k, v, sharpness))
        else:
            vectors = {"qq": q, "kk": k, "vv": v}[part]
            found.append(self_attention(vectors, block.scale, nearness))
    attention = torch.stack([a.expand(*v.shape[:3], v.shape[2]) for a in found]).mean(0)
    return method.row_sum * attention, v


def resample(
    tokens: Tensor, grid: tuple[int, int], new: torch.Size | tuple[int, int]
) -> Tensor:
    """Bilinear change of grid: (B, h * w, d) to (B, h' * w', d)."""
    if tuple(new) == tuple(grid):
        return tokens
    maps = tokens.transpose(1, 2).reshape(len(tokens), -1, *grid)
    maps = F.interpolate(maps, tuple(new), mode="bilinear", align_corners=False)
    return maps.flatten(2).transpose(1, 2)
