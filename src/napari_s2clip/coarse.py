"""Stage 2: dense features and class names to probabilities and the coarse map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from .classes import ClassSet

__all__ = ["ClassMaps", "classify", "likeliest", "resize_rows"]

_BLOCK = 1 << 24
"""Logits held at once while the image is filled, in elements (64 MB)."""


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """Probabilities of the classes, and what labels are chosen from.

    Attributes
    ----------
    probabilities : ndarray of float32, (C, H, W)
    top : ndarray of float32, (H, W)
        Probability of the likeliest class or background word.
    winner : ndarray of uint16, (H, W)
        Which one that is: i for the i-th class, 0 for a background word.
    background : ndarray of float32, (H, W), or None
        Probability of the likeliest background word, if there are such words.
    """

    probabilities: NDArray[np.float32]
    top: NDArray[np.float32]
    winner: NDArray[np.uint16]
    background: NDArray[np.float32] | None = None

    def labels(
        self, threshold: float, of_classes: Sequence[float] = ()
    ) -> NDArray[np.uint16]:
        """The coarse map (H, W): 0 is background, i the i-th class.

        Parameters
        ----------
        threshold : float
            Pixels whose likeliest class is less probable are background.
        of_classes : sequence of float, (C,)
            The same for each class, where it is higher.
        """
        least = np.float32(threshold)
        own = np.maximum(least, np.array([0, *of_classes], np.float32))
        sure = self.top >= (own[self.winner] if (own > least).any() else least)
        return self.winner * sure


def likeliest(maps: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest probability of each pixel, and whose it is: i + 1 for plane i.

    Parameters
    ----------
    maps : Tensor, (C or C + 1, H, W)
        The background, if there is one, last; it is 0.
    count : int
        C.

    Returns
    -------
    Tensor of float, Tensor of int, (H, W)
    """
    top, index = maps.max(0)
    winner = index + 1
    winner[winner > count] = 0
    return top, winner


def resize_rows(maps: Tensor, size: tuple[int, int], first: int, last: int) -> Tensor:
    """Rows ``first`` to ``last`` of maps (Q, h, w) resized to ``size``, bilinear.

    Equal to those rows of ``F.interpolate(…, align_corners=False)``, without the rest
    of the picture in memory.
    """
    rows = torch.arange(first, last, device=maps.device, dtype=maps.dtype)
    source = ((rows + 0.5) * (maps.shape[1] / size[0]) - 0.5).clamp(
        0, maps.shape[1] - 1
    )
    low = source.floor().long()
    high = (low + 1).clamp(max=maps.shape[1] - 1)
    weight = (source - low).view(1, -1, 1)
    band = torch.lerp(maps[:, low], maps[:, high], weight)
    return F.interpolate(
        band[None], (last - first, size[1]), mode="bilinear", align_corners=False
    )[0]


def classify(
    scores: Tensor,
    classes: ClassSet,
    image_size: tuple[int, int],
    *,
    logit_scale: float | None,
    on_rows: Callable[[int, int], None] = lambda done, total: None,
) -> ClassMaps:
    """Probabilities at image size.

    p = softmax(scale · scores) over all phrases, or the scores divided by their sum
    where they are shares of the pixel already (no scale). A class's probability is the
    maximum over its phrases; background is a class of its own that maps to 0.

    Parameters
    ----------
    scores : Tensor, (Q, h, w)
        For the phrases of all classes in order, background words last: cosines, or
        shares, which are not negative.
    classes : ClassSet
    image_size : (int, int)
        Height and width of the result.
    logit_scale : float or None
    on_rows : callable
        Called with rows done and rows in all.
    """
    height, width = image_size
    owner = [i for i, entry in enumerate(classes) for _ in entry.phrases]
    owner += [len(classes)] * len(classes.background)
    groups = torch.tensor(owner, device=scores.device)
    plain = len(owner) == len(classes)
    probabilities = np.empty((len(classes), height, width), np.float32)
    top = np.empty((height, width), np.float32)
    winner = np.empty((height, width), np.uint16)
    background = np.empty((height, width), np.float32) if classes.background else None
    step = max(1, _BLOCK // (len(owner) * width))
    for first in range(0, height, step):
        last = min(height, first + step)
        band = resize_rows(scores, image_size, first, last)
        if logit_scale is None:
            band = band / band.sum(0, keepdim=True).clamp(min=1e-30)
        else:
            band = (logit_scale * band).softmax(0)
        if not plain:
            index = groups.view(-1, 1, 1).expand_as(band)
            best = band.new_zeros((max(owner) + 1, *band.shape[1:]))
            band = best.scatter_reduce(0, index, band, "amax")
        highest, whose = likeliest(band, len(classes))
        probabilities[:, first:last] = band[: len(classes)].cpu().numpy()
        if background is not None:
            background[first:last] = band[len(classes)].cpu().numpy()
        top[first:last] = highest.cpu().numpy()
        winner[first:last] = whose.cpu().numpy()
        on_rows(last, height)
    return ClassMaps(probabilities, top, winner, background)
