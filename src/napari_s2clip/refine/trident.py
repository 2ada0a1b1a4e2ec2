"""Refinement as Trident's public code does it (Shi et al. 2024), quirks and all.

The reference that Algorithm 4 is compared with; see `refine` for what we mean. What
differs here: one decoder call for each class; boxes end where the last pixel begins,
and points are corners of pixels; one mask prompt for all regions of a class, normalised
along the wrong axis; all masks are held at the size of the image; failed regions change
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..regions.maps import of_class
from .class_masks import MaskKind, choose_mask, class_mask, embed_mask
from .known import MaskMemory, mask_key, masks_of
from .result import Refinement

if TYPE_CHECKING:
    from ..models.sam import SamEmbedding, SamModel
    from ..models.sam_prompts import DenseOf
    from ..progress import Reporter
    from ..regions import Regions
    from ..settings.refine import RefineSettings

__all__ = ["refine_as_trident"]


@torch.inference_mode()
def refine_as_trident(
    sam: SamModel,
    embedding: SamEmbedding,
    coarse: NDArray[np.uint16],
    probabilities: NDArray[np.float32],
    regions: Regions,
    region_map: NDArray[np.int32],
    settings: RefineSettings,
    known: MaskMemory | None,
    report: Reporter,
) -> Refinement:
    """Prompt SAM class after class; see `refine.refine_regions`."""
    kind = choose_mask(settings)
    result = Refinement.none(coarse, region_map, len(regions))
    height, width = coarse.shape
    grid = (regions.labels.shape[0], regions.labels.shape[1])
    values = np.unique(regions.classes).tolist()
    values = [v for v in values if v or settings.refine_background]
    best = torch.zeros((height, width), device=sam.device)
    winner, owners = torch.zeros_like(best).int(), torch.zeros_like(best).int()
    for done, value in enumerate(values):
        report("refine", done, len(values), "SAM decoder")
        some = np.flatnonzero(regions.classes == value)
        # Copied: torch takes neither flipped nor read-only planes.
        own = torch.from_numpy(of_class(probabilities, value).copy()).to(sam.device)
        boxes = _scaled(sam, regions.boxes[some], grid, embedding)
        points = _scaled(sam, regions.points[some], grid, embedding)
        prompts = [
            (
                "trident",
                tuple(box) if settings.prompt_box else None,
                tuple(point) if settings.prompt_point else None,
                mask_key(known, kind, value, settings),
            )
            for box, point in zip(boxes.tolist(), points.tolist(), strict=True)
        ]

        def decode(
            some: NDArray[np.int64],
            boxes: NDArray[np.float64] = boxes,
            points: NDArray[np.float64] = points,
            own: Tensor = own,
        ) -> tuple[Tensor, Tensor]:
            threshold = settings.coarse_threshold
            return sam.decode(
                embedding,
                boxes=boxes[some] if settings.prompt_box else None,
                points=points[some, None] if settings.prompt_point else None,
                mask_inputs=_shared_mask(sam, own, grid, kind, threshold),
                alike=True,
            )

        logits, iou = masks_of(prompts, decode, known)
        passed = iou > settings.iou_threshold
        result.sam_scores[some] = iou
        result.used[some] = passed
        if passed.any():
            chosen = [logits[i].to(sam.device) for i in np.flatnonzero(passed).tolist()]
            masks = sam.sam.postprocess_masks(
                torch.stack(chosen)[:, None],
                embedding.input_size,
                embedding.image_size,
            )[:, 0]
            score, which = (masks.sigmoid() * own).max(0)
            # Of equal scores the first stays, that of the smaller label value.
            wins = score * (masks > 0).any(0) > best
            best = torch.where(wins, score, best)
            winner[wins] = value
            ids = torch.from_numpy(some[passed] + 1).int().to(sam.device)
            owners = torch.where(wins, ids[which], owners)
    # Where no mask scores anything the coarse label stays.
    scored = (best > 0).cpu().numpy()
    np.copyto(result.refined, winner.cpu().numpy(), where=scored, casting="unsafe")
    np.copyto(result.owners, owners.cpu().numpy(), where=scored)
    report("refine", len(values), len(values))
    return result


def _scaled(
    sam: SamModel,
    pairs: NDArray[np.int64],
    grid: tuple[int, int],
    embedding: SamEmbedding,
) -> NDArray[np.float64]:
    """Indices on the grid, such that they arrive at the input as Trident's do.

    Trident resizes the grid itself to the input, whose long side may then be rounded
    otherwise than that of the image.
    """
    of_grid, of_image = sam.input_size(*grid), embedding.input_size
    scale = [
        resized / cells * size / inside
        for resized, cells, size, inside in zip(
            of_grid, grid, embedding.image_size, of_image, strict=True
        )
    ]
    return np.asarray(pairs * np.resize(scale[::-1], pairs.shape[-1]), np.float64)


def _shared_mask(
    sam: SamModel,
    own: Tensor,
    grid: tuple[int, int],
    kind: MaskKind | None,
    threshold: float,
) -> DenseOf | None:
    """The same mask for every region of a class, from its half-resolution map."""
    if kind is None:
        return None
    half = F.interpolate(own[None, None], grid, mode="bilinear", align_corners=False)
    size = (own.shape[0], own.shape[1])
    mask = class_mask(sam, half[0, 0], size, kind, threshold)
    dense = embed_mask(sam, mask, kind)
    return lambda part: dense.expand(part.stop - part.start, -1, -1, -1)
