"""Merge SAM's masks into one label map (MapRefinement and MapFailedRegions).

A mask of class c scores σ(logit) · p_c at its pixels; the largest score wins, and the
region that was prompted owns the pixel. This is the sane reading of the printed
pseudo-code: boxes and masks are filtered together, ids stay integers, failed regions
compete with the scores as they were before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

__all__ = ["ClassProbability", "MaskMerger", "Merged", "inside_of"]

ClassProbability = Callable[[int, tuple[slice, slice]], NDArray[np.float32]]

Merged: TypeAlias = tuple[NDArray[np.uint16], NDArray[np.int32]]
"""A label map and the region that each pixel has its label from, 0 for none."""


def inside_of(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """σ of a mask's logits where they are positive, 0 elsewhere."""
    inside = logits > 0
    found = np.zeros(inside.shape, np.float32)
    # Only inside: there the exponential cannot overflow.
    found[inside] = 1 / (1 + np.exp(-logits[inside]))
    return found


class MaskMerger:
    """Three maps, best score, its class and its region, filled one mask at a time.

    Memory does not grow with the number of masks.

    Parameters
    ----------
    coarse : ndarray of uint16, (H, W)
        What remains where no mask scores.
    regions : ndarray of int32, (H, W)
        Region ids, nowhere of another class than ``coarse`` has.
    probability : callable
        ``probability(class value, window)`` gives p_c in a window of the image.
    """

    def __init__(
        self,
        coarse: NDArray[np.uint16],
        regions: NDArray[np.int32],
        probability: ClassProbability,
    ) -> None:
        self._coarse = coarse
        self._regions = regions
        self._probability = probability
        self._score = np.zeros(coarse.shape, np.float32)
        self._labels = np.zeros(coarse.shape, np.uint16)
        self._owners = np.zeros(coarse.shape, np.int32)

    def add_mask(
        self,
        region: int,
        value: int,
        window: tuple[slice, slice],
        sigmoid: NDArray[np.float32],
    ) -> None:
        """Take in one region's mask: `inside_of` its logits in a window of the image.

        Where two score the same, the smaller label value wins, then the smaller region,
        so that the order of the masks does not matter.
        """
        score = sigmoid * self._probability(value, window)
        best, labels = self._score[window], self._labels[window]
        owners = self._owners[window]
        wins = score > best
        ties = (score == best) & (score > 0)
        if ties.any():
            first = (value < labels) | ((value == labels) & (region < owners))
            wins |= ties & first
        np.copyto(best, score, where=wins)
        np.copyto(labels, value, where=wins, casting="unsafe")
        np.copyto(owners, region, where=wins)

    def merged(self) -> Merged:
        """The merged maps; where no mask scores, the coarse label and its region."""
        scored = self._score > 0
        return (
            np.where(scored, self._labels, self._coarse),
            np.where(scored, self._owners, self._regions),
        )

    def with_failed(
        self,
        failed: NDArray[np.int64],
        classes: NDArray[np.int64],
        windows: Sequence[tuple[slice, slice] | None] | None = None,
    ) -> Merged:
        """The merged maps, in which failed regions take the pixels they are surer of.

        A failed region's p_c competes with the masks' scores, never with what another
        failed region has just taken.

        Parameters
        ----------
        failed : ndarray of int, (M,)
            Ids of the regions whose mask was refused; none takes a pixel outside its
            own.
        classes : ndarray of int, (N,)
            Class of region i + 1.
        windows : sequence of (slice, slice), optional
            Where each region lies, roughly; else they are looked for.
        """
        merged, owners = self.merged()
        if windows is None:
            windows = find_objects(self._regions, len(classes)) if len(failed) else []
        for region in failed.tolist():
            window = windows[region - 1]
            if window is None:
                continue
            value = int(classes[region - 1])
            surer = self._probability(value, window) > self._score[window]
            surer &= self._regions[window] == region
            merged[window][surer] = value
            owners[window][surer] = region
        return merged, owners
