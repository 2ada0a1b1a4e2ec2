"""Runs of equal pixels in a row of a map, in reading order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

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

    def by_value(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each value and the numbers of its runs, in reading order."""
        order = np.argsort(self.values, kind="stable")
        ends = np.flatnonzero(np.diff(self.values[order])) + 1
        for some in np.split(order, ends):
            yield int(self.values[some[0]]), some

    def box(self, some: NDArray[np.int64]) -> tuple[slice, slice]:
        """Rows and columns that hold some of the runs, given in reading order."""
        rows, first, last = self.rows[some], self.first[some], self.last[some]
        return (
            slice(int(rows[0]), int(rows[-1]) + 1),
            slice(int(first.min()), int(last.max()) + 1),
        )

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
        self, groups: NDArray[np.int32], n: int, pixels: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """The largest pixel of each group from 1 to ``n``, the first of equals.

        Parameters
        ----------
        groups : ndarray of int, (R,)
            Group of each run, 0 for none.
        n : int
        pixels : ndarray, (h * w,)

        Returns
        -------
        ndarray of int, (n,)
            Numbers in reading order.
        """
        most = np.maximum.reduceat(pixels, self.starts)
        best = np.full(n + 1, -np.inf, pixels.dtype)
        np.maximum.at(best, groups, most)
        winners = np.flatnonzero(most == best[groups])[::-1]
        run = np.zeros(n + 1, np.int64)
        run[groups[winners]] = winners
        starts, lengths = self.starts[run[1:]], self.lengths[run[1:]]
        found = [
            start + int(pixels[start : start + length].argmax())
            for start, length in zip(starts, lengths, strict=True)
        ]
        return np.array(found, np.int64)
