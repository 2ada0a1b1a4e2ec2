"""S2CLIP, reconstructed from the paper's published appendix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..attention import cosine_similarity, similarity_attention, smooth
from ..levels import choose_levels, choose_mid_layer, sum_up
from ..outliers import find_outliers, repair
from ..proxy import aggregate
from .parts import WindowFeatures, block_attention, block_output, resample

if TYPE_CHECKING:
    from ...methods import Method
    from ...models.clip import ClipModel, HiddenStates
    from ...settings import Settings

__all__ = ["s2clip_features"]


def s2clip_features(
    clip: ClipModel,
    hidden: HiddenStates,
    vfm_tokens: Tensor | None,
    settings: Settings,
    method: Method,
) -> WindowFeatures:
    """Hierarchical progressive CLIP features, fused with a vision model's attention.

    For the repaired state p of the block before the last and the weighted sum M of the
    levels, both smoothed by the middle layer's similarity S_mid::

        A_C = (1 − m) A_ss + m softmax₊(3 (S_mid − mean S_mid)),  m = ½
        o_u = Wo (A_D · upsample(A_C · Wv LN1(u))) + cls_weight · CLS(u)
        f   = proj · LN_post(o_p + o_M)

    The last block's residual and feed-forward part are dropped unless the settings keep
    them. Reconstructed from the paper's published appendix; the inferred parts are
    marked in `Settings`.

    Parameters
    ----------
    clip : ClipModel
    hidden : HiddenStates
        Of a batch of windows.
    vfm_tokens : Tensor, (B, h', w', d'), optional
        The vision model's tokens; without them A_D is left out.
    settings : Settings
        Complete (`ModelSpec.complete`).
    method : Method

    Returns
    -------
    WindowFeatures
        On the grid of ``vfm_tokens``, on CLIP's without them.
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
        states = [hidden.states[level] for level in levels]
        total = sum_up(states, settings.level_weights)
        branches.append((total[:, :1], total[:, 1:]))
    if settings.repair_outliers:
        outliers = find_outliers(patches)
        middle = repair(middle, outliers, hidden.grid)
        branches = [(c, repair(u, outliers, hidden.grid)) for c, u in branches]
    similarity = cosine_similarity(middle)
    branches = [
        (c, smooth(u, similarity, settings.smoothing_threshold)) for c, u in branches
    ]
    share = settings.mid_share
    shared = share * similarity_attention(similarity)[:, None]
    found = []
    for _, u in branches:
        own, v = block_attention(clip.last, u, method, hidden.grid)
        attention = (1 - share) * own + shared
        found.append((attention @ v).transpose(1, 2).flatten(2))
    grid = hidden.grid
    if vfm_tokens is not None:
        grid = (vfm_tokens.shape[1], vfm_tokens.shape[2])
        # The branches side by side: the proxy attention is costly, and one for all.
        joined = aggregate(
            vfm_tokens.flatten(1, 2),
            resample(torch.cat(found, -1), hidden.grid, grid),
            settings.proxy_beta,
            settings.proxy_gamma,
            dtype=clip.dtype,
        )
        found = list(joined.chunk(len(found), -1))
    summed: Tensor | float = 0.0
    for values, (class_token, u) in zip(found, branches, strict=True):
        change = clip.last.out(values)
        y = block_output(clip.last, method, u, change, (hidden.grid, grid))
        summed = summed + y + settings.cls_weight * class_token
    dense = clip.project(torch.as_tensor(summed))
    return WindowFeatures(dense.reshape(len(patches), *grid, -1))
