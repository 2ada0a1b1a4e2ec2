"""A change of label values that is not made yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["Edit"]


@dataclass(frozen=True)
class Edit:
    """Pixels and their new values.

    Attributes
    ----------
    index : tuple of ndarray of int
        One array for each axis of the labels, as NumPy indexes with them.
    values : int or ndarray
        The new value, or one for each pixel.
    """

    index: tuple[NDArray[Any], ...]
    values: NDArray[Any] | int
