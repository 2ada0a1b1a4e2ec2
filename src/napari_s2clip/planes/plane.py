"""One plane of an image: where it is in the data, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..image import RGBImage, to_rgb

if TYPE_CHECKING:
    from .levels import Index, PlaneLevels, Source

__all__ = ["Plane"]

_ALL = slice(None)


@dataclass(frozen=True, eq=False, kw_only=True)
class Plane:
    """A 2-D plane of an Image layer, or a window of one, as it was when a run began.

    Attributes
    ----------
    source : Source
        The pixels; not read before `read` or `tile`.
    hidden : tuple of int
        Axes of the Labels layer that the plane does not have.
    position : tuple of int
        Where the plane is on them, in pixels of the finest level.
    shape : (int, int)
        Height and width of the plane, in pixels.
    rgb : bool
        Whether what is read has colours on its last axis.
    contrast_limits : (float, float) or None
        What the layer shows as black and white; None for colours, and where percentiles
        were asked for.
    placement : dict
        Arguments for a layer that lies exactly on the plane.
    at : tuple of int or slice
        Where its labels go in an array for the whole image (`Target.shape`).
    levels : PlaneLevels
        Which values become black and white.
    notes : tuple of str
        What was chosen on the user's behalf, for people.
    """

    source: Source
    hidden: tuple[int, ...]
    position: tuple[int, ...]
    shape: tuple[int, int]
    rgb: bool
    contrast_limits: tuple[float, float] | None
    placement: dict[str, Any]
    at: Index
    levels: PlaneLevels
    notes: tuple[str, ...] = ()

    def read(self, rows: slice = _ALL, columns: slice = _ALL) -> NDArray[Any]:
        """Pixels (H, W) or (H, W, colours); for lazy data this is the work.

        Parameters
        ----------
        rows, columns : slice, optional
            A part of the plane, in its pixels.
        """
        return self.source.part(rows, columns).read()

    def tile(self, rows: slice = _ALL, columns: slice = _ALL) -> RGBImage:
        """A part of the plane as the models see it.

        Black and white are the same for all parts, so that a part is equal to the same
        part of the whole picture.

        Parameters
        ----------
        rows, columns : slice, optional
            A part of the plane, in its pixels.

        Raises
        ------
        ValueError
            If the pixels are no picture; see `napari_s2clip.image.to_rgb`.
        """
        pixels = self.read(rows, columns)
        return to_rgb(pixels, rgb=self.rgb, levels=self.levels.get())

    def lift(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Labels (H, W) with the axes of the image; hidden ones have length 1."""
        return np.expand_dims(labels, self.hidden)

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of `at`: where the plane lies in the whole image."""
        rows, columns = (part for part in self.at if isinstance(part, slice))
        return rows, columns
