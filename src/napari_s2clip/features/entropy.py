"""Spatial entropy of feature maps (Algorithm 1) and its two diagnostics.

Tokens are (B, N, C): images, patches without the class token, channels. Each image has
figures of its own; those of Algorithm 1 are their mean over the batch.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

__all__ = [
    "EntropyMode",
    "channel_correlation",
    "gini_coefficient",
    "spatial_distribution",
    "spatial_entropy",
]

EntropyMode: TypeAlias = Literal["fixed", "strict"]

_FLOOR = 1e-12
"""Of probabilities in the mode ``"fixed"``: keeps the logarithm finite and no more."""


def spatial_distribution(tokens: Tensor, mode: EntropyMode = "fixed") -> Tensor:
    """Where each channel is active: a distribution over the patches.

    Algorithm 1, lines 2 to 8. With mean μ and standard deviation σ (biased) of each
    channel over the N patches, and ε = max(0.01 · min σ, 1e-6)::

        F* = (F - μ) / (σ + ε),  less its maximum
        P  = exp F* / (Σ exp F* + ε)            line 7
        P  = max(P, ε) / Σ max(P, ε)            line 8

    As printed (``"strict"``), ε is also the smallest probability. It grows with the
    scale of the features and soon exceeds 1 / N, where every channel becomes uniform.
    ``"fixed"`` uses ε in the first line only, and 1e-12 in the last.

    Parameters
    ----------
    tokens : Tensor, (B, N, C)
    mode : {"fixed", "strict"}

    Returns
    -------
    Tensor, (B, N, C)
        Float64 if the tokens are, else float32. Sums to 1 over the patches.

    Raises
    ------
    ValueError
        If ``tokens`` is not (B, N, C) with N > 0 and C > 0, or the mode is unknown.
    """
    if tokens.ndim != 3 or not tokens.shape[1] or not tokens.shape[2]:
        raise ValueError(
            f"tokens: {tuple(tokens.shape)} is not (images, patches, channels) with at "
            "least one patch and one channel"
        )
    if mode not in ("fixed", "strict"):
        raise ValueError(f"mode: no entropy {mode!r}; choose 'fixed' or 'strict'")
    tokens = tokens if tokens.dtype == torch.float64 else tokens.float()
    centred = tokens - tokens.mean(1, keepdim=True)
    deviation = centred.square().mean(1, keepdim=True).sqrt()
    # Of each image, not of the batch: an image's figures depend on no other.
    epsilon = (0.01 * deviation.amin(2, keepdim=True)).clamp(min=1e-6)
    scores = centred / (deviation + epsilon)
    if mode == "fixed":
        return _floored(scores.softmax(1), torch.full_like(epsilon, _FLOOR))
    powers = (scores - scores.amax(1, keepdim=True)).exp()
    return _floored(powers / (powers.sum(1, keepdim=True) + epsilon), epsilon)


def _floored(probabilities: Tensor, floor: Tensor) -> Tensor:
    raised = torch.maximum(probabilities, floor)
    return raised / raised.sum(1, keepdim=True)


def spatial_entropy(
    tokens: Tensor, mode: EntropyMode = "fixed", *, normalised: bool = False
) -> Tensor:
    """Mean over the channels of -Σ P log P (Algorithm 1, lines 9 and 20 to 23).

    Parameters
    ----------
    tokens : Tensor, (B, N, C)
    mode : {"fixed", "strict"}
        See `spatial_distribution`.
    normalised : bool
        Divide by ln N, the largest value, so that grids can be compared.

    Returns
    -------
    Tensor, (B,)
        In nats, or 0 to 1; 0 where it is not a number (lines 21 and 22), and for one
        patch.
    """
    distribution = spatial_distribution(tokens, mode)
    entropy = torch.special.entr(distribution).sum(1).mean(1)
    count = tokens.shape[1]
    if normalised:
        entropy = entropy / (math.log(count) if count > 1 else 1.0)
    return torch.where(entropy.isfinite(), entropy, torch.zeros_like(entropy))


def gini_coefficient(distribution: Tensor) -> Tensor:
    """Gini coefficient of each channel: 0 everywhere alike, near 1 in one patch.

    With the cumulated sums L_i of the sorted P: G = (N + 1 - 2 Σ L_i / Σ P) / N. Line
    12 of Algorithm 1 multiplies each L_i by i, which leaves the range 0 to 1.

    Parameters
    ----------
    distribution : Tensor, (B, N, C)
        Of `spatial_distribution`.

    Returns
    -------
    Tensor, (B, C)
    """
    count = distribution.shape[1]
    cumulated = distribution.sort(1).values.cumsum(1)
    return (count + 1 - 2 * cumulated.sum(1) / cumulated[:, -1]) / count


def channel_correlation(distribution: Tensor) -> Tensor:
    """Mean Pearson correlation of two different channels (Algorithm 1, lines 13 to 19).

    ρ = Σ_{i≠j} R_ij / (C (C - 1)). The sum over all pairs is the squared norm of the
    sum of the standardised channels, so that no C × C matrix is made. A channel that
    is uniform correlates with none.

    Parameters
    ----------
    distribution : Tensor, (B, N, C)
        Of `spatial_distribution`.

    Returns
    -------
    Tensor, (B,)
        -1 to 1; 0 for one channel.
    """
    channels = distribution.shape[2]
    if channels == 1:
        return distribution.new_zeros(len(distribution))
    centred = distribution - distribution.mean(1, keepdim=True)
    norm = centred.norm(dim=1, keepdim=True)
    # A uniform channel is left with rounding errors, which would correlate.
    varies = norm > 1e-6 * distribution.norm(dim=1, keepdim=True)
    unit = torch.where(varies, centred / norm.clamp(min=1e-30), 0.0)
    pairs: Tensor = unit.sum(2).square().sum(1) - varies.sum((1, 2))
    return pairs / (channels * (channels - 1))
