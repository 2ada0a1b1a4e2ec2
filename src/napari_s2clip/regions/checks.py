"""Maps that regions can be found from, and those that are refused."""

from __future__ import annotations

import math
import sys
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_limits", "check_maps", "check_range", "check_shapes"]


def check_shapes(labels: Any, probabilities: Any, *, tensors: bool = True) -> None:
    """Refuse arrays, or tensors, whose kinds and shapes do not fit.

    Parameters
    ----------
    labels, probabilities
    tensors : bool
        Whether two tensors will do as well.

    Raises
    ------
    ValueError
        If they are not both of one kind, are empty, are not (h, w) and (C, h, w), the
        labels are not whole numbers or the probabilities no real ones.
    """
    both = labels, probabilities
    if not all(isinstance(given, np.ndarray) for given in both) and not (
        tensors and all(_is_tensor(given) for given in both)
    ):
        raise ValueError(
            f"labels are a {type(labels).__name__}, probabilities a "
            f"{type(probabilities).__name__}; give two arrays"
            + (" or two tensors" if tensors else "")
        )
    shape, maps = tuple(labels.shape), tuple(probabilities.shape)
    if len(maps) != 3 or shape != maps[1:]:
        raise ValueError(
            f"labels {shape} and probabilities {maps} do not fit; give (h, w) and "
            "(C, h, w)"
        )
    if not math.prod(maps):
        raise ValueError(
            f"probabilities {maps} is empty; give at least one class and one pixel"
        )
    if isinstance(labels, np.ndarray):
        integer = np.issubdtype(labels.dtype, np.integer)
        real = probabilities.dtype.kind in "buif"
    else:
        integer = str(labels.dtype).startswith(("torch.int", "torch.uint"))
        real = not probabilities.is_complex()
    if not real:
        raise ValueError(f"probabilities are {probabilities.dtype}; give float32")
    if not integer:
        raise ValueError(f"labels are {labels.dtype}; give integers")


def _is_tensor(given: Any) -> bool:
    # Where torch is not loaded nobody has a tensor.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor)


def check_limits(threshold: Any, min_area: Any) -> np.float32:
    """Refuse limits of regions that are no numbers.

    Returns
    -------
    float32
        The threshold as the probabilities are rounded, so that 0.7 is met by 0.7.

    Raises
    ------
    ValueError
        Names the limit.
    """
    for name, value, example in (
        ("threshold", threshold, 0.2),
        ("min_area", min_area, 225),
    ):
        if not isinstance(value, Real) or math.isnan(value):
            raise ValueError(f"{name} is {value!r}; give a number, such as {example}")
    return np.float32(threshold)


_MOST = 1 + 1e-3
"""Rounding may leave a little more than 1."""


def check_range(
    probabilities: tuple[float, float], labels: tuple[float, float], count: int
) -> None:
    """Refuse probabilities and labels, given their ends, that cannot be."""
    least, most = probabilities
    # NaN is neither.
    if not (least >= 0 and most <= _MOST):
        raise ValueError(
            f"probabilities go from {least:g} to {most:g}; give values from 0 to 1, "
            "such as a softmax over the classes"
        )
    first, last = labels
    if first < 0 or last > count:
        raise ValueError(
            f"labels go from {first:g} to {last:g}, but there are probabilities for "
            f"1 to {count} only"
        )


def check_maps(
    labels: NDArray[np.integer], probabilities: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Refuse maps that are none of probabilities, or do not fit together.

    Parameters
    ----------
    labels : ndarray of int, (h, w)
    probabilities : ndarray of float32, (C, h, w)
        Contiguous.

    Returns
    -------
    ndarray of float32, (h, w)
        The largest probability of each pixel, which the check needs anyway.

    Raises
    ------
    ValueError
        Names what is wrong and what is expected.
    """
    check_shapes(labels, probabilities)
    # As whole numbers, floats from 0 on are ordered as they are, and what is negative
    # or NaN is above them all: one look at the maps instead of two.
    bits = probabilities.view(np.uint32).max(0)
    best: NDArray[np.float32] = bits.view(np.float32)
    ends = 0.0, float(best.max())
    if bits.max() > np.float32(_MOST).view(np.uint32):
        best = probabilities.max(0)
        ends = float(probabilities.min()), float(best.max())
    check_range(ends, (int(labels.min()), int(labels.max())), len(probabilities))
    return best
