"""Attention parts: each is one formula on tensors.

Tokens are (B, N, d), similarities and attentions (B, N, N) or (B, heads, N, N).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "cosine_similarity",
    "ensemble_attention",
    "gaussian_neighbourhood",
    "query_key_attention",
    "self_attention",
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


def query_key_attention(queries: Tensor, keys: Tensor, scale: float) -> Tensor:
    """softmax(s q kᵀ) per head, the block's own attention (Vaswani et al. 2017, Eq. 1).

    Parameters
    ----------
    queries, keys : Tensor, (B, heads, N, d_head)
    scale : float
        s, d_head^-½ in CLIP.

    Returns
    -------
    Tensor, (B, heads, N, N)
        Rows sum to 1.
    """
    return (scale * queries @ keys.transpose(-1, -2)).softmax(-1)


def self_attention(
    vectors: Tensor, scale: float, nearness: Tensor | None = None
) -> Tensor:
    """softmax(s x xᵀ + G) per head, of queries, keys or values x.

    q-q and k-k are the terms of SCLIP (Wang et al. 2024), q-q alone is ClearCLIP's (Lan
    et al. 2024), v-v CLIP Surgery's (Li et al. 2023). k-k with the neighbourhood G is
    NACLIP's (Hajimiri et al. 2025).

    Parameters
    ----------
    vectors : Tensor, (B, heads, N, d_head)
    scale : float
    nearness : Tensor, (N, N), optional
        G, see `gaussian_neighbourhood`.

    Returns
    -------
    Tensor, (B, heads, N, N)
        Rows sum to 1.
    """
    scores = scale * vectors @ vectors.transpose(-1, -2)
    return (scores if nearness is None else scores + nearness).softmax(-1)


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
    return (self_attention(queries, scale) + self_attention(keys, scale)) / 2


def ensemble_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    sharpness: Tensor,
    iterations: int = 1,
) -> Tensor:
    """⅓ (A_vv + A_kk + A_qq) of grouped vectors (Bousselham et al. 2024, GEM).

    Each of q, k and v is normalised and grouped, ``iterations`` times:
    x ← l2norm(x), x ← softmax(τ x xᵀ) x. Then A_xx = softmax(τ x xᵀ) of the normalised
    x. The mean of the three attentions acts on v as the mean of three results does.

    Parameters
    ----------
    queries, keys, values : Tensor, (B, heads, N, d_head)
    sharpness : Tensor, (B, 1, 1, 1)
        τ = d_head^-½ · mean ‖LN1(token)‖ of each image.
    iterations : int

    Returns
    -------
    Tensor, (B, heads, N, N)
        Rows sum to 1.
    """
    total: Tensor | float = 0.0
    for vectors in (values, keys, queries):
        unit = F.normalize(vectors, dim=-1)
        for _ in range(iterations):
            grouped = (sharpness * unit @ unit.transpose(-1, -2)).softmax(-1) @ unit
            unit = F.normalize(grouped, dim=-1)
        total = total + (sharpness * unit @ unit.transpose(-1, -2)).softmax(-1)
    assert isinstance(total, Tensor)
    return total / 3


def gaussian_neighbourhood(grid: tuple[int, int], sigma: float = 5.0) -> Tensor:
    """G_ij = exp(-‖i - j‖² / 2σ²), added to scores (Hajimiri et al. 2025, NACLIP).

    Parameters
    ----------
    grid : (int, int)
        Rows h and columns w.
    sigma : float
        In patches.

    Returns
    -------
    Tensor, (h * w, h * w)
        0 to 1.
    """
    rows, columns = (torch.arange(n, dtype=torch.float32) for n in grid)
    at = torch.cartesian_prod(rows, columns)
    return (-torch.cdist(at, at).square() / (2 * sigma**2)).exp()


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
