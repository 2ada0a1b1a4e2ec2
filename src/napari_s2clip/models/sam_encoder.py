"""SAM's image encoder, its attention computed a block at a time.

segment_anything holds the attention of all heads and patches at once, three times over
while positions are added: 2.4 GB for 64 × 64 patches and 12 heads. Here a block of
queries is taken at a time, so that its scores stay in the CPU's cache. Everything else
is segment_anything's own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from .._triton import avoid_triton
from .packed_linear import pack_linears
from .precision import enter_float32, lower

__all__ = ["PositionedAttention", "fast_encoder", "positioned_attention"]

_BYTES: Final = {"cpu": 1 << 23, "cuda": 1 << 28, "mps": 1 << 26}
"""Attention scores held at once, by kind of device; a CPU's cache holds these."""


def positioned_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    rows: Tensor,
    columns: Tensor,
    max_scores: int | None = None,
) -> Tensor:
    """softmax(d^-½ q kᵀ + b) v, with a bias b for the distance of two patches.

    b[i, j] = q_i · rows[y_i, y_j] + q_i · columns[x_i, x_j], for patches i and j at
    (y, x): the decomposed relative positions of MViTv2 (Li et al. 2022, Section 4.1),
    as SAM has them. Exact under any ``max_scores``.

    Parameters
    ----------
    q, k, v : Tensor, (G, h * w, d)
        For G windows and heads.
    rows : Tensor, (h, h, d)
        For each pair of rows.
    columns : Tensor, (w, w, d)
    max_scores : int, optional
        Bound of the scores held at once, but never less than those of one query.

    Returns
    -------
    Tensor, (G, h * w, d)
    """
    most = _BYTES.get(q.device.type, _BYTES["cpu"])
    limit = max_scores or most // q.element_size()
    groups, count, width = q.shape
    h, w = len(rows), len(columns)
    grid = q.view(groups, h, w, width)
    by_row = torch.einsum("gyxd,ykd->gyxk", grid, rows).reshape(groups, count, h)
    by_column = torch.einsum("gyxd,xkd->gyxk", grid, columns).reshape(groups, count, w)
    scaled, turned = q * width**-0.5, k.transpose(1, 2)
    together = max(1, limit // count**2)
    step = max(1, min(count, limit // count))
    result = torch.empty_like(v)
    for group in range(0, groups, together):
        some = slice(group, group + together)
        for first in range(0, count, step):
            queries = slice(first, first + step)
            scores = scaled[some, queries] @ turned[some]
            square = scores.view(*scores.shape[:2], h, w)
            square += by_row[some, queries, :, None]
            square += by_column[some, queries, None, :]
            result[some, queries] = scores.softmax(-1) @ v[some]
    return result


class PositionedAttention(nn.Module):
    """In the place of segment_anything's ``Attention``, with its weights and names.

    Parameters
    ----------
    attention : segment_anything.modeling.image_encoder.Attention
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.num_heads: int = attention.num_heads
        self.scale: float = attention.scale
        self.qkv: nn.Module = attention.qkv
        self.proj: nn.Module = attention.proj
        self.use_rel_pos: bool = attention.use_rel_pos
        if self.use_rel_pos:
            self.rel_pos_h: nn.Parameter = attention.rel_pos_h
            self.rel_pos_w: nn.Parameter = attention.rel_pos_w
        self._tables: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self._attend: Callable[..., Tensor] = positioned_attention

    def leave_out(self) -> None:
        """Let ``torch.compile`` go around the attention.

        Compiled, its loops would be written out: minutes for a graph that is no faster.
        """
        # Imports what torch compiles with: seconds, so not unless it is needed.
        avoid_triton()
        disable: Any = torch.compiler.disable
        self._attend = disable(positioned_attention)

    def positions(self, h: int, w: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors for each pair of rows (h, h, d) and of columns (w, w, d)."""
        if (h, w) not in self._tables:
            from segment_anything.modeling.image_encoder import get_rel_pos

            if self.use_rel_pos:
                tables = (
                    get_rel_pos(h, h, self.rel_pos_h),
                    get_rel_pos(w, w, self.rel_pos_w),
                )
            else:
                width = like.shape[-1]
                tables = like.new_zeros(h, h, width), like.new_zeros(w, w, width)
            self._tables = {(h, w): tables}
        rows, columns = self._tables[h, w]
        return rows.to(like), columns.to(like)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, c) to the same shape."""
        batch, h, w, _ = x.shape
        joined = self.qkv(x).reshape(batch, h * w, 3, self.num_heads, -1)
        q, k, v = joined.permute(2, 0, 3, 1, 4).flatten(1, 2)
        found = self._attend(q, k, v, *self.positions(h, w, q))
        joined = found.view(batch, self.num_heads, h, w, -1).permute(0, 2, 3, 1, 4)
        result: Tensor = self.proj(joined.flatten(3))
        return result


def fast_encoder(
    encoder: nn.Module, dtype: torch.dtype = torch.float32, *, packed: bool = True
) -> nn.Module:
    """An image encoder of segment_anything that computes the same in less memory.

    Parameters
    ----------
    encoder : segment_anything.modeling.ImageEncoderViT
        Frozen; left as it is. In float32 the result shares its weights.
    dtype : torch.dtype
        What matrix products, convolutions and attention are computed in. Norms and sums
        stay in float32.
    packed : bool
        Lay out the weights of linear maps for the CPU. ``torch.compile`` cannot follow
        that; without it, the encoder is made ready for being compiled.

    Returns
    -------
    torch.nn.Module
        Takes (B, 3, side, side) and gives (B, c, h, w), as ``encoder`` does.
    """
    kept = [*encoder.parameters(), *encoder.buffers()]
    fast: Any = copy.deepcopy(encoder, {id(tensor): tensor for tensor in kept})
    for block in fast.blocks:
        if not isinstance(block.attn, PositionedAttention):
            block.attn = PositionedAttention(block.attn)
        if not packed:
            block.attn.leave_out()
    lower(fast, dtype)
    if dtype != torch.float32:
        # Its squares can be beyond what fp16 holds.
        for part in (fast.neck[1], fast.neck[3]):
            enter_float32(part)
    if packed:
        pack_linears(fast)
    result: nn.Module = fast
    return result
