"""Methods with a second path beside the last blocks (CLIP Surgery, GEM).

The second path starts as a copy of what enters the first of these blocks, and takes up
what each block's own tokens say with another attention; it skips every feed-forward
part. The first path is left as it is, so its hidden states are all that is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import block_attention

if TYPE_CHECKING:
    from torch import Tensor

    from ...models.clip import ClipModel, HiddenStates
    from .table import Method

__all__ = ["dual_path_features", "first_block"]


def first_block(n_blocks: int, method: Method) -> int:
    """The first block with two paths: at most half of the blocks have them."""
    return n_blocks - min(method.blocks, max(1, n_blocks // 2))


def dual_path_features(clip: ClipModel, hidden: HiddenStates, method: Method) -> Tensor:
    """x̂ ← x̂ + Wo_l (A_l · v_l) over the last blocks l; A_l, v_l of the first path.

    Returns
    -------
    Tensor, (B, h, w, d)
        Not normalised.
    """
    first = first_block(clip.n_blocks, method)
    second_path = hidden.into(first)
    for number in range(first, clip.n_blocks):
        block = clip.blocks[number]
        attention, v = block_attention(block, hidden.into(number), method, hidden.grid)
        second_path = second_path + block.attend(attention, v)
    tokens = clip.project(second_path[:, 1:])
    return tokens.reshape(len(tokens), *hidden.grid, -1)
