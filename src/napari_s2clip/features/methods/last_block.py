"""Methods that replace the attention of the last block: [x +] Wo (A · v) [+ FFN]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..proxy import aggregate
from .parts import WindowFeatures, block_attention, block_output, resample
from .resclip import cross_layer_attention, mix

if TYPE_CHECKING:
    from torch import Tensor

    from ...methods import Method
    from ...models.clip import ClipModel, HiddenStates
    from ...settings import Settings

__all__ = ["last_block_features", "library_features"]


def library_features(clip: ClipModel, hidden: HiddenStates) -> WindowFeatures:
    """Vanilla CLIP: the library's last block, LN_post and projection on every patch.

    Returns
    -------
    WindowFeatures
        On CLIP's grid.
    """
    tokens = clip.project(clip.last_block(hidden.into(clip.n_blocks - 1)))[:, 1:]
    return WindowFeatures(tokens.reshape(len(tokens), *hidden.grid, -1))


def last_block_features(
    clip: ClipModel,
    hidden: HiddenStates,
    vfm_tokens: Tensor | None,
    settings: Settings,
    method: Method,
    mean_similarity: Tensor | None = None,
) -> WindowFeatures:
    """The last block with another attention, with or without its other halves.

    MaskCLIP keeps everything but lets each patch attend to itself; SCLIP adds q-q and
    k-k; ClearCLIP and NACLIP drop residual and feed-forward part; ResCLIP mixes in what
    middle blocks attend to; ProxyCLIP gathers the values with a vision model's
    attention, on that model's grid. Trident does the same, and stops before LN_post.

    Returns
    -------
    WindowFeatures
        On CLIP's grid, or on the vision model's for a proxy. ResCLIP's extras are
        ``tokens`` (B, 1 + N, width), which enter the last block, and ``cross``
        (B, heads, 1 + N, 1 + N).
    """
    x = hidden.into(clip.n_blocks - 1)
    if not method.class_token:
        x = x[:, 1:]
    block, grid = clip.last, hidden.grid
    extras = {}
    attention, v = block_attention(block, x, method, grid)
    if method.cross_layers:
        extras = {"tokens": x, "cross": cross_layer_attention(clip, hidden)}
        attention = mix(attention, extras["cross"], settings)
    if method.proxy and vfm_tokens is not None:
        assert settings.proxy_gamma is not None
        fine = (vfm_tokens.shape[1], vfm_tokens.shape[2])
        values = (attention @ v).transpose(1, 2).flatten(2)
        values = aggregate(
            vfm_tokens.flatten(1, 2),
            resample(values, grid, fine),
            settings.proxy_beta,
            settings.proxy_gamma,
            mean_similarity,
            dtype=clip.dtype,
        )
        y = block_output(block, method, x, block.out(values), (grid, fine))
        grid = fine
    else:
        y = block_output(block, method, x, block.attend(attention, v))
    patches = y[:, int(method.class_token) :]
    if not method.splice:
        patches = clip.project(patches)
    return WindowFeatures(patches.reshape(len(patches), *grid, -1), extras)
