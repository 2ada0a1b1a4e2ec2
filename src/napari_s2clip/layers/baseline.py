"""What runs wrote into a map, remembered to find the pixels that somebody changed.

A copy of the map, exact and small: label maps have long runs of equal labels, so runs
are kept instead of pixels, block by block. A block of noise is kept as it is, and one
that is empty not at all, so that a copy is never larger than the map.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .boxes import Box, shape_of, tiles, within

__all__ = ["SIDE", "VERSIONS", "Baseline", "Versions"]

SIDE: Final = 512
"""Of a block, in pixels."""

VERSIONS: Final = 8
"""How many runs of a layer can be undone and still be known as ours."""

_Block: TypeAlias = "tuple[NDArray[np.uint32], NDArray[Any]] | NDArray[Any]"
_Key: TypeAlias = tuple[int, ...]


def _pack(values: NDArray[Any]) -> _Block | None:
    """Lengths and labels of the runs; the pixels if that is less; None if all are 0."""
    flat = values.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    labels = flat[starts]
    if len(labels) == 1 and not labels[0]:
        return None
    if len(starts) * (4 + flat.itemsize) >= flat.nbytes:
        return flat.copy()
    return np.diff(starts, append=flat.size).astype(np.uint32), labels


def _unpack(block: _Block, shape: tuple[int, ...]) -> NDArray[Any]:
    if isinstance(block, tuple):
        lengths, labels = block
        return np.repeat(labels, lengths).reshape(shape)
    return block.reshape(shape)


@dataclass(frozen=True, eq=False)
class Baseline:
    """A copy of a map; what was never written is 0.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    _blocks: dict[_Key, _Block] = field(default_factory=dict)

    def read(self, box: Box) -> NDArray[Any]:
        """Labels of a box."""
        out = np.zeros(shape_of(box), self.dtype)
        for part in tiles(box, SIDE):
            key, whole = self.block(part)
            block = self._blocks.get(key)
            if block is not None:
                values = _unpack(block, shape_of(whole))
                out[within(part, box)] = values[within(part, whole)]
        return out

    def replaced(self, box: Box, values: NDArray[Any]) -> Baseline:
        """Copy with other labels in a box; the blocks outside are shared."""
        blocks = dict(self._blocks)
        for part in tiles(box, SIDE):
            key, whole = self.block(part)
            new = values[within(part, box)]
            if part != whole:
                patched = self.read(whole)
                patched[within(part, whole)] = new
                new = patched
            block = _pack(np.asarray(new, self.dtype))
            if block is None:
                blocks.pop(key, None)
            else:
                blocks[key] = block
        return Baseline(self.shape, self.dtype, blocks)

    def shares(self, other: Baseline, box: Box) -> bool:
        """Whether both are the same in a box because neither was written since."""
        keys = (self.block(part)[0] for part in tiles(box, SIDE))
        return all(self._blocks.get(key) is other._blocks.get(key) for key in keys)

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return sum(
            sum(part.nbytes for part in block)
            if isinstance(block, tuple)
            else block.nbytes
            for block in self._blocks.values()
        )

    def block(self, part: Box) -> tuple[_Key, Box]:
        """The block that a tile lies in: its key and its box."""
        sides = [1] * (len(part) - 2) + [SIDE] * 2
        key = tuple(p.start // side for p, side in zip(part, sides, strict=True))
        whole = tuple(
            slice(k * side, min((k + 1) * side, length))
            for k, side, length in zip(key, sides, self.shape, strict=True)
        )
        return key, whole


class Versions:
    """Copies of a map after each of the last runs.

    Undo goes back to what an earlier run wrote, which is no edit either.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._kept = deque([Baseline(shape, np.dtype(dtype))], maxlen=VERSIONS)

    def copy(self) -> Versions:
        """The same runs; what is added later is not shared."""
        other = Versions(self.last.shape, self.last.dtype)
        other._kept = self._kept.copy()
        return other

    @property
    def last(self) -> Baseline:
        """After the last run."""
        return self._kept[-1]

    def add(self, baseline: Baseline, *, amend: bool = False) -> None:
        """Remember a run; to amend forgets the one before."""
        if amend:
            self._kept.pop()
        self._kept.append(baseline)

    def forget(self, but: Baseline | None = None) -> None:
        """Know one run only, the last if no other is given."""
        only = self.last if but is None else but
        self._kept.clear()
        self._kept.append(only)

    def settled(self, data: Any, boxes: Sequence[Box]) -> Baseline:
        """The last run, or an earlier one where undo went back to it.

        Only blocks are looked at that have pixels in the boxes and outside them.
        """
        baseline = self.last
        for part in (part for box in boxes for part in tiles(box, SIDE)):
            whole = baseline.block(part)[1]
            if len(self._kept) > 1 and whole != part:
                left = self.nearest(whole, np.asarray(data[whole]))
                baseline = baseline.replaced(whole, left)
        return baseline

    def nearest(self, box: Box, data: NDArray[Any]) -> NDArray[Any]:
        """What the run left in a box whose labels differ least from ``data``."""
        best, fewest = data, -1
        tried: list[Baseline] = []
        for baseline in reversed(self._kept):
            if any(baseline.shares(other, box) for other in tried):
                continue
            tried.append(baseline)
            values = baseline.read(box)
            differ = int(np.count_nonzero(values != data))
            if fewest < 0 or differ < fewest:
                best, fewest = values, differ
            if not fewest:
                break
        return best

    def is_edited(self, data: Any, box: Box) -> bool:
        """Whether a box of the map ``data`` has a label that no run left there."""
        if data.shape != self.last.shape or data.dtype != self.last.dtype:
            return True
        for part in tiles(box, SIDE):
            values = np.asarray(data[part])
            if not np.array_equal(self.nearest(part, values), values):
                return True
        return False
