"""Which pixels a region holds: those it was given, and what corrections made of it.

Arrays may be large and lie on disk, so only windows of one plane are read. What changes
is kept in blocks beside the array that came with the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["NOTHING", "NOWHERE", "Change", "Holdings", "Place"]

_BLOCK: Final = 256
_BAND: Final = 1 << 22  # pixels read at once


@dataclass(frozen=True)
class Place:
    """A window of one plane of an array with any number of axes.

    Attributes
    ----------
    position : tuple of int
        Where the plane is on the other axes.
    rows, columns : (int, int)
        First, and one after the last.
    axes : (int, int)
        Those of rows and of columns, both from 0, in this order.
    """

    position: tuple[int, ...]
    rows: tuple[int, int]
    columns: tuple[int, int]
    axes: tuple[int, int]

    def read(self, array: Any) -> NDArray[Any]:
        """The window of an array, shape (rows, columns)."""
        rest = iter(self.position)
        spans = {self.axes[0]: self.rows, self.axes[1]: self.columns}
        return np.asarray(
            array[
                tuple(
                    slice(*spans[axis]) if axis in spans else next(rest)
                    for axis in range(len(self.position) + 2)
                )
            ]
        )

    def index(self, flat: NDArray[np.intp]) -> tuple[NDArray[np.intp], ...]:
        """Indices of the array, one for each axis, of flat indices of the window."""
        rows, columns = np.divmod(flat, self.columns[1] - self.columns[0])
        inside = {
            self.axes[0]: rows + self.rows[0],
            self.axes[1]: columns + self.columns[0],
        }
        rest = iter(self.position)
        return tuple(
            inside[axis] if axis in inside else np.full(len(flat), next(rest), np.intp)
            for axis in range(len(self.position) + 2)
        )


@dataclass(frozen=True, eq=False)
class Change:
    """Pixels of a window, and their values before and after."""

    flat: NDArray[np.intp]
    before: NDArray[Any]
    after: NDArray[Any]

    @classmethod
    def between(cls, before: NDArray[Any], after: NDArray[Any]) -> Change:
        """What differs between two windows."""
        flat = np.flatnonzero(before != after)
        return cls(flat, before.ravel()[flat], after.ravel()[flat])

    def reversed(self) -> Change:
        """The way back."""
        return Change(self.flat, self.after, self.before)

    def __len__(self) -> int:
        return len(self.flat)


NOWHERE: Final = Place((), (0, 0), (0, 0), (0, 1))
NOTHING: Final = Change(*(np.zeros(0, np.intp) for _ in range(3)))


class Holdings:
    """Which region holds a pixel, beginning with ``owners``, which stays as it is.

    Parameters
    ----------
    owners : array_like of int
    axes : (int, int)
        Axes of rows and of columns.
    """

    def __init__(self, owners: Any, axes: tuple[int, int]) -> None:
        self.owners = owners
        self._axes = axes
        self._size = (owners.shape[axes[0]], owners.shape[axes[1]])
        self._blocks: dict[tuple[Any, int, int], NDArray[Any]] = {}
        self._extents: dict[tuple[int, ...], dict[int, tuple[int, int, int, int]]] = {}

    def read(self, place: Place) -> NDArray[Any]:
        """Ids in a window, 0 where no region holds a pixel."""
        now = place.read(self.owners).copy()
        for key, here, there in self._overlaps(place):
            if key in self._blocks:
                now[here] = self._blocks[key][there]
        return now

    def write(self, place: Place, flat: NDArray[np.intp], values: NDArray[Any]) -> None:
        """Give pixels of a window to other regions."""
        if not len(flat):
            return
        now = self.read(place)
        now.ravel()[flat] = values
        touched = np.zeros(now.shape, bool)
        touched.ravel()[flat] = True
        for key, here, there in self._overlaps(place):
            if touched[here].any():
                if key not in self._blocks:
                    self._blocks[key] = self._original(key)
                self._blocks[key][there] = now[here]

    def extent(
        self, region: int, position: tuple[int, ...]
    ) -> tuple[int, int, int, int] | None:
        """Top, bottom, left and right of what ``owners`` gives a region, if anything.

        A mask may reach far beyond the box it was asked with, so the whole plane is
        looked through, once.
        """
        if position not in self._extents:
            self._extents[position] = self._scan(position)
        return self._extents[position].get(region)

    def _scan(self, position: tuple[int, ...]) -> dict[int, tuple[int, int, int, int]]:
        found: dict[int, tuple[int, int, int, int]] = {}
        height, width = self._size
        step = max(1, _BAND // max(1, width))
        for top in range(0, height, step):
            rows = (top, min(top + step, height))
            band = Place(position, rows, (0, width), self._axes).read(self.owners)
            held = band[band > 0]
            if not held.size:
                continue
            # The ids of a plane may begin anywhere.
            first = int(held.min())
            boxes = ndimage.find_objects(
                np.maximum(band.astype(np.int64) - first + 1, 0)
            )
            for number, box in enumerate(boxes, first):
                if box is None:
                    continue
                new = (
                    top + box[0].start,
                    top + box[0].stop,
                    box[1].start,
                    box[1].stop,
                )
                old = found.get(number, new)
                found[number] = (
                    old[0],
                    new[1],
                    min(old[2], new[2]),
                    max(old[3], new[3]),
                )
        return found

    def _overlaps(
        self, place: Place
    ) -> list[tuple[tuple[Any, int, int], tuple[slice, slice], tuple[slice, slice]]]:
        """Blocks that a window meets: key, part of the window, part of the block."""
        found = []
        for i, j in product(_blocks(place.rows), _blocks(place.columns)):
            here, there = [], []
            for number, (start, stop) in ((i, place.rows), (j, place.columns)):
                low = max(start, number * _BLOCK)
                high = min(stop, (number + 1) * _BLOCK)
                here.append(slice(low - start, high - start))
                there.append(slice(low - number * _BLOCK, high - number * _BLOCK))
            key = (place.position, i, j)
            found.append((key, (here[0], here[1]), (there[0], there[1])))
        return found

    def _original(self, key: tuple[Any, int, int]) -> NDArray[Any]:
        position, i, j = key
        rows, columns = (
            (n * _BLOCK, min((n + 1) * _BLOCK, size))
            for n, size in zip((i, j), self._size, strict=True)
        )
        return Place(position, rows, columns, self._axes).read(self.owners).copy()


def _blocks(span: tuple[int, int]) -> range:
    start, stop = span
    return range(
        start // _BLOCK, -(-stop // _BLOCK) if stop > start else start // _BLOCK
    )
