"""Refinement for those who bring their own maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..progress import CancelToken, ProgressCallback, Reporter
from ..regions import Regions, find_regions, half_resolution
from .refine import Mode, refine_regions
from .result import Refinement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.parts import Precision
    from ..models.sam import SamEmbedding, SamModel
    from .class_masks import MaskPrompt

__all__ = ["RefinedMap", "load_sam", "refine_map"]


@dataclass(frozen=True)
class RefinedMap(Refinement):
    """A refined map, what SAM thought of each region, and the regions.

    Attributes
    ----------
    regions : Regions
        On the grid of half the resolution, in the order of the scores.
    """

    regions: Regions


def load_sam(sam: Any, device: str = "auto", precision: Precision = "auto") -> SamModel:
    """Make a model of segment_anything ready.

    Parameters
    ----------
    sam : segment_anything.modeling.Sam
        Of any size; it is moved to the device.
    device : str
        ``"auto"`` is CUDA, then MPS, then the CPU.
    precision : {"auto", "fp32", "bf16", "fp16"}
        Of the image encoder, see `napari_s2clip.models.precision.choose_precision`.

    Raises
    ------
    ValueError
        If it is no such model, or the device cannot compute in the precision.
    """
    from ..models.device import choose_device
    from ..models.precision import DTYPES, choose_precision
    from ..models.sam import SamModel

    parts = ("image_encoder", "prompt_encoder", "mask_decoder")
    missing = [name for name in parts if not hasattr(sam, name)]
    if missing:
        raise ValueError(
            f"sam: {type(sam).__name__} has no {missing[0]}; give a Sam of "
            "segment_anything"
        )
    chosen = choose_device(device)
    return SamModel(sam, chosen, DTYPES[choose_precision(precision, chosen)])


def refine_map(
    image: NDArray[np.uint8] | SamEmbedding,
    labels: NDArray[np.integer],
    probabilities: NDArray[np.floating[Any]],
    sam: SamModel,
    *,
    mode: Mode = "fixed",
    iou_threshold: float = 0.8,
    coarse_threshold: float = 0.2,
    min_area: int = 225,
    connected: bool = True,
    prompt_box: bool = True,
    prompt_point: bool = True,
    mask_prompt: MaskPrompt = "auto",
    refine_background: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> RefinedMap:
    """Refine a label map by SAM (Algorithm 4).

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3), or SamEmbedding
        What ``sam.encode`` gives is taken as it is.
    labels : ndarray of int, (H, W)
        0 is background, i has the probability ``probabilities[i - 1]``.
    probabilities : ndarray, (C, H, W)
        From 0 to 1.
    sam : SamModel
        See `load_sam`.
    mode : {"fixed", "trident"}
        ``"trident"`` is `napari_s2clip.refine.trident.refine_as_trident`.
    iou_threshold : float
        Masks with a predicted IoU of at most this fail (tau_iou).
    coarse_threshold, min_area, connected
        See `napari_s2clip.regions.find_regions`; areas are pixels of half the
        resolution.
    prompt_box, prompt_point : bool
        Which prompts each region gives; at least one.
    mask_prompt : {"auto", "off", "logit", "trident"}
        See `napari_s2clip.refine.class_masks.class_mask`.
    refine_background : bool
        Also prompt regions of label 0.
    progress : callable, optional
    cancel : CancelToken, optional

    Returns
    -------
    RefinedMap
        Without a region the map is a copy of ``labels``.

    Raises
    ------
    ValueError
        If the arrays do not fit, or a probability is outside 0 to 1 or NaN.
    Cancelled
        If ``cancel`` was raised.
    """
    p = np.asarray(probabilities, np.float32)
    labels = np.asarray(labels)
    small = half_resolution(labels, p)
    regions = find_regions(
        *small,
        threshold=coarse_threshold,
        min_area=min_area,
        background=refine_background,
        connected=connected,
    )
    embedding = sam.encode(image) if isinstance(image, np.ndarray) else image
    found = refine_regions(
        sam,
        embedding,
        labels.astype(np.uint16),
        p,
        regions,
        mode=mode,
        iou_threshold=iou_threshold,
        coarse_threshold=coarse_threshold,
        prompt_box=prompt_box,
        prompt_point=prompt_point,
        mask_prompt=mask_prompt,
        refine_background=refine_background,
        report=Reporter(progress, cancel),
    )
    return RefinedMap(found.refined, found.sam_scores, found.used, regions)
