"""Attention of a vision model's tokens, lent to CLIP (Lan et al., ProxyCLIP).

D = l2norm(tokens), S = D Dᵀ, A = softmax₊(γ (S − β mean S)). The mean is that of each
window, never of the batch, so that a window's result does not depend on its neighbours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import softmax_positive

__all__ = ["MAX_SCORES", "aggregate", "mean_similarity", "proxy_attention"]

MAX_SCORES = 2**22
"""Attention scores that `aggregate` holds at once (16 MiB of float32)."""


def mean_similarity(tokens: Tensor) -> Tensor:
    """Mean S of each window: the squared length of its mean unit vector.

    Parameters
    ----------
    tokens : Tensor, (B, N, d)

    Returns
    -------
    Tensor, (B, 1, 1)
    """
    unit = F.normalize(tokens, dim=-1)
    return unit.mean(1).square().sum(-1)[:, None, None]


def proxy_attention(
    tokens: Tensor,
    beta: float = 1.2,
    gamma: float = 3.0,
    rows: slice = slice(None),
    mean: Tensor | None = None,
) -> Tensor:
    """Rows of A = softmax₊(γ (S − β mean S)).

    Parameters
    ----------
    tokens : Tensor, (B, N, d)
    beta, gamma : float
    rows : slice
        Tokens whose rows are wanted; R of them.
    mean : Tensor, optional
        Mean similarity, of each window's own tokens if not given; anything that
        broadcasts with (B, 1, 1).

    Returns
    -------
    Tensor, (B, R, N)
        Rows sum to 1.
    """
    unit = F.normalize(tokens, dim=-1)
    if mean is None:
        mean = mean_similarity(tokens)
    similarity = unit[:, rows] @ unit.transpose(-1, -2)
    return softmax_positive(gamma * (similarity - beta * mean))


def aggregate(
    tokens: Tensor,
    values: Tensor,
    beta: float = 1.2,
    gamma: float = 3.0,
    mean: Tensor | None = None,
    *,
    max_scores: int = MAX_SCORES,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """A · values, some rows of A at a time; the result is that of all rows at once.

    Parameters
    ----------
    tokens : Tensor, (B, N, d)
        Of the vision model.
    values : Tensor, (B, N, d')
    beta, gamma, mean
        See `proxy_attention`.
    max_scores : int
        Bound of the scores held at once, but never less than one row a window.
    dtype : torch.dtype
        What the product with the values is computed in; scores and softmax are not.

    Returns
    -------
    Tensor, (B, N, d')
    """
    batch, count = tokens.shape[:2]
    step = max(1, max_scores // (batch * count))
    if mean is None:
        mean = mean_similarity(tokens)
    dtype = values.dtype if dtype == torch.float32 else dtype
    lowered = values.to(dtype)
    parts = []
    for first in range(0, count, step):
        rows = slice(first, first + step)
        weights = proxy_attention(tokens, beta, gamma, rows, mean)
        parts.append((weights.to(dtype) @ lowered).to(values.dtype))
    return torch.cat(parts, 1)
