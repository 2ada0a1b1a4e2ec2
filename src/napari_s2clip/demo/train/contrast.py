"""The losses of CLIP's training: all of them compare crops and captions as wholes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["contrast", "crowding", "pool", "share", "spread"]


def contrast(logits: Tensor, truth: Tensor, unsure: Tensor, axis: int) -> Tensor:
    """Cross-entropy of each true pair against the false ones along ``axis``.

    With one true caption a crop this is the loss of CLIP (Radford et al. 2021); with
    several, each competes with the false ones only. Unsure pairs take no part.
    """
    false = logits.masked_fill(truth | unsure, -1e4).logsumexp(axis, keepdim=True)
    each = F.softplus(false - logits) * truth
    return each.sum() / truth.sum().clamp(min=1)


def crowding(text: Tensor, limit: float = 0.7) -> Tensor:
    """How much unit vectors (P, d) of different captions exceed a cosine of ``limit``.

    Without it both towers can agree to ignore the shapes: as long as one of them does,
    the other has nothing to gain by telling them apart.
    """
    cosine = text @ text.T
    # The diagonal is a caption's likeness to itself.
    excess = F.relu(cosine - limit - torch.eye(len(text)))
    return excess.square().sum() / len(text)


def spread(views: Tensor) -> Tensor:
    """Contrast (2, P, d) unit vectors of captions: two templates of a word are alike.

    InfoNCE (van den Oord et al. 2018, Eq. 4) at a temperature of 0.1.
    """
    cosine = views[0] @ views[1].T * 10
    return F.cross_entropy(cosine, torch.arange(len(cosine)))


def pool(cosine: Tensor, sharpness: float = 15.0) -> Tensor:
    """Likeness of crops to captions from that of their patches: (B, N, T) to (B, T).

    (1 / κ) log mean exp(κ x), between the mean (κ → 0) and the largest (κ → ∞): a
    caption is true of a crop if it is true of some part of it, and which part is not
    told (multiple-instance learning, Pinheiro and Collobert 2015, Eq. 6).
    """
    sums = (sharpness * cosine).logsumexp(1)
    return (sums - math.log(cosine.shape[1])) / sharpness


def share(logits: Tensor, truth: Tensor, unsure: Tensor) -> Tensor:
    """Contrast (B, N, T) of patches where each is of one caption, none told which.

    Every patch divides itself between the captions, π_c = mean over patches of
    softmax_c, and the loss is the mean of -log π_c over the true captions. It pays to
    give a patch to the caption that is true of other crops with such patches.

    Parameters
    ----------
    logits : Tensor, (B, N, T)
        Of captions that exclude each other.
    truth, unsure : Tensor of bool, (B, T)
        Unsure captions take no part.
    """
    of_patch = logits.masked_fill(unsure[:, None], -1e4).log_softmax(-1)
    shares = of_patch.logsumexp(1) - math.log(logits.shape[1])
    return -(shares * truth).sum() / truth.sum().clamp(min=1)
