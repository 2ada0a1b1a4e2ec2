"""What is shown of an image: one plane, not larger than can be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..image import to_rgb

if TYPE_CHECKING:
    from ..planes import Target

__all__ = ["ShownPlane", "shown_plane"]

_LARGEST: Final = 4096
"""Sides in px."""


@dataclass(frozen=True, eq=False)
class ShownPlane:
    """The plane of an image that is drawn.

    Attributes
    ----------
    number : int
        Which plane it is.
    step : int
        Of so many rows and columns one is drawn.
    pixels : ndarray of uint8, (H, W, 3)
    """

    number: int
    step: int
    pixels: NDArray[np.uint8]


def shown_plane(target: Target, *, whole: bool = False) -> ShownPlane:
    """The plane in the middle.

    Parameters
    ----------
    target : Target
    whole : bool
        In its full size, however large that is.

    Raises
    ------
    OSError, ValueError
        If it cannot be read.
    """
    number = len(target.planes) // 2
    plane = target.planes[number]
    step = 1 if whole else -(-max(plane.shape) // _LARGEST)
    levels = plane.levels.get()
    pixels = np.asarray(plane.source.lazy(step))
    return ShownPlane(number, step, to_rgb(pixels, rgb=plane.rgb, levels=levels).pixels)
