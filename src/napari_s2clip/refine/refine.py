"""Refine a coarse map with SAM (Algorithm 4, read sanely)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..progress import Reporter
from ..regions import Regions, full_resolution_regions
from ..regions.maps import of_class
from .class_masks import MaskKind, choose_mask, class_mask, embed_mask
from .known import MaskMemory, inside_image, mask_key, masks_of
from .merge import MaskMerger
from .prompts import boxes_in_image, points_in_image, windows_in_image
from .result import Refinement
from .trident import refine_as_trident

if TYPE_CHECKING:
    from torch import Tensor

    from ..models.sam import SamEmbedding, SamModel
    from ..models.sam_prompts import DenseOf
    from ..settings.refine import RefineSettings

__all__ = ["refine_regions"]


_BLOCK = 512
"""Regions decoded before their masks are merged: 128 MB of SAM's small logits."""


def refine_regions(
    sam: SamModel,
    embedding: SamEmbedding,
    coarse: NDArray[np.uint16],
    probabilities: NDArray[np.float32],
    regions: Regions,
    settings: RefineSettings,
    *,
    region_map: NDArray[np.int32] | None = None,
    known: MaskMemory | None = None,
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
    settings : RefineSettings
        Masks with a predicted IoU of at most ``iou_threshold`` fail (tau_iou); a failed
        region keeps its coarse shape where it is surer than the masks. The probability
        of the background is what is missing to 1.
    region_map : ndarray of int32, (H, W), optional
        ``full_resolution_regions(regions, coarse)``, if it is at hand.
    known : MaskMemory, optional
        Masks that SAM has made of this image; what it makes now is added.
    report : Reporter, optional

    Returns
    -------
    Refinement

    Raises
    ------
    ValueError
        If the maps and the embedding differ in size.
    Cancelled
        If ``report`` was asked to stop.
    """
    report = report or Reporter()
    if probabilities.shape[1:] != coarse.shape or embedding.image_size != coarse.shape:
        raise ValueError(
            f"coarse {coarse.shape}, probabilities {probabilities.shape} and the "
            f"embedding's image {embedding.image_size} differ in size; give those of "
            "one image"
        )
    if region_map is None:
        region_map = full_resolution_regions(regions, coarse)
    asked = np.flatnonzero((regions.classes > 0) | settings.refine_background)
    if not len(asked):
        report("refine", 1, 1)
        return Refinement.none(coarse, region_map, len(regions))
    if settings.refine_mode == "trident":
        return refine_as_trident(
            sam,
            embedding,
            coarse,
            probabilities,
            regions,
            region_map,
            settings,
            known,
            report,
        )
    result = Refinement.none(coarse, region_map, len(regions))
    grid = (regions.labels.shape[0], regions.labels.shape[1])
    size = (coarse.shape[0], coarse.shape[1])
    merger = MaskMerger(coarse, region_map, partial(of_class, probabilities))
    total = 2 * len(asked)  # every prompt is decoded, then merged
    kind = choose_mask(settings)
    for first in range(0, len(asked), _BLOCK):
        block = asked[first : first + _BLOCK]
        boxes = boxes_in_image(regions.boxes[block], grid, size)
        points = points_in_image(regions.points[block], grid, size)
        classes = regions.classes[block]
        prompts = [
            (
                tuple(box) if settings.prompt_box else None,
                tuple(point) if settings.prompt_point else None,
                mask_key(known, kind, value, settings),
            )
            for box, point, value in zip(
                boxes.tolist(), points.tolist(), classes.tolist(), strict=True
            )
        ]

        def decode(
            some: NDArray[np.int64],
            boxes: NDArray[np.float64] = boxes,
            points: NDArray[np.float64] = points,
            classes: NDArray[np.int64] = classes,
            done: int = 2 * first + len(block),
        ) -> tuple[Tensor, Tensor]:
            return sam.decode(
                embedding,
                boxes=boxes[some] if settings.prompt_box else None,
                points=points[some, None] if settings.prompt_point else None,
                mask_inputs=_class_masks(
                    sam, probabilities, classes[some], kind, settings
                ),
                alike=True,
                on_chunk=_shifted(report, done - len(some), total),
            )

        logits, scores = masks_of(prompts, decode, known)
        result.sam_scores[block] = scores
        result.used[block] = scores > settings.iou_threshold
        for done, i in enumerate(np.flatnonzero(result.used[block]).tolist()):
            report("refine", 2 * first + len(block) + done, total, "merging masks")
            make = partial(inside_image, sam, embedding, logits[i])
            mask = make() if known is None else known.inside(prompts[i], make)
            if mask is not None:
                region, value = int(block[i]) + 1, int(classes[i])
                merger.add_mask(region, value, mask.window, mask.sigmoid)
    failed = asked[~result.used[asked]] + 1
    result.refined[:], result.owners[:] = merger.with_failed(
        failed, regions.classes, windows_in_image(regions.boxes, grid, size)
    )
    report("refine", total, total)
    return result


def _class_masks(
    sam: SamModel,
    probabilities: NDArray[np.float32],
    classes: NDArray[np.int64],
    kind: MaskKind | None,
    settings: RefineSettings,
) -> DenseOf | None:
    """The embedded mask of each region's class; each class is embedded once."""
    if kind is None:
        return None
    size = (probabilities.shape[1], probabilities.shape[2])
    values, index = np.unique(classes, return_inverse=True)
    table = torch.stack(
        [
            embed_mask(
                sam,
                class_mask(
                    sam,
                    # Copied: torch takes neither flipped nor read-only planes.
                    torch.from_numpy(of_class(probabilities, value).copy()),
                    size,
                    kind,
                    settings.coarse_threshold,
                ),
                kind,
            )
            for value in values.tolist()
        ]
    )
    return lambda part: table[index[part].tolist()]


def _shifted(report: Reporter, done: int, total: int) -> Callable[[int, int], None]:
    def on_chunk(decoded: int, _: int) -> None:
        report("refine", done + decoded, total, "SAM decoder")

    return on_chunk
