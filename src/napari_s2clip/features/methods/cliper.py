"""CLIPer (Sun et al. 2024): early blocks through the last one, fused attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..attention import query_key_attention
from .parts import WindowFeatures

if TYPE_CHECKING:
    from ...models.clip import ClipModel, HiddenStates
    from ...settings import Settings

__all__ = ["balance", "cliper_features", "sharpen"]


def _row_normalised(attention: Tensor) -> Tensor:
    total = attention.sum(-1, keepdim=True)
    # A row without anything (all tokens alike) attends to all of them.
    even = torch.full_like(attention, 1 / attention.shape[-1])
    return torch.where(total > 0, attention / total.clamp(min=1e-30), even)


def balance(attention: Tensor) -> Tensor:
    """One round of Sinkhorn's iteration: columns, then rows, divided by their sums.

    Parameters
    ----------
    attention : Tensor, (…, N, N)
        Not negative.
    """
    attention = attention / attention.sum(-2, keepdim=True)
    return attention / attention.sum(-1, keepdim=True)


def sharpen(attention: Tensor) -> Tensor:
    """rownorm(max(0, ½ (A + Aᵀ) less the mean of each column)): (…, N, N)."""
    symmetric = (attention + attention.transpose(-1, -2)) / 2
    centred = symmetric - symmetric.mean(-2, keepdim=True)
    return _row_normalised(centred.clamp(min=0))


def cliper_features(
    clip: ClipModel, hidden: HiddenStates, settings: Settings
) -> WindowFeatures:
    """What enters each block, through the last block's V and Wo with one attention.

    With the sum over all blocks but the last of softmax(s q kᵀ), per head::

        A   = sharpen(balance(Σ_l softmax(s q_l k_lᵀ)))
        f_l = proj · LN_post(Wo (A · Wv LN1(h_{l-1}))),  l = 0 … L-1

    The author's code (``variant="code"``) balances the sum once more for each branch,
    and feeds LN1_l(h_{l-1}) instead of h_{l-1} for all branches but the last.

    Returns
    -------
    WindowFeatures
        Dense features (B, L, h, w, d), and the extra ``affinity`` (B, N, N): the last
        branch's attention between patches, averaged over the heads.
    """
    as_code = settings.variant == "code"
    last = clip.n_blocks - 1
    fused: Tensor | float = 0.0
    for number in range(last):
        block = clip.blocks[number]
        q, k, _ = block.qkv(hidden.into(number))
        fused = fused + query_key_attention(q, k, block.scale)
    balanced = balance(torch.as_tensor(fused))
    attention = sharpen(balanced)
    branches = []
    for number in range(clip.n_blocks):
        tokens = hidden.into(number)
        if as_code and number:
            balanced = balance(balanced)
            attention = sharpen(balanced)
        if as_code and number < last:
            tokens = clip.blocks[number].norm(tokens)
        _, _, v = clip.last.qkv(tokens)
        branches.append(clip.project(clip.last.attend(attention, v))[:, 1:])
    dense = torch.stack(branches, 1)
    affinity = attention.mean(1)[:, 1:, 1:]
    return WindowFeatures(
        dense.reshape(*dense.shape[:2], *hidden.grid, -1), {"affinity": affinity}
    )
