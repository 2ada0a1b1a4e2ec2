"""Which blocks of CLIP are used, for any depth."""

from __future__ import annotations

from typing import Final

__all__ = ["choose_levels", "choose_mid_layer"]

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
