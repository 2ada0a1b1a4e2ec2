"""Boxes of pixels in an array of any number of axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypeAlias

__all__ = ["Box", "box_of", "overlap", "shape_of", "tiles", "whole_of", "within"]

Box: TypeAlias = tuple[slice, ...]
"""A slice with start and stop for every axis."""


def box_of(at: Sequence[int | slice], shape: Sequence[int]) -> Box:
    """Box of what an index picks; an integer gives a length of 1."""
    return tuple(
        slice(*part.indices(length)[:2])
        if isinstance(part, slice)
        else slice(part, part + 1)
        for part, length in zip(at, shape, strict=True)
    )


def whole_of(shape: Sequence[int]) -> Box:
    """Box of all that an array of a shape has."""
    return tuple(slice(0, length) for length in shape)


def shape_of(box: Box) -> tuple[int, ...]:
    """Lengths of a box."""
    return tuple(part.stop - part.start for part in box)


def tiles(box: Box, side: int) -> Iterator[Box]:
    """Parts of a box, cut at multiples of ``side`` in the whole array.

    The last two axes are cut so, all others at every pixel.
    """
    spans = []
    for axis, part in enumerate(box):
        step = side if axis >= len(box) - 2 else 1
        first = part.start // step * step
        spans.append(
            [
                slice(max(start, part.start), min(start + step, part.stop))
                for start in range(first, part.stop, step)
            ]
        )
    return product(*spans)


def overlap(one: Box, other: Box) -> Box | None:
    """What two boxes have in common; None if nothing."""
    common = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(one, other, strict=True)
    )
    return common if all(part.start < part.stop for part in common) else None


def within(inner: Box, outer: Box) -> Box:
    """A part of a box, as an index of an array that holds the box alone."""
    return tuple(
        slice(a.start - b.start, a.stop - b.start)
        for a, b in zip(inner, outer, strict=True)
    )
