"""SC-CLIP (Bai et al. 2024): repaired outliers, mid-layer similarity, two passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..attention import cosine_similarity, similarity_attention, smooth
from ..levels import choose_levels, choose_mid_layer, sum_up
from ..outliers import find_outliers, repair
from .parts import WindowFeatures, block_attention, block_output

if TYPE_CHECKING:
    from ...methods import Method
    from ...models.clip import ClipModel, HiddenStates
    from ...settings import Settings

__all__ = ["sc_clip_features"]


def sc_clip_features(
    clip: ClipModel, hidden: HiddenStates, settings: Settings, method: Method
) -> WindowFeatures:
    """Features of the last and of many layers, smoothed by a shallow one.

    With S_mid of the repaired middle layer and S_low of the first level::

        p   = repaired h_{L-2}, then smoothed by S_mid
        A   = m softmax₊(3 (S_mid - mean S_mid)) + (1 - m) softmax(s k kᵀ),  m = ½
        x_u = smooth(Wo (A · Wv LN1(u)) + cls_weight · CLS(u), S_low)
        f   = proj · LN_post(x_p + x_M),  M = Σ w_l h_l

    Returns
    -------
    WindowFeatures
        On CLIP's grid.
    """
    assert settings.smoothing_threshold is not None
    assert settings.cls_weight is not None
    deep = hidden.states[-1]
    levels = tuple(choose_levels(clip.n_blocks, settings.levels))
    middle = hidden.states[choose_mid_layer(clip.n_blocks, settings.mid_layer)][:, 1:]
    patches = deep[:, 1:]
    if settings.repair_outliers:
        outliers = find_outliers(patches)
        patches = repair(patches, outliers, hidden.grid)
        middle = repair(middle, outliers, hidden.grid)
    similarity = cosine_similarity(middle)
    share = settings.mid_share
    shared = share * similarity_attention(similarity)[:, None]
    branches = [
        (deep[:, :1], smooth(patches, similarity, settings.smoothing_threshold))
    ]
    low = None
    if levels:
        low = cosine_similarity(hidden.states[levels[0]][:, 1:])
        states = [hidden.states[level] for level in levels]
        total = sum_up(states, settings.level_weights)
        branches.append((total[:, :1], total[:, 1:]))
    summed: Tensor | float = 0.0
    for class_token, tokens in branches:
        own, v = block_attention(clip.last, tokens, method, hidden.grid)
        change = clip.last.attend((1 - share) * own + shared, v)
        x = block_output(clip.last, method, tokens, change)
        x = x + settings.cls_weight * class_token
        if low is not None:
            x = smooth(x, low, settings.smoothing_threshold)
        summed = summed + x
    dense = clip.project(torch.as_tensor(summed))
    return WindowFeatures(dense.reshape(len(patches), *hidden.grid, -1))
