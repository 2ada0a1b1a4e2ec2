"""Regions as arrays, and the two grids that they live on."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from .._opencv import cv2
from .checks import check_shapes

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Regions",
    "full_resolution_regions",
    "half_labels",
    "half_maps",
    "half_resolution",
    "in_steps",
    "mean_of_steps",
    "missing_to_one",
    "of_class",
]

_Label = TypeVar("_Label", bound=np.integer)


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions on the grid on which they were found, by class, then by first pixel.

    Attributes
    ----------
    labels : ndarray of int32, (h, w)
        Region ids from 1, 0 where no region is.
    classes : ndarray of int64, (N,)
        Label value of each region's class.
    areas : ndarray of int64, (N,)
        Pixels of the grid.
    scores : ndarray of float64, (N,)
        Mean probability of the region's class over the region.
    boxes : ndarray of int64, (N, 4)
        First and last column and row: x0, y0, x1, y1, inclusive.
    points : ndarray of int64, (N, 2)
        Column and row of the most probable pixel, the first in reading order.
    """

    labels: NDArray[np.int32]
    classes: NDArray[np.int64]
    areas: NDArray[np.int64]
    scores: NDArray[np.float64]
    boxes: NDArray[np.int64]
    points: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)

    @classmethod
    def none(cls, shape: tuple[int, int]) -> Regions:
        """A map without any region."""
        return cls(
            labels=np.zeros(shape, np.int32),
            classes=np.zeros(0, np.int64),
            areas=np.zeros(0, np.int64),
            scores=np.zeros(0, np.float64),
            boxes=np.zeros((0, 4), np.int64),
            points=np.zeros((0, 2), np.int64),
        )


@overload
def half_resolution(
    labels: NDArray[_Label], probabilities: NDArray[np.float32], factor: int = 2
) -> tuple[NDArray[_Label], NDArray[np.float32]]: ...


@overload
def half_resolution(
    labels: Tensor, probabilities: Tensor, factor: int = 2
) -> tuple[Tensor, Tensor]: ...


def half_resolution(labels: Any, probabilities: Any, factor: Any = 2) -> Any:
    """Reduce both maps by ``factor`` (r = 2 in Algorithm 4).

    Labels by nearest neighbour (the pixel at the corner of each cell), probabilities
    bilinear with half-pixel centres, as torch's ``interpolate`` does without
    anti-aliasing. A side shorter than ``factor`` becomes 1.

    Parameters
    ----------
    labels : ndarray or Tensor, (H, W)
    probabilities : ndarray or Tensor, (C, H, W)
    factor : int

    Returns
    -------
    labels : (H // factor, W // factor)
    probabilities : float32, (C, H // factor, W // factor)
        Arrays of arrays, tensors on their device of tensors.

    Raises
    ------
    ValueError
        If the shapes do not fit, or ``factor`` is not a whole number from 1.
    """
    check_shapes(labels, probabilities)
    if not isinstance(factor, Integral) or factor < 1:
        raise ValueError(f"factor is {factor!r}; give a whole number from 1")
    factor = int(factor)
    if not isinstance(probabilities, np.ndarray):
        rows, columns = _corners(labels.shape, factor)
        return _resize_tensors(labels, probabilities, rows, columns)
    return half_labels(labels, factor), half_maps(probabilities, factor)


def _corners(
    shape: tuple[int, ...], factor: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row and column of each cell."""
    counts = (max(1, side // factor) for side in shape)
    rows, columns = (
        np.arange(count) * side // count
        for count, side in zip(counts, shape, strict=True)
    )
    return rows, columns


def half_labels(labels: NDArray[_Label], factor: int = 2) -> NDArray[_Label]:
    """The labels of `half_resolution`, for arrays."""
    return np.ascontiguousarray(labels[np.ix_(*_corners(labels.shape, factor))])


def half_maps(
    probabilities: NDArray[np.floating[Any]], factor: int = 2
) -> NDArray[np.float32]:
    """The probabilities of `half_resolution`, for arrays."""
    size = tuple(max(1, side // factor) for side in probabilities.shape[1:])
    small = np.empty((len(probabilities), *size), np.float32)
    for plane, out in zip(probabilities, small, strict=True):
        # OpenCV resizes few dtypes, and rounds whole numbers.
        plane = np.ascontiguousarray(plane, np.float32)
        out[:] = cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR)
    return small


def _resize_tensors(
    labels: Tensor,
    probabilities: Tensor,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> tuple[Tensor, Tensor]:
    import torch
    import torch.nn.functional as F

    small = F.interpolate(
        probabilities.detach().float()[None],
        (len(rows), len(columns)),
        mode="bilinear",
        align_corners=False,
    )[0]
    chosen = (torch.from_numpy(side).to(labels.device) for side in (rows, columns))
    down, across = chosen
    # Not every torch can index uint16.
    return labels.long()[down[:, None], across[None]].to(labels.dtype), small


_STEPS = 2.0**24
"""Probabilities are added in steps of this fraction, 6e-8."""


def in_steps(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whole numbers whose sums are exact, so that their order does not matter."""
    steps: NDArray[np.float32] = np.rint(probabilities * np.float32(_STEPS))
    return steps


def mean_of_steps(
    sums: NDArray[np.floating[Any]], areas: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Mean probabilities from sums of `in_steps`."""
    return np.asarray(sums / (areas * _STEPS), np.float64)


def full_resolution_regions(
    regions: Regions, labels: NDArray[np.uint16]
) -> NDArray[np.int32]:
    """Region ids on the grid of ``labels`` (H, W): nearest neighbour, own class only.

    A pixel whose own label is another class than its region's belongs to no region, so
    that this map never contradicts the coarse one.
    """
    (height, width), (h, w) = labels.shape, regions.labels.shape
    rows = np.minimum(np.arange(height) * h // height, h - 1)
    columns = np.minimum(np.arange(width) * w // width, w - 1)
    # Columns first, of the few rows that there are.
    ids = regions.labels.take(columns, 1).take(rows, 0)
    own = np.concatenate([[-1], regions.classes]).astype(np.int32).take(ids)
    return np.asarray(ids * (own == labels), np.int32)


def of_class(
    probabilities: NDArray[np.float32],
    value: int,
    window: tuple[slice, slice] = (slice(None), slice(None)),
) -> NDArray[np.float32]:
    """The probability of a label value in a window; that of 0 is what is missing to 1.

    Parameters
    ----------
    probabilities : ndarray of float32, (C, H, W)
    value : int
        From 0 to C.
    window : (slice, slice)
    """
    if value:
        return probabilities[(value - 1, *window)]
    return np.asarray(missing_to_one(probabilities[(slice(None), *window)]), np.float32)


def missing_to_one(probabilities: Any) -> Any:
    """The probability (h, w) of background, of an array or a tensor (C, h, w)."""
    # Rounding may leave a little less than nothing.
    return (1 - probabilities.sum(0)).clip(min=0)
