"""An image of a file, with any number of axes; pixels are read when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..closing import Closing

__all__ = ["OpenedImage", "of_array", "plain"]


@dataclass(frozen=True, eq=False)
class OpenedImage(Closing):
    """An image in a file, which stays open.

    Attributes
    ----------
    data : array_like
        Indexed with numbers and slices; rows and columns are the last axes, but for
        colours.
    axes : tuple of str
        Name of each axis but that of colours; the last two are ``"y"`` and ``"x"``.
    rgb : bool
        Whether there are red, green, blue (and alpha) on one more axis, the last.
    channel_axis : int or None
        An axis that holds channels.
    pixel_size : tuple of float or None
        Height and width of a pixel in ``unit``.
    unit : str
    notes : tuple of str
        What was chosen of what the file holds, for people.
    """

    data: Any
    axes: tuple[str, ...]
    rgb: bool = False
    channel_axis: int | None = None
    pixel_size: tuple[float, float] | None = None
    unit: str = ""
    notes: tuple[str, ...] = ()
    _close: Callable[[], None] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of `axes`."""
        return tuple(int(n) for n in self.data.shape[: len(self.axes)])

    def close(self) -> None:
        """Close the file; its pixels cannot be read any more."""
        if self._close is not None:
            self._close()


def of_array(data: Any, hidden: tuple[str, ...], path: Path) -> OpenedImage:
    """An array whose hidden axes are named, and whose others are y, x and colours."""
    rgb = len(data.shape) == len(hidden) + 3
    _check(data, path)
    return OpenedImage(data, (*hidden, "y", "x"), rgb=rgb)


def plain(data: Any, path: Path) -> OpenedImage:
    """An array that says nothing of its axes; three or four last values are colours."""
    shape = tuple(int(n) for n in data.shape)
    rgb = len(shape) > 2 and shape[-1] in {3, 4} and min(shape[-3:-1]) > 4
    hidden = len(shape) - 2 - rgb
    if hidden < 0:
        raise ValueError(f"{path}: its shape {shape} is no image's; give two axes")
    names = ("z",) if hidden == 1 else tuple(f"axis{i}" for i in range(hidden))
    _check(data, path)
    return OpenedImage(data, (*names, "y", "x"), rgb=rgb)


def _check(data: Any, path: Path) -> None:
    if 0 in data.shape:
        raise ValueError(f"{path}: its shape {tuple(data.shape)} holds no pixels")
    if np.dtype(data.dtype).kind not in "biuf":
        raise ValueError(f"{path}: {data.dtype} is no picture; give numbers")
