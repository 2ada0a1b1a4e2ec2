"""Merge SAM's masks into one label map (MapRefinement and MapFailedRegions).

A mask of class c scores σ(logit) · p_c at its pixels; the largest score wins. This is
the sane reading of the printed pseudo-code: boxes and masks are filtered together, ids
stay integers, failed regions compete with the scores as they were before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..models.sam_masks import extent

__all__ = ["ClassProbability", "MaskMerger"]

ClassProbability = Callable[[int, tuple[slice, slice]], NDArray[np.float32]]


class MaskMerger:
    """Two maps, best score and its class, filled one mask at a time.

    Memory does not grow with the number of masks.

    Parameters
    ----------
    coarse : ndarray of uint16, (H, W)
        What remains where no mask scores.
    probability : callable
        ``probability(class value, window)`` gives p_c in a window of the image.
    """

    def __init__(
        self, coarse: NDArray[np.uint16], probability: ClassProbability
    ) -> None:
        self._coarse = coarse
        self._probability = probability
        self._score = np.zeros(coarse.shape, np.float32)
        self._labels = np.zeros(coarse.shape, np.uint16)

    def add_mask(
        self, value: int, window: tuple[slice, slice], logits: NDArray[np.float32]
    ) -> None:
        """Take in one mask: logits of a window of the image, inside where positive.

        Where two classes score the same, the smaller label value wins, so that the
        order of the masks does not matter.
        """
        inside = logits > 0
        score = np.zeros(inside.shape, np.float32)
        # Only inside: there the exponential cannot overflow.
        sigmoid = 1 / (1 + np.exp(-logits[inside]))
        score[inside] = sigmoid * self._probability(value, window)[inside]
        best, labels = self._score[window], self._labels[window]
        wins = (score > best) | ((score == best) & (score > 0) & (value < labels))
        best[wins] = score[wins]
        labels[wins] = value

    def labels(self) -> NDArray[np.uint16]:
        """The merged map; the coarse label where no mask scores."""
        return np.where(self._score > 0, self._labels, self._coarse)

    def labels_with_failed(
        self,
        failed: NDArray[np.int64],
        regions: NDArray[np.int32],
        classes: NDArray[np.int64],
    ) -> NDArray[np.uint16]:
        """The merged map, in which failed regions take the pixels where they are surer.

        A failed region's p_c competes with the masks' scores, never with what another
        failed region has just taken.

        Parameters
        ----------
        failed : ndarray of int, (M,)
            Ids of the regions whose mask was refused.
        regions : ndarray of int32, (H, W)
            Region ids; a failed region takes no pixel outside its own.
        classes : ndarray of int, (N,)
            Class of region i + 1.
        """
        merged = self.labels()
        if not len(failed):
            return merged
        wanted = np.zeros(len(classes) + 1, bool)
        wanted[failed] = True
        for value in np.unique(classes[failed - 1]):
            own = np.concatenate([[False], (classes == value)]) & wanted
            inside = own[regions]
            rows, columns = extent(inside.any(1)), extent(inside.any(0))
            if rows is None or columns is None:
                continue
            window = rows, columns
            surer = self._probability(int(value), window) > self._score[window]
            merged[window][inside[window] & surer] = value
        return merged
