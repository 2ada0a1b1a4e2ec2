"""Runs of equal pixels in a row of a map, in reading order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

__all__ = ["Runs"]


@dataclass(frozen=True)
class Runs:
    """A map cut into runs.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the map.
    starts : ndarray of int, (R,)
        Number of the first pixel of each run, in reading order.
    values : ndarray of int, (R,)
    """

    shape: tuple[int, int]
    starts: NDArray[np.int64]
    values: NDArray[np.int32]

    @classmethod
    def of(cls, values: NDArray[np.int32]) -> Runs:
        """Cut a map (h, w) into runs; none goes over the end of a row."""
        begins = np.ones(values.shape, bool)
        np.not_equal(values[:, 1:], values[:, :-1], out=begins[:, 1:])
        starts = np.flatnonzero(begins)
        shape = (values.shape[0], values.shape[1])
        return cls(shape, starts, values.ravel()[starts])

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Pixels of each run."""
        return np.diff(self.starts, append=self.shape[0] * self.shape[1])

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Row of each run."""
        return self.starts // self.shape[1]

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """First column of each run."""
        return self.starts % self.shape[1]

    @cached_property
    def last(self) -> NDArray[np.int64]:
        """Last column of each run."""
        return self.first + self.lengths - 1

    def components(self, inside: NDArray[np.bool_]) -> NDArray[np.int32]:
        """The number of each run's component; those of runs not inside are anything.

        Runs of one value belong together where they touch across edges and corners.
        """
        height, width = self.shape
        number = np.arange(len(self), dtype=np.int32)
        upper = number[inside & (self.rows < height - 1)]
        of_pixel = np.repeat(number, self.lengths)
        # The runs of the next row from one column before this to one after it.
        below = self.starts[upper] + width
        low = of_pixel[below - (self.first[upper] > 0)]
        below += self.lengths[upper]
        high = of_pixel[below - (self.last[upper] == width - 1)]
        counts = high - low + 1
        one = np.repeat(upper, counts)
        other = np.arange(len(one), dtype=np.int32)
        other -= np.repeat(np.cumsum(counts, dtype=np.int32) - high - 1, counts)
        touch = np.flatnonzero(self.values[one] == self.values[other])
        one, other = one[touch], other[touch]
        ends = np.zeros(len(self) + 1, np.int32)
        np.cumsum(np.bincount(one, minlength=len(self)), out=ends[1:])
        # What SciPy needs no copy of.
        edges = np.ones(len(one)), other, ends
        graph = csr_array(edges, shape=(len(self), len(self)))
        _, numbers = connected_components(graph, directed=False)
        return np.asarray(numbers, np.int32)

    def maxima(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """The largest pixel (h * w,) of each run."""
        return np.asarray(np.maximum.reduceat(pixels, self.starts))

    def sums(self, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum of the pixels (h * w,) of each run."""
        return np.add.reduceat(pixels, self.starts, dtype=np.float64)

    def extremes(
        self, groups: NDArray[np.int32], n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last column of each group from 1 to ``n``; 0 is no group."""
        left, right = np.full(n + 1, self.shape[1]), np.full(n + 1, -1)
        np.minimum.at(left, groups, self.first)
        np.maximum.at(right, groups, self.last)
        return left[1:], right[1:]

    def argmax(
        self,
        groups: NDArray[np.int32],
        n: int,
        pixels: NDArray[np.float32],
        peaks: NDArray[np.float32],
    ) -> NDArray[np.int64]:
        """The largest pixel of each group from 1 to ``n``, the first of equals.

        Parameters
        ----------
        groups : ndarray of int, (R,)
            Group of each run, 0 for none.
        n : int
        pixels : ndarray, (h * w,)
        peaks : ndarray, (R,)
            Their `maxima`.

        Returns
        -------
        ndarray of int, (n,)
            Numbers in reading order.
        """
        best = np.full(n + 1, -np.inf, pixels.dtype)
        np.maximum.at(best, groups, peaks)
        winners = np.flatnonzero(peaks == best[groups])[::-1]
        run = np.zeros(n + 1, np.int64)
        run[groups[winners]] = winners
        starts, lengths = self.starts[run[1:]], self.lengths[run[1:]]
        found = [
            start + int(pixels[start : start + length].argmax())
            for start, length in zip(starts, lengths, strict=True)
        ]
        return np.array(found, np.int64)
