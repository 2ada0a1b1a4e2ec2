"""Refinement for those who bring their own maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..models.sam import SamEmbedding, SamModel
from ..progress import CancelToken, ProgressCallback, Reporter
from ..regions import Regions, find_regions, full_resolution_regions, half_resolution
from ..settings import Settings
from ..settings.refine import RefineSettings
from .refine import refine_regions
from .result import Refinement

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ..models.parts import Precision

__all__ = ["RefinedMap", "load_sam", "refine_map"]


@dataclass(frozen=True, eq=False)
class RefinedMap(Refinement):
    """A refined map, what SAM thought of each region, and the regions.

    Attributes
    ----------
    regions : Regions
        On the grid of half the resolution, in the order of the scores. Its boxes are
        inclusive indices of that grid; `table` has pixels of the image.
    region_map : ndarray of int32, (H, W)
        Region ids from 1 on the grid of the image, 0 where no region is.
    """

    regions: Regions
    region_map: NDArray[np.int32]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a region, in pixels of the image.

        As `napari_s2clip.Segmentation.region_table`, without names of classes.
        """
        from ..region_table import region_table

        return region_table(
            self.regions, self.region_map, self.regions.labels.shape, self
        )


def load_sam(
    sam: Any,
    device: str = "auto",
    precision: Precision = "auto",
    *,
    compiled: bool = False,
) -> SamModel:
    """Make a model of segment_anything ready.

    Parameters
    ----------
    sam : segment_anything.modeling.Sam
        Of any size; it is moved to the device.
    device : str
        ``"auto"`` is CUDA, then MPS, then the CPU.
    precision : {"auto", "fp32", "bf16", "fp16"}
        Of the image encoder, see `napari_s2clip.models.precision.choose_precision`.
    compiled : bool
        Whether ``torch.compile`` makes the image encoder faster; the first image then
        takes from seconds to minutes longer.

    Raises
    ------
    ValueError
        If it is no such model, or the device cannot compute in the precision.
    """
    from ..models.device import choose_device
    from ..models.precision import DTYPES, choose_precision

    parts = ("image_encoder", "prompt_encoder", "mask_decoder")
    missing = [name for name in parts if not hasattr(sam, name)]
    if missing:
        raise ValueError(
            f"sam: {type(sam).__name__} has no {missing[0]}; give a Sam of "
            "segment_anything"
        )
    chosen = choose_device(device)
    dtype = DTYPES[choose_precision(precision, chosen)]
    return SamModel(sam, chosen, dtype, compiled=compiled)


def refine_map(
    image: NDArray[np.uint8] | SamEmbedding,
    labels: NDArray[np.integer] | torch.Tensor,
    probabilities: NDArray[np.floating[Any]] | torch.Tensor,
    sam: SamModel,
    settings: RefineSettings | None = None,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> RefinedMap:
    """Refine a label map by SAM (Algorithm 4).

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3), or SamEmbedding
        What ``sam.encode`` gives is taken as it is.
    labels : ndarray or Tensor of int, (H, W)
        0 is background, i has the probability ``probabilities[i - 1]``.
    probabilities : ndarray or Tensor, (C, H, W)
        From 0 to 1.
    sam : SamModel
        See `load_sam`.
    settings : RefineSettings, optional
        Or `napari_s2clip.Settings` without ``probability_refiner``, whose other stages
        do not matter; areas are pixels of half the resolution.
    progress : callable, optional
    cancel : CancelToken, optional

    Returns
    -------
    RefinedMap
        Without a region the map is a copy of ``labels``.

    Raises
    ------
    ValueError
        If a type is wrong, the arrays do not fit, a probability is outside 0 to 1 or
        NaN, or the settings are none or ask for what is not done here.
    Cancelled
        If ``cancel`` was raised.
    """
    if not isinstance(sam, SamModel):
        raise ValueError(f"sam: give what load_sam makes, not {type(sam).__name__}")
    if not isinstance(image, np.ndarray | SamEmbedding):
        raise ValueError(
            "image: give uint8 (H, W, 3) or sam.encode(image), not "
            f"{type(image).__name__}"
        )
    settings = RefineSettings() if settings is None else settings
    if not isinstance(settings, RefineSettings):
        raise ValueError(f"settings: give Settings(…), not {type(settings).__name__}")
    if not settings.refine:
        raise ValueError("refine: is off, but refining is what refine_map does")
    other = settings.probability_refiner if isinstance(settings, Settings) else "none"
    if other != "none":
        raise ValueError(
            f"probability_refiner: refine_map does not do {other}; set it to none, or "
            "let S2CLIP.segment do it"
        )
    report = Reporter(progress, cancel)
    report("regions", 0, 1)
    maps: tuple[Any, Any] = _as_maps(labels), _as_maps(probabilities)
    # Tensors are halved where they are: a GPU does it faster than it copies them.
    small = half_resolution(*maps)
    coarse, p = (_as_array(each) for each in maps)
    size = image.shape[:2] if isinstance(image, np.ndarray) else image.image_size
    if size != coarse.shape:
        raise ValueError(
            f"image {size} and labels {coarse.shape} differ in size; give those of one "
            "image"
        )
    regions = find_regions(
        *small,
        threshold=settings.coarse_threshold,
        min_area=settings.min_region_area,
        background=settings.refine_background,
        connected=settings.connected_components,
    )
    if isinstance(image, np.ndarray):
        report("refine", 0, 1, "SAM image embedding")
        image = sam.encode(image)
    coarse = coarse.astype(np.uint16)
    region_map = full_resolution_regions(regions, coarse)
    found = refine_regions(
        sam,
        image,
        coarse,
        p.astype(np.float32, copy=False),
        regions,
        settings,
        region_map=region_map,
        report=report,
    )
    return RefinedMap(**vars(found), regions=regions, region_map=region_map)


def _as_maps(given: Any) -> Any:
    return given if isinstance(given, torch.Tensor) else np.asarray(given)


def _as_array(given: Any) -> NDArray[Any]:
    if isinstance(given, torch.Tensor):
        given = given.detach().cpu()
        # NumPy knows no bfloat16.
        given = given.float() if given.is_floating_point() else given
    return np.asarray(given)
