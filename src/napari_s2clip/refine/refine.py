"""Refine a coarse map with SAM (Algorithm 4, read sanely)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from ..progress import Reporter
from ..regions import Regions, full_resolution_regions
from .merge import ClassProbability, MaskMerger
from .prompts import boxes_in_image, points_in_image

if TYPE_CHECKING:
    from ..models.sam import SamEmbedding, SamModel

__all__ = ["Refinement", "refine"]

_BLOCK = 512
"""Regions decoded before their masks are merged: 128 MB of SAM's small logits."""

_PIXELS = 1 << 24
"""Full-size mask logits held at once, in elements (64 MB)."""


@dataclass(frozen=True)
class Refinement:
    """The refined map and what SAM thought of each region.

    Attributes
    ----------
    refined : ndarray of uint16, (H, W)
    sam_scores : ndarray of float32, (N,)
        Predicted IoU of each region's mask, NaN where SAM was not asked.
    used : ndarray of bool, (N,)
        Whether the mask passed and was merged.
    """

    refined: NDArray[np.uint16]
    sam_scores: NDArray[np.float32]
    used: NDArray[np.bool_]

    @classmethod
    def none(cls, coarse: NDArray[np.uint16], count: int) -> Self:
        """The coarse map as it is, for ``count`` regions that SAM never saw."""
        return cls(
            coarse.copy(), np.full(count, np.nan, np.float32), np.zeros(count, bool)
        )


def refine(
    sam: SamModel,
    embedding: SamEmbedding,
    coarse: NDArray[np.uint16],
    probabilities: NDArray[np.float32],
    regions: Regions,
    *,
    iou_threshold: float = 0.8,
    prompt_box: bool = True,
    prompt_point: bool = True,
    refine_background: bool = False,
    region_map: NDArray[np.int32] | None = None,
    report: Reporter | None = None,
) -> Refinement:
    """Prompt SAM with every region and merge the masks that it trusts.

    Parameters
    ----------
    sam : SamModel
    embedding : SamEmbedding
        Of the image that ``coarse`` belongs to.
    coarse : ndarray of uint16, (H, W)
        0 is background, i the i-th class.
    probabilities : ndarray of float32, (C, H, W)
    regions : Regions
        Of the coarse map, on a coarser grid.
    iou_threshold : float
        Masks with a predicted IoU of at most this fail (tau_iou); a failed region
        keeps its coarse shape where it is surer than the masks.
    prompt_box, prompt_point : bool
        Which prompts each region gives; at least one.
    refine_background : bool
        Also prompt regions of class 0; its probability is what is missing to 1.
    region_map : ndarray of int32, (H, W), optional
        ``full_resolution_regions(regions, coarse)``, if it is at hand.
    report : Reporter, optional

    Returns
    -------
    Refinement

    Raises
    ------
    ValueError
        If no prompt is chosen or the maps and the embedding differ in size.
    Cancelled
        If ``report`` was asked to stop.
    """
    report = report or Reporter()
    if not (prompt_box or prompt_point):
        raise ValueError("prompt_box and prompt_point are both off; SAM needs one")
    if probabilities.shape[1:] != coarse.shape or embedding.image_size != coarse.shape:
        raise ValueError(
            f"coarse {coarse.shape}, probabilities {probabilities.shape} and the "
            f"embedding's image {embedding.image_size} differ in size; give those of "
            "one image"
        )
    asked = np.flatnonzero((regions.classes > 0) | refine_background)
    result = Refinement.none(coarse, len(regions))
    if not len(asked):
        report("refine", 1, 1)
        return result
    grid = (regions.labels.shape[0], regions.labels.shape[1])
    size = (coarse.shape[0], coarse.shape[1])
    merger = MaskMerger(coarse, _class_probability(probabilities))
    total = 2 * len(asked)  # every prompt is decoded, then merged
    for first in range(0, len(asked), _BLOCK):
        block = asked[first : first + _BLOCK]
        boxes = boxes_in_image(regions.boxes[block], grid, size)
        points = points_in_image(regions.points[block], grid, size)
        logits, iou = sam.decode(
            embedding,
            boxes=boxes if prompt_box else None,
            points=points[:, None] if prompt_point else None,
            on_chunk=_shifted(report, 2 * first, total),
        )
        scores = iou.cpu().numpy()
        result.sam_scores[block] = scores
        result.used[block] = scores > iou_threshold
        passing = np.flatnonzero(scores > iou_threshold)
        step = max(1, _PIXELS // coarse.size)
        for start in range(0, len(passing), step):
            report("refine", 2 * first + len(block) + start, total, "merging masks")
            chosen = passing[start : start + step]
            masks = sam.upscale(logits[chosen.tolist()], embedding).cpu().numpy()
            for index, mask in zip(block[chosen], masks, strict=True):
                merger.add_mask(int(regions.classes[index]), mask)
    failed = asked[~result.used[asked]] + 1
    if region_map is None:
        region_map = full_resolution_regions(regions, coarse)
    result.refined[:] = merger.labels_with_failed(failed, region_map, regions.classes)
    report("refine", total, total)
    return result


def _shifted(report: Reporter, done: int, total: int) -> Callable[[int, int], None]:
    def on_chunk(decoded: int, _: int) -> None:
        report("refine", done + decoded, total, "SAM decoder")

    return on_chunk


def _class_probability(probabilities: NDArray[np.float32]) -> ClassProbability:
    def probability(value: int, window: tuple[slice, slice]) -> NDArray[np.float32]:
        if value:
            return probabilities[(value - 1, *window)]
        return np.asarray(1 - probabilities[(slice(None), *window)].sum(0), np.float32)

    return probability
