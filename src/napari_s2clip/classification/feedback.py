"""ResCLIP's second pass: a first prediction tells which patches belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..features.methods.resclip import feedback_features, semantic_feedback
from ..refine.pamr import pamr
from .scoring import cosines

if TYPE_CHECKING:
    from ..features.methods import Method
    from ..models.clip import ClipModel
    from ..settings import Settings

__all__ = ["patch_classes", "second_pass"]


def patch_classes(
    logits: Tensor,
    image: Tensor,
    patch: int,
    *,
    logit_scale: float,
    threshold: float,
    nothing: int = -1,
) -> Tensor:
    """The most frequent phrase of each patch, after PAMR (10 steps of 8 and 16 pixels).

    Parameters
    ----------
    logits : Tensor, (Q, h, w)
        Cosines.
    image : Tensor, (3, H, W)
        The window.
    patch : int
        Side of a patch, in pixels.
    logit_scale, threshold : float
        Pixels whose best phrase is less probable than ``threshold`` get ``nothing``.
    nothing : int

    Returns
    -------
    Tensor of int64, (H / patch, W / patch)
    """
    size = (image.shape[1], image.shape[2])
    fine = F.interpolate(logits[None], size, mode="bilinear", align_corners=False)[0]
    shares = (logit_scale * pamr(image, fine)).softmax(0)
    top, labels = shares.max(0)
    labels = labels.masked_fill(top < threshold, nothing)
    patches = labels.unfold(0, patch, patch).unfold(1, patch, patch).flatten(2)
    return patches.mode(-1).values


@torch.inference_mode()
def second_pass(
    clip: ClipModel,
    dense: Tensor,
    tokens: Tensor,
    cross: Tensor,
    image: Tensor,
    text: Tensor,
    settings: Settings,
    method: Method,
) -> Tensor:
    """Cosines of a window after the semantic feedback (Yang et al. 2025, ResCLIP).

    Parameters
    ----------
    clip : ClipModel
    dense : Tensor, (h, w, d)
        Unit vectors of the first pass.
    tokens, cross : Tensor, (1 + N, width) and (heads, 1 + N, 1 + N)
        Its extras.
    image : Tensor, (3, H, W)
        The window.
    text : Tensor, (Q, d)
        Unit vectors.
    settings : Settings
        Complete.
    method : Method

    Returns
    -------
    Tensor, (Q, h, w)
    """
    assert settings.logit_scale is not None
    as_code = settings.variant == "code"
    labels = patch_classes(
        cosines(dense, text),
        image,
        clip.patch_size,
        logit_scale=settings.logit_scale,
        threshold=settings.feedback_threshold,
        nothing=0 if as_code else -1,
    )
    feedback = semantic_feedback(
        labels, sigma=method.neighbourhood or 5.0, whole_line=not as_code
    )
    grid = (dense.shape[0], dense.shape[1])
    again = feedback_features(
        clip, tokens[None], cross[None], feedback[None], grid, settings, method
    )
    return cosines(F.normalize(again[0].float(), dim=-1), text)
