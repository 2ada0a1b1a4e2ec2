"""Training-free methods that turn CLIP's hidden states into dense features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ...methods import METHODS, Method, find_method
from .cliper import cliper_features
from .dual_path import dual_path_features
from .last_block import last_block_features, library_features
from .parts import WindowFeatures
from .s2clip import s2clip_features
from .sc_clip import sc_clip_features

if TYPE_CHECKING:
    from torch import Tensor

    from ...models.clip import ClipModel, HiddenStates
    from ...settings import Settings

__all__ = ["METHODS", "Method", "WindowFeatures", "dense_features", "find_method"]


@torch.inference_mode()
def dense_features(
    clip: ClipModel,
    hidden: HiddenStates,
    vfm_tokens: Tensor | None,
    settings: Settings,
    mean_similarity: Tensor | None = None,
) -> WindowFeatures:
    """Dense features of a batch of windows by the method of the settings.

    Parameters
    ----------
    clip : ClipModel
    hidden : HiddenStates
        Of a batch of windows.
    vfm_tokens : Tensor, (B, h', w', d'), optional
        The vision model's tokens; only a method with a proxy looks at them.
    settings : Settings
        Complete (`ModelSpec.complete`).
    mean_similarity : Tensor, optional
        Instead of each window's own (see `features.proxy`); Trident's code takes that
        of all windows.

    Returns
    -------
    WindowFeatures
        Not normalised; on the vision model's grid if its tokens were used. Those of
        Trident are before LN_post, because windows are spliced first.
    """
    method = find_method(settings.method).adapted(settings)
    if method.family == "library":
        return library_features(clip, hidden)
    if method.family == "dual path":
        return dual_path_features(clip, hidden, method)
    if method.family == "sc-clip":
        return sc_clip_features(clip, hidden, settings, method)
    if method.family == "cliper":
        return cliper_features(clip, hidden, settings)
    if method.family == "s2clip":
        return s2clip_features(clip, hidden, vfm_tokens, settings, method)
    return last_block_features(
        clip, hidden, vfm_tokens, settings, method, mean_similarity
    )
