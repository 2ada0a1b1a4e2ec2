"""Methods with a second path beside the last blocks (CLIP Surgery, GEM).

The second path starts as a copy of what enters the first of these blocks, and takes up
what each block's own tokens say with another attention; it skips every feed-forward
part. The first path is left as it is, so its hidden states are all that is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F

from .parts import WindowFeatures, block_attention

if TYPE_CHECKING:
    from ...methods import Method
    from ...models.clip import ClipModel, HiddenStates

__all__ = ["dual_path_features", "first_block"]


def first_block(n_blocks: int, method: Method) -> int:
    """The first block with two paths: at most half of the blocks have them."""
    return n_blocks - min(method.blocks, max(1, n_blocks // 2))


def dual_path_features(
    clip: ClipModel, hidden: HiddenStates, method: Method
) -> WindowFeatures:
    """x̂ ← [x̂ +] Wo_l (A_l · v_l) over the last blocks l; A_l, v_l of the first path.

    Returns
    -------
    WindowFeatures
        On CLIP's grid. For CLIP Surgery's scores the extra ``class_token`` (B, d), the
        first path's own, of length 1.
    """
    first = first_block(clip.n_blocks, method)
    second_path = hidden.into(first)
    for number in range(first, clip.n_blocks):
        block = clip.blocks[number]
        attention, v = block_attention(block, hidden.into(number), method, hidden.grid)
        change = block.attend(attention, v)
        second_path = second_path + change if method.residual else change
    tokens = clip.project(second_path[:, 1:])
    extras = {}
    if method.scoring == "surgery":
        entered = hidden.into(clip.n_blocks - 1)
        own = clip.project(clip.last_block(entered))[:, 0]
        extras["class_token"] = F.normalize(own, dim=-1)
    return WindowFeatures(tokens.reshape(len(tokens), *hidden.grid, -1), extras)
