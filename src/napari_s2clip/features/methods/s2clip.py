"""S2CLIP, reconstructed from the paper's published appendix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..attention import (
    cosine_similarity,
    self_self_attention,
    similarity_attention,
    smooth,
)
from ..levels import choose_levels, choose_mid_layer
from ..outliers import find_outliers, repair
from ..proxy import aggregate
from .parts import resample

if TYPE_CHECKING:
    from ...models.clip import ClipModel, HiddenStates
    from ...settings import Settings

__all__ = ["s2clip_features"]


def s2clip_features(
    clip: ClipModel,
    hidden: HiddenStates,
    vfm_tokens: Tensor | None,
    settings: Settings,
) -> Tensor:
    """Hierarchical progressive CLIP features, fused with a vision model's attention.

    For the repaired state p of the block before the last and the sum M of the levels,
    both smoothed by the middle layer's similarity S_mid::

        A_C = ½ [A_ss + softmax₊(3 (S_mid − mean S_mid))]
        o_u = Wo (A_D · upsample(A_C · Wv LN1(u))) + cls_weight · CLS(u)
        f   = proj · LN_post(o_p + o_M)

    The last block's residual and feed-forward part are dropped. Reconstructed from
    the paper's published appendix; the inferred parts are marked in `Settings`.

    Parameters
    ----------
    clip : ClipModel
    hidden : HiddenStates
        Of a batch of windows.
    vfm_tokens : Tensor, (B, h', w', d'), optional
        The vision model's tokens; without them A_D is left out.
    settings : Settings
        Complete (`ModelSpec.complete`).

    Returns
    -------
    Tensor, (B, h', w', d), or (B, h, w, d) without ``vfm_tokens``
        Not normalised.
    """
    assert settings.smoothing_threshold is not None
    assert settings.cls_weight is not None
    assert settings.repair_outliers is not None
    assert settings.proxy_gamma is not None
    before_last = hidden.states[-1]
    patches = before_last[:, 1:]
    middle = hidden.states[choose_mid_layer(clip.n_blocks, settings.mid_layer)][:, 1:]
    branches = [(before_last[:, :1], patches)]
    levels = choose_levels(clip.n_blocks, settings.levels)
    if len(levels):
        total = torch.stack([hidden.states[level] for level in levels]).sum(0)
        branches.append((total[:, :1], total[:, 1:]))
    if settings.repair_outliers:
        outliers = find_outliers(patches)
        middle = repair(middle, outliers, hidden.grid)
        branches = [(c, repair(u, outliers, hidden.grid)) for c, u in branches]
    similarity = cosine_similarity(middle)
    shared = similarity_attention(similarity)[:, None]
    summed: Tensor | float = 0.0
    for cls_token, tokens in branches:
        u = smooth(tokens, similarity, settings.smoothing_threshold)
        q, k, v = clip.last.qkv(u)
        attention = (self_self_attention(q, k, clip.last.scale) + shared) / 2
        values = (attention @ v).transpose(1, 2).flatten(2)
        if vfm_tokens is not None:
            values = aggregate(
                vfm_tokens.flatten(1, 2),
                resample(values, hidden.grid, vfm_tokens.shape[1:3]),
                settings.proxy_beta,
                settings.proxy_gamma,
            )
        summed = summed + clip.last.out(values) + settings.cls_weight * cls_token
    grid = hidden.grid if vfm_tokens is None else vfm_tokens.shape[1:3]
    assert isinstance(summed, Tensor)
    return clip.project(summed).reshape(len(patches), *grid, -1)
