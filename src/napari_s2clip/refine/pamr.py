"""Pixel-adaptive mask refinement, PAMR (Araslanov and Roth 2020, Section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["affinity", "pamr"]

_AT_ONCE = 1 << 24
"""Values of neighbours held at once, in elements (64 MB)."""

_AROUND = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]


def _neighbours(maps: Tensor, dilations: Sequence[int]) -> Tensor:
    """The eight neighbours at each distance, edges repeated: (…, H, W) to (…, P, H, W).

    P = 8 · number of dilations.
    """
    height, width = maps.shape[-2:]
    flat = maps.reshape(1, -1, height, width)
    found = []
    for step in dilations:
        padded = F.pad(flat, [step] * 4, mode="replicate")
        for row, column in _AROUND:
            top, left = step * (1 + row), step * (1 + column)
            found.append(padded[..., top : top + height, left : left + width])
    return torch.stack(found, 2).reshape(*maps.shape[:-2], -1, height, width)


def affinity(image: Tensor, dilations: Sequence[int] = (8, 16)) -> Tensor:
    """How much each pixel takes from each of its neighbours.

    softmax over the neighbours n of the mean over the channels of −|x − x_n| / 0.1 σ,
    where σ is the standard deviation (unbiased) of the pixels at all distances, the
    centre counted once for each distance.

    Parameters
    ----------
    image : Tensor, (channels, H, W)
    dilations : sequence of int
        Distances of the neighbours, in pixels.

    Returns
    -------
    Tensor, (P, H, W)
        Sums to 1 over the neighbours.
    """
    around = _neighbours(image, dilations)
    centre = image[:, None].expand(-1, len(dilations), -1, -1)
    deviation = torch.cat([around, centre], 1).std(1, keepdim=True)
    scores = -(around - image[:, None]).abs() / (1e-8 + 0.1 * deviation)
    return scores.mean(0).softmax(0)


def pamr(
    image: Tensor,
    maps: Tensor,
    iterations: int = 10,
    dilations: Sequence[int] = (8, 16),
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """Let each pixel take the mean of its neighbours, those that look like it most.

    Parameters
    ----------
    image : Tensor, (channels, H, W)
        Of any scale: each channel is compared with its own local deviation.
    maps : Tensor, (C, H, W)
    iterations : int
    dilations : sequence of int
    on_step : callable
        Called with steps done and steps in all, before each step and after the last.

    Returns
    -------
    Tensor, (C, H, W)
    """
    neighbours = image[0].numel() * 8 * len(dilations)
    parts = torch.split(maps, max(1, _AT_ONCE // neighbours))
    total = 1 + len(parts) * iterations
    on_step(0, total)
    weights = affinity(image, dilations)
    found = []
    for done, part in enumerate(parts):
        for i in range(iterations):
            on_step(1 + done * iterations + i, total)
            part = (_neighbours(part, dilations) * weights).sum(1)
        found.append(part)
    on_step(total, total)
    return torch.cat(found)
