"""Attention and values of SAM's last global block, one head at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["SamAttention", "last_global_attention"]


def last_global_attention(encoder: nn.Module) -> nn.Module:
    """Attention module of the last block whose window is the whole image.

    Raises
    ------
    ValueError
        If there is none.
    """
    found: nn.Module | None = None
    blocks: Any = encoder.blocks
    for block in blocks:
        if block.window_size == 0:
            found = block.attn
    if found is None:
        raise ValueError("sam: no block of its image encoder looks at the whole image")
    return found


@dataclass(frozen=True)
class SamAttention:
    """What the last global block of SAM's image encoder attends to.

    Attributes
    ----------
    module : segment_anything.modeling.image_encoder.Attention
    tokens : Tensor, (1, H, W, c)
        What entered it, padding included.
    grid : (int, int)
        Rows and columns of patches that hold the image, not padding.
    """

    module: Any
    tokens: Tensor
    grid: tuple[int, int]

    @property
    def heads(self) -> int:
        """Number of heads."""
        return int(self.module.num_heads)

    def _inside(self) -> Tensor:
        """Indices of the patches that hold the image: (n,)."""
        height, width = self.tokens.shape[1:3]
        number = torch.arange(height * width, device=self.tokens.device)
        return number.view(height, width)[: self.grid[0], : self.grid[1]].flatten()

    @torch.inference_mode()
    def values(self) -> Tensor:
        """Values of the patches of the image: (heads, n, d_head)."""
        return self._qkv[2][:, self._inside()]

    @cached_property
    def _qkv(self) -> Tensor:
        """Queries, keys, values of all patches: (3, heads, H * W, d_head)."""
        count = self.tokens.shape[1] * self.tokens.shape[2]
        joined = self.module.qkv(self.tokens).reshape(count, 3, self.heads, -1)
        qkv: Tensor = joined.permute(1, 2, 0, 3).float()
        return qkv

    @torch.inference_mode()
    def of_head(self, head: int) -> Tensor:
        """Attention between the patches of the image: (n, n).

        The softmax is over all patches, padding included, so that rows sum to 1 at
        most.
        """
        from segment_anything.modeling.image_encoder import add_decomposed_rel_pos

        size = (self.tokens.shape[1], self.tokens.shape[2])
        q, k, _ = self._qkv[:, head : head + 1]
        scores = (q * self.module.scale) @ k.transpose(-2, -1)
        if self.module.use_rel_pos:
            scores = add_decomposed_rel_pos(
                scores, q, self.module.rel_pos_h, self.module.rel_pos_w, size, size
            )
        inside = self._inside()
        rows: Tensor = scores[0, inside].softmax(-1)
        return rows[:, inside]
