"""What regions are found from: three planes, however many classes there are.

They are taken where the maps lie, so that of tensors on a GPU only these are copied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_maps, check_range, check_shapes
from .maps import missing_to_one, of_class

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Planes", "planes_of_arrays", "planes_of_tensors"]


@dataclass(frozen=True)
class Planes:
    """What each pixel is, and how sure.

    Attributes
    ----------
    labels : ndarray of int32, (h, w)
    best : ndarray of float32, (h, w)
        Probability of the likeliest class, whether it is the label's or not.
    own : ndarray of float32, (h, w)
        Probability of the label; of 0 anything where it has none.
    most : callable
        The largest probability of a label's class, wherever it is.
    """

    labels: NDArray[np.int32]
    best: NDArray[np.float32]
    own: NDArray[np.float32]
    most: Callable[[int], float]


def planes_of_arrays(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating[Any]], rest: bool
) -> Planes:
    """The planes of maps (h, w) and (C, h, w).

    With ``rest`` label 0 has the probability that is missing to 1, else none.

    Raises
    ------
    ValueError
        See `napari_s2clip.regions.find_regions`.
    """
    p = np.ascontiguousarray(probabilities, np.float32)
    best = check_maps(labels, p)
    pixels = np.arange(labels.size)
    pixels += (labels.ravel().astype(np.int64) - 1) * labels.size
    # Label 0 is one plane before the first.
    own = p.ravel().take(pixels, mode="clip").reshape(labels.shape)
    background = np.zeros(0, np.float32)
    if rest:
        background = of_class(p, 0)
        best = np.maximum(best, background)
        np.copyto(own, background, where=labels == 0)

    def most(value: int) -> float:
        return float((p[value - 1] if value else background).max())

    return Planes(labels.astype(np.int32), best, own, most)


def planes_of_tensors(labels: Tensor, probabilities: Tensor, rest: bool) -> Planes:
    """The same for tensors, on the device of the probabilities."""
    import torch

    check_shapes(labels, probabilities)
    p = probabilities.detach().float()
    index = labels.to(p.device).long()
    best = p.amax(0)
    ends = float(p.amin()), float(best.max())
    check_range(ends, (int(index.min()), int(index.max())), len(p))
    own = p.gather(0, (index - 1).clamp(min=0)[None])[0]
    background = torch.zeros_like(best)
    if rest:
        background = missing_to_one(p)
        best = torch.maximum(best, background)
        own = torch.where(index > 0, own, background)

    def most(value: int) -> float:
        return float((p[value - 1] if value else background).max())

    whole = index.int().cpu().numpy()
    return Planes(whole, best.cpu().numpy(), own.cpu().numpy(), most)
