"""Scores of one window's features: cosines, CLIP Surgery's, CLIPer's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["branch_shares", "cosines", "feature_surgery"]

_KEPT = 0.2
"""CLIPer: below this share of a phrase's largest probability the last branch's is 0."""


def cosines(dense: Tensor, text: Tensor) -> Tensor:
    """Cosine logits: unit features (…, h, w, d) and text (Q, d) to (…, Q, h, w)."""
    return (dense @ text.T).movedim(-1, -3)


def feature_surgery(logits: Tensor, class_token: Tensor, text: Tensor) -> Tensor:
    """Take away what all phrases have in common (Li et al. 2023, CLIP Surgery).

    With w = softmax_q(2 f_cls · t_q) divided by its mean, the sum over the channels of
    f ⊙ t_q w_q less its mean over the phrases is s_q w_q − mean_q(s_q w_q), where s_q
    are the cosines.

    Parameters
    ----------
    logits : Tensor, (Q, h, w)
        Cosines s.
    class_token : Tensor, (d,)
        f_cls, of length 1.
    text : Tensor, (Q, d)

    Returns
    -------
    Tensor, (Q, h, w)
        0 for a single phrase.
    """
    weight = (2 * text @ class_token).softmax(0)
    weighted = logits * (weight / weight.mean())[:, None, None]
    return weighted - weighted.mean(0, keepdim=True)


def branch_shares(
    dense: Tensor, text: Tensor, classes: int, affinity: Tensor, logit_scale: float
) -> Tensor:
    """Mean of the branches' probabilities, the last one spread (Sun et al., CLIPer).

    Each branch gets a softmax over all phrases and the mean vector of the classes,
    which is then left out. Of the last one, what is below 0.2 of a phrase's largest
    value is dropped and the rest spread by the affinity; the mean of the others is
    added.

    Parameters
    ----------
    dense : Tensor, (branches, h, w, d)
        Unit vectors.
    text : Tensor, (Q, d)
        Unit vectors; phrases of classes first, background words after them.
    classes : int
        How many phrases belong to classes.
    affinity : Tensor, (h * w, h * w)
        Rows sum to about 1.
    logit_scale : float

    Returns
    -------
    Tensor, (Q, h, w)
        Not negative; proportional to the phrases' shares of a patch.
    """
    grid = dense.shape[1:3]
    common = F.normalize(text[:classes].mean(0, keepdim=True), dim=-1)
    every = torch.cat([text, common])
    shares = (logit_scale * dense.flatten(1, 2) @ every.T).softmax(-1)[..., :-1]
    last = shares[-1]
    last = torch.where(last < _KEPT * last.amax(0, keepdim=True), 0.0, last)
    total = affinity @ last
    if len(shares) > 1:
        total = total + shares[:-1].mean(0)
    return total.T.reshape(-1, *grid)
