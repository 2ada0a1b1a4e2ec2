"""A change of some pixels of a label map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Edit"]


@dataclass(frozen=True, eq=False)
class Edit:
    """New labels of some pixels of a map.

    Attributes
    ----------
    index : tuple of ndarray of int
        An array an axis of the map, all of the length n: where the pixels are.
    values : int or ndarray, shape (n,)
        Their new labels.

    Raises
    ------
    ValueError
        If the arrays differ in length.
    """

    index: tuple[NDArray[np.intp], ...]
    values: NDArray[Any] | int

    def __post_init__(self) -> None:
        lengths = {len(part) for part in self.index}
        if not isinstance(self.values, int | np.integer):
            lengths.add(len(self.values))
        if len(lengths) != 1:
            raise ValueError(
                f"index: an edit needs arrays of one length, got {sorted(lengths)}"
            )

    def __len__(self) -> int:
        return len(self.index[0])

    def taken_back(self, before: NDArray[Any], now: NDArray[Any]) -> Edit:
        """The edit that gives the pixels their former labels back.

        Those that have other labels than this edit gave them were changed since, and
        are left alone.

        Parameters
        ----------
        before, now : ndarray, shape (n,)
            Labels before this edit, and at present.
        """
        still = now == self.values
        return Edit(tuple(part[still] for part in self.index), before[still])

    @classmethod
    def of(
        cls,
        at: tuple[int | slice, ...],
        mask: NDArray[np.bool_],
        values: NDArray[Any] | int,
    ) -> Edit:
        """Edit of the pixels of a mask that lies somewhere in a map.

        Parameters
        ----------
        at : tuple of int or slice
            Where in the map, as `Plane.at`; the mask has the axes of the slices.
        mask : ndarray of bool
        values : int or ndarray of the shape of ``mask``
            New labels; only those under the mask are taken.
        """
        flat = np.flatnonzero(mask)
        inside = iter(np.unravel_index(flat, mask.shape))
        index = tuple(
            next(inside) + (part.start or 0)
            if isinstance(part, slice)
            else np.full(len(flat), part, np.intp)
            for part in at
        )
        if isinstance(values, int | np.integer):
            return cls(index, int(values))
        return cls(index, np.asarray(values)[mask])
