"""Which blocks of CLIP are used, for any depth, and how their states are summed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import torch
from torch import Tensor

from .entropy import spatial_entropy

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Weighting", "choose_levels", "choose_mid_layer", "level_weights", "sum_up"]

Weighting: TypeAlias = Literal["uniform", "entropy+", "entropy-"]

# Blocks from 0: first and last level, middle layer (METHOD: inferred from the public
# codes of related methods).
_KNOWN: Final = {12: (3, 9, 8), 24: (10, 21, 17), 32: (2, 29, 23)}


def _for_depth(n_blocks: int) -> tuple[int, int, int]:
    if n_blocks in _KNOWN:
        return _KNOWN[n_blocks]
    first, last, mid = (round(n_blocks * level / 12) for level in _KNOWN[12])
    top = max(0, n_blocks - 2)
    return min(first, top), min(last, top), min(mid, top)


def _check(level: int, n_blocks: int, name: str) -> int:
    if not 0 <= level <= n_blocks - 2:
        raise ValueError(
            f"{name}: block {level} is not between 0 and {n_blocks - 2} (this CLIP has "
            f"{n_blocks} blocks and the last one is not a level)"
        )
    return level


def choose_levels(
    n_blocks: int, given: tuple[int, ...] | None = None
) -> range | tuple[int, ...]:
    """Levels of the multi-level branch, ``given`` or by the depth of the model.

    ViT-B/16: 3 to 9; L/14: 10 to 21; H/14: 2 to 29; others as ViT-B/16 by ratio.

    Raises
    ------
    ValueError
        If a given level is not a block before the last one.
    """
    if given is not None:
        return tuple(_check(level, n_blocks, "levels") for level in given)
    first, last, _ = _for_depth(n_blocks)
    return range(first, last + 1)


def choose_mid_layer(n_blocks: int, given: int | None = None) -> int:
    """The middle layer: 8 of ViT-B/16, 17 of L/14, 23 of H/14, else by ratio.

    Raises
    ------
    ValueError
        If the given layer is not a block before the last one.
    """
    if given is not None:
        return _check(given, n_blocks, "mid_layer")
    return _for_depth(n_blocks)[2]


def level_weights(entropies: Tensor, weighting: Weighting) -> Tensor:
    """Weights w_l = L softmax_l(± (H_l − mean H) / std H) of each image's levels.

    The scores are standard scores, so that neither the grid nor the scale of the
    features matters. The sign is not published: ``"entropy+"`` prefers levels that are
    spread out, ``"entropy-"`` those that are concentrated. Levels of one entropy weigh
    the same.

    Parameters
    ----------
    entropies : Tensor, (B, L)
        Of `spatial_entropy`, one column a level.
    weighting : {"uniform", "entropy+", "entropy-"}

    Returns
    -------
    Tensor, (B, L)
        Rows sum to L, so that the sum of the levels keeps its size.

    Raises
    ------
    ValueError
        If the weighting is unknown.
    """
    signs = {"uniform": 0.0, "entropy+": 1.0, "entropy-": -1.0}
    if weighting not in signs:
        raise ValueError(
            f"level_weights: no weighting {weighting!r}; choose one of "
            f"{', '.join(signs)}"
        )
    centred = entropies - entropies.mean(1, keepdim=True)
    deviation = centred.square().mean(1, keepdim=True).sqrt()
    # Rounding alone is no difference.
    same = deviation <= 1e-6 * entropies.abs().amax(1, keepdim=True)
    scores = torch.where(same, 0.0, centred / deviation.masked_fill(same, 1.0))
    return entropies.shape[1] * (signs[weighting] * scores).softmax(1)


def sum_up(states: Sequence[Tensor], weighting: Weighting = "uniform") -> Tensor:
    """M = Σ_l w_l h_l over the levels.

    Parameters
    ----------
    states : sequence of Tensor, each (B, 1 + N, width)
        Class token first; it is summed with the same weights but has no say in them.
    weighting : {"uniform", "entropy+", "entropy-"}
        See `level_weights`.

    Returns
    -------
    Tensor, (B, 1 + N, width)
    """
    if weighting == "uniform":
        return torch.stack(list(states)).sum(0)
    entropies = torch.stack([spatial_entropy(state[:, 1:]) for state in states], 1)
    weights = level_weights(entropies, weighting)
    total = torch.zeros_like(states[0])
    for number, state in enumerate(states):
        total = total + weights[:, number, None, None] * state
    return total
