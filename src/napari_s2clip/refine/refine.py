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
from .class_masks import MaskKind, MaskPrompt, Mode, choose_mask, class_mask, embed_mask
from .merge import MaskMerger
from .prompts import boxes_in_image, points_in_image
from .result import Refinement
from .trident import refine_as_trident

if TYPE_CHECKING:
    from ..models.sam import SamEmbedding, SamModel
    from ..models.sam_prompts import DenseOf

__all__ = ["Mode", "refine_regions"]


_BLOCK = 512
"""Regions decoded before their masks are merged: 128 MB of SAM's small logits."""


def refine_regions(
    sam: SamModel,
    embedding: SamEmbedding,
    coarse: NDArray[np.uint16],
    probabilities: NDArray[np.float32],
    regions: Regions,
    *,
    mode: Mode = "fixed",
    iou_threshold: float = 0.8,
    coarse_threshold: float = 0.2,
    prompt_box: bool = True,
    prompt_point: bool = True,
    mask_prompt: MaskPrompt = "auto",
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
    mode : {"fixed", "trident"}
        ``"trident"`` is `refine_as_trident`.
    iou_threshold : float
        Masks with a predicted IoU of at most this fail (tau_iou); a failed region
        keeps its coarse shape where it is surer than the masks.
    coarse_threshold : float
        tau_c; only for the mask prompt ``"trident"``.
    prompt_box, prompt_point : bool
        Which prompts each region gives; at least one.
    mask_prompt : {"auto", "off", "logit", "trident"}
        Also the class's probabilities as a mask, see `class_mask`; ``"auto"`` is
        ``"trident"`` in its mode, else ``"off"``.
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
    mask_kind = choose_mask(mask_prompt, mode)
    asked = np.flatnonzero((regions.classes > 0) | refine_background)
    if not len(asked):
        report("refine", 1, 1)
        return Refinement.none(coarse, len(regions))
    if mode == "trident":
        return refine_as_trident(
            sam,
            embedding,
            coarse,
            probabilities,
            regions,
            report,
            iou_threshold=iou_threshold,
            coarse_threshold=coarse_threshold,
            prompt_box=prompt_box,
            prompt_point=prompt_point,
            mask_kind=mask_kind,
            refine_background=refine_background,
        )
    result = Refinement.none(coarse, len(regions))
    grid = (regions.labels.shape[0], regions.labels.shape[1])
    size = (coarse.shape[0], coarse.shape[1])
    merger = MaskMerger(coarse, partial(of_class, probabilities))
    total = 2 * len(asked)  # every prompt is decoded, then merged
    for first in range(0, len(asked), _BLOCK):
        block = asked[first : first + _BLOCK]
        boxes = boxes_in_image(regions.boxes[block], grid, size)
        points = points_in_image(regions.points[block], grid, size)
        classes = regions.classes[block]
        logits, iou = sam.decode(
            embedding,
            boxes=boxes if prompt_box else None,
            points=points[:, None] if prompt_point else None,
            mask_inputs=_class_masks(
                sam, probabilities, classes, mask_kind, coarse_threshold
            ),
            on_chunk=_shifted(report, 2 * first, total),
        )
        # Where memory ran out they lie on the CPU.
        resizer = sam.resizer(embedding, logits.device)
        scores = iou.cpu().numpy()
        result.sam_scores[block] = scores
        result.used[block] = scores > iou_threshold
        for done, i in enumerate(np.flatnonzero(result.used[block]).tolist()):
            report("refine", 2 * first + len(block) + done, total, "merging masks")
            mask = resizer.window(logits[i])
            if mask is not None:
                window = (mask.rows, mask.columns)
                merger.add_mask(int(classes[i]), window, mask.logits.cpu().numpy())
    failed = asked[~result.used[asked]] + 1
    if region_map is None:
        region_map = full_resolution_regions(regions, coarse)
    result.refined[:] = merger.labels_with_failed(failed, region_map, regions.classes)
    report("refine", total, total)
    return result


def _class_masks(
    sam: SamModel,
    probabilities: NDArray[np.float32],
    classes: NDArray[np.int64],
    kind: MaskKind | None,
    threshold: float,
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
                    torch.from_numpy(of_class(probabilities, value)),
                    size,
                    kind,
                    threshold,
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
