"""What a caller gives for one window, checked under the caller's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..models.clip import ClipModel
from .arrays import to_tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["to_clip", "to_grid_tokens", "to_pixels"]


def to_clip(model: ClipModel | Any) -> ClipModel:
    """A `ClipModel` as it is, a model of open_clip wrapped; else `ValueError`."""
    if isinstance(model, ClipModel):
        return model
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD, tokenize

    visual = getattr(model, "visual", None)
    weights = list(model.parameters()) if isinstance(model, nn.Module) else []
    if visual is None or not weights:
        raise ValueError(
            f"clip: {type(model).__name__} is not a ClipModel or a model of open_clip; "
            "give an open_clip model"
        )
    low = {p.dtype for p in weights if p.dtype != torch.float32}
    if low:
        raise ValueError(
            f"clip: it has weights of {', '.join(sorted(map(str, low)))}; give a "
            "float32 model"
        )
    mean = getattr(visual, "image_mean", None) or OPENAI_DATASET_MEAN
    std = getattr(visual, "image_std", None) or OPENAI_DATASET_STD
    return ClipModel(model, tokenize, weights[0].device, mean, std)


def to_pixels(window: ArrayLike, patch: int) -> NDArray[np.uint8]:
    """RGB of whole patches, uint8 (H, W, 3); else `ValueError`."""
    pixels = np.asarray(window)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(
            f"window is {pixels.dtype} {pixels.shape}; give uint8 RGB (H, W, 3)"
        )
    height, width, _ = pixels.shape
    if not height or not width or height % patch or width % patch:
        raise ValueError(
            f"window is {height} × {width} px; give sides that are multiples of the "
            f"patch, {patch} px"
        )
    return pixels


def to_grid_tokens(values: ArrayLike, device: torch.device) -> Tensor:
    """Finite tokens of a vision model, (h, w, d); else `ValueError`."""
    tokens = to_tensor(values, device, "vfm_tokens").float()
    if tokens.ndim != 3 or not tokens.numel():
        raise ValueError(
            f"vfm_tokens has the shape {tuple(tokens.shape)}; give (h, w, d) with at "
            "least one of each"
        )
    if not tokens.isfinite().all():
        raise ValueError("vfm_tokens: some are infinite or NaN; give finite numbers")
    return tokens
