"""Attention parts: each is one formula on tensors.

Tokens are (B, N, d), similarities and attentions (B, N, N) or (B, heads, N, N).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "cosine_similarity",
    "self_self_attention",
    "similarity_attention",
    "smooth",
    "softmax_positive",
]


def softmax_positive(scores: Tensor) -> Tensor:
    """Softmax over the last axis with negative scores set to minus infinity.

    A row without a score >= 0 (all tokens alike, as in a constant image) has nothing
    to keep; it gets the plain softmax instead of NaN.
    """
    negative = scores < 0
    keep = ~negative | negative.all(-1, keepdim=True)
    return scores.masked_fill(~keep, -torch.inf).softmax(-1)


def cosine_similarity(tokens: Tensor) -> Tensor:
    """S = norm(t) norm(t)^T: (B, N, d) to (B, N, N)."""
    unit = F.normalize(tokens, dim=-1)
    return unit @ unit.transpose(-1, -2)


def self_self_attention(queries: Tensor, keys: Tensor, scale: float) -> Tensor:
    """½ [softmax(s q qᵀ) + softmax(s k kᵀ)] per head (Wang et al., SCLIP).

    Parameters
    ----------
    queries, keys : Tensor, (B, heads, N, d_head)
    scale : float
        s = d_head^-½.

    Returns
    -------
    Tensor, (B, heads, N, N)
        Rows sum to 1.
    """
    qq = (scale * queries @ queries.transpose(-1, -2)).softmax(-1)
    kk = (scale * keys @ keys.transpose(-1, -2)).softmax(-1)
    return (qq + kk) / 2


def similarity_attention(similarity: Tensor, sharpness: float = 3.0) -> Tensor:
    """softmax₊(γ (S − mean S)) with the mean of each window (Bai et al., SC-CLIP)."""
    centred = similarity - similarity.mean((-1, -2), keepdim=True)
    return softmax_positive(sharpness * centred)


def smooth(tokens: Tensor, similarity: Tensor, threshold: float) -> Tensor:
    """Average tokens over their likes: u ← rownorm(S · 1[S ≥ threshold]) u.

    Parameters
    ----------
    tokens : Tensor, (B, N, d)
    similarity : Tensor, (B, N, N)
        Cosines; every token is its own like (S = 1).
    threshold : float
    """
    itself = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
    # Rounding may put a token's likeness to itself just below a threshold of 1.
    weights = similarity * ((similarity >= threshold) | itself)
    return weights @ tokens / weights.sum(-1, keepdim=True)
