"""S2CLIP, reconstructed from the paper's published appendix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..attention import cosine_similarity, similarity_attention, smooth
from ..levels import choose_levels, choose_mid_layer
from ..outliers import find_outliers, repair
from ..proxy import aggregate
from .parts import block_attention, resample
from .table import METHODS

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
    found = []
    for _, tokens in branches:
        u = smooth(tokens, similarity, settings.smoothing_threshold)
        own, v = block_attention(clip.last, u, METHODS["s2clip"], hidden.grid)
        found.append((((own + shared) / 2) @ v).transpose(1, 2).flatten(2))
    grid = hidden.grid
    if vfm_tokens is not None:
        grid = (vfm_tokens.shape[1], vfm_tokens.shape[2])
        # The branches side by side: the proxy attention is costly, and one for all.
        joined = aggregate(
            vfm_tokens.flatten(1, 2),
            resample(torch.cat(found, -1), hidden.grid, grid),
            settings.proxy_beta,
            settings.proxy_gamma,
        )
        found = list(joined.chunk(len(found), -1))
    outputs = [
        clip.last.out(values) + settings.cls_weight * cls_token
        for values, (cls_token, _) in zip(found, branches, strict=True)
    ]
    summed = torch.stack(outputs).sum(0)
    return clip.project(summed).reshape(len(patches), *grid, -1)
