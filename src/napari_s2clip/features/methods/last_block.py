"""Methods that replace the attention of the last block: [x +] Wo (A · v) [+ FFN]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..proxy import aggregate
from .parts import block_attention, resample

if TYPE_CHECKING:
    from torch import Tensor

    from ...models.clip import ClipModel, HiddenStates
    from ...settings import Settings
    from .table import Method

__all__ = ["last_block_features", "library_features"]


def library_features(clip: ClipModel, hidden: HiddenStates) -> Tensor:
    """Vanilla CLIP: the library's last block, LN_post and projection on every patch.

    Returns
    -------
    Tensor, (B, h, w, d)
        Not normalised, on CLIP's grid.
    """
    tokens = clip.project(clip.last_block(hidden.states[-1]))[:, 1:]
    return tokens.reshape(len(tokens), *hidden.grid, -1)


def last_block_features(
    clip: ClipModel,
    hidden: HiddenStates,
    vfm_tokens: Tensor | None,
    settings: Settings,
    method: Method,
) -> Tensor:
    """The last block with another attention, with or without its other halves.

    MaskCLIP keeps everything but lets each patch attend to itself; SCLIP adds q-q and
    k-k; ClearCLIP and NACLIP drop residual and feed-forward part; ProxyCLIP gathers the
    values with a vision model's attention, on that model's grid.

    Returns
    -------
    Tensor, (B, h, w, d)
        Not normalised; (B, h', w', d) on the vision model's grid for a proxy.
    """
    x = hidden.into(clip.n_blocks - 1)
    if not method.class_token:
        x = x[:, 1:]
    block, grid = clip.last, hidden.grid
    attention, v = block_attention(block, x, method, grid)
    if method.proxy and vfm_tokens is not None:
        assert settings.proxy_gamma is not None
        grid = (vfm_tokens.shape[1], vfm_tokens.shape[2])
        values = (attention @ v).transpose(1, 2).flatten(2)
        values = aggregate(
            vfm_tokens.flatten(1, 2),
            resample(values, hidden.grid, grid),
            settings.proxy_beta,
            settings.proxy_gamma,
        )
        y = block.out(values)
    else:
        y = block.attend(attention, v)
    if method.residual:
        y = x + y
    if method.feed_forward:
        y = y + block.feed_forward(y)
    patches = y[:, int(method.class_token) :]
    return clip.project(patches).reshape(len(patches), *grid, -1)
