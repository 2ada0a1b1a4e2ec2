"""ResCLIP (Yang et al. 2025): attention of middle blocks and of a first prediction.

The last block attends with

    A = τ_r [(1 − λ_r) softmax(τ_s [(1 − λ_s) s k kᵀ + λ_s F / max F] + G) + λ_r A_rcs]

where A_rcs is the mean attention of middle blocks, G a Gaussian neighbourhood, and F
the semantic feedback: which patches a first prediction, made without it, puts into the
same class. Without feedback τ_s = 1 and λ_s = 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..attention import query_key_attention
from .parts import Scores, block_attention, block_output

if TYPE_CHECKING:
    from ...methods import Method
    from ...models.clip import ClipModel, HiddenStates
    from ...settings import Settings

__all__ = [
    "connected",
    "cross_layer_attention",
    "feedback_features",
    "middle_blocks",
    "mix",
    "semantic_feedback",
]

_PAIRS_AT_ONCE = 1 << 22
"""Points of lines between patches that `connected` looks at in one step."""


def middle_blocks(n_blocks: int) -> range:
    """Blocks (from 0) whose attention is averaged: 5 to 8 of 12, else by ratio."""
    first = 5 * n_blocks // 12
    return range(first, max(first + 1, 9 * n_blocks // 12))


def cross_layer_attention(clip: ClipModel, hidden: HiddenStates) -> Tensor:
    """A_rcs: the mean of softmax(s q kᵀ) of the middle blocks, per head.

    Returns
    -------
    Tensor, (B, heads, 1 + N, 1 + N)
    """
    blocks = middle_blocks(clip.n_blocks)
    total: Tensor | float = 0.0
    for number in blocks:
        block = clip.blocks[number]
        q, k, _ = block.qkv(hidden.into(number))
        total = total + query_key_attention(q, k, block.scale)
    return torch.as_tensor(total) / len(blocks)


def mix(attention: Tensor, cross: Tensor, settings: Settings) -> Tensor:
    """τ_r [(1 − λ_r) A + λ_r A_rcs]."""
    share = settings.cross_share
    return settings.cross_scale * ((1 - share) * attention + share * cross)


def feedback_features(
    clip: ClipModel,
    tokens: Tensor,
    cross: Tensor,
    feedback: Tensor,
    grid: tuple[int, int],
    settings: Settings,
    method: Method,
) -> Tensor:
    """The last block once more, with the feedback in its scores.

    Parameters
    ----------
    clip : ClipModel
    tokens, cross : Tensor
        Extras of the first pass.
    feedback : Tensor, (B, N, N)
        Of `semantic_feedback`.
    grid : (int, int)
    settings : Settings
    method : Method

    Returns
    -------
    Tensor, (B, h, w, d)
        Not normalised.
    """
    share = settings.feedback_share
    largest = feedback.amax((-1, -2), keepdim=True)
    # The class token takes no part.
    addition = F.pad(feedback / largest, (1, 0, 1, 0))[:, None]
    scale = settings.feedback_scale
    scores = Scores(scale * (1 - share), scale * share * addition)
    attention, v = block_attention(clip.last, tokens, method, grid, scores)
    change = clip.last.attend(mix(attention, cross, settings), v)
    y = block_output(clip.last, method, tokens, change)
    return clip.project(y[:, 1:]).reshape(len(y), *grid, -1)


def connected(labels: Tensor, *, whole_line: bool = True) -> Tensor:
    """Pairs of patches with only patches of the first one's class between them.

    The straight line from patch i to patch j is looked at in steps of one row or
    column, rounded to patches.

    Parameters
    ----------
    labels : Tensor of int, (h, w)
    whole_line : bool
        If False, the line is cut into as many steps as the longest line of the grid,
        and only the first ones, as many as the pair is apart, are looked at (as the
        author's code does).

    Returns
    -------
    Tensor of bool, (N, N)
    """
    height, width = labels.shape
    at = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    at = at.to(labels.device).float()
    flat = labels.flatten()
    longest = max(height, width) - 1
    found = []
    rows = max(1, _PAIRS_AT_ONCE // (len(at) * (longest + 1)))
    number = torch.arange(longest + 1, device=labels.device)
    for first in range(0, len(at), rows):
        start = at[first : first + rows, None]
        way = at[None] - start
        steps = way.abs().amax(-1, keepdim=True)
        of = steps.clamp(min=1) if whole_line else torch.full_like(steps, longest or 1)
        share = (number / of).clamp(max=1)[..., None]
        points = (start[:, :, None] * (1 - share) + at[None, :, None] * share).round()
        index = (points[..., 0] * width + points[..., 1]).long()
        same = flat[index] == flat[first : first + rows, None, None]
        found.append((same | (number > steps)).all(-1))
    return torch.cat(found)


def semantic_feedback(
    labels: Tensor, *, sigma: float = 5.0, whole_line: bool = True
) -> Tensor:
    """F: patches of one class, less for those that are not connected, smoothed.

    F_ij = 1 for patches of the same class, times exp(−‖i − j‖∞ / largest distance) if
    they are not connected; then each row is smoothed along the patches in reading order
    with a Gaussian (at most 6σ + 1 wide), and divided by its sum.

    Parameters
    ----------
    labels : Tensor of int, (h, w)
        Class of each patch.
    sigma : float
        In patches.
    whole_line : bool
        See `connected`.

    Returns
    -------
    Tensor of float32, (N, N)
    """
    height, width = labels.shape
    flat = labels.flatten()
    at = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    apart = (at[:, None] - at[None]).abs().amax(-1).to(labels.device).float()
    decay = (-apart / max(1, max(height, width) - 1)).exp()
    same = (flat[:, None] == flat[None]).float()
    same = torch.where(connected(labels, whole_line=whole_line), same, same * decay)
    size = min(len(flat), int(6 * sigma + 1))
    size += 1 - size % 2
    x = torch.arange(size, device=labels.device, dtype=torch.float32) - size // 2
    kernel = (-x.square() / (2 * sigma**2)).exp()
    kernel = (kernel / kernel.sum()).view(1, 1, -1)
    smooth = F.conv1d(same[:, None], kernel, padding=size // 2)[:, 0]
    return smooth / (smooth.sum(1, keepdim=True) + 1e-8)
