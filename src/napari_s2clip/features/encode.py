"""Stage 1: an image to dense features, independent of any class name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .methods import dense_features, find_method
from .windows import WindowPlan, plan_windows, resize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models.load import Models
    from ..models.sam import SamEmbedding
    from ..models.specs import PartName
    from ..progress import Reporter
    from ..settings import Settings

__all__ = ["ImageFeatures", "encode_image"]

_TOKENS_AT_ONCE = 4096
"""Patches of the finer grid in one batch of windows: bounds the attention's memory."""


@dataclass
class ImageFeatures:
    """All that can be known about an image before a class is named.

    Attributes
    ----------
    image : ndarray of uint8, (H, W, 3)
        What the models saw.
    notes : tuple of str
        How it was made from the given data.
    dense : Tensor of float32, (windows, h, w, d)
        Unit vectors.
    plan : WindowPlan
    settings : Settings
        Those of the stage "encode" are fixed by these features.
    model : dict
        Origin of the models; features of one model do not fit another.
    sam : SamEmbedding or None
        Filled in when refinement is asked for first.
    """

    image: NDArray[np.uint8]
    notes: tuple[str, ...]
    dense: Tensor
    plan: WindowPlan
    settings: Settings
    model: Mapping[PartName, Mapping[str, str]]
    sam: SamEmbedding | None = None

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the image, in pixels."""
        return self.plan.image_size


def encode_image(
    models: Models,
    image: NDArray[np.uint8],
    settings: Settings,
    report: Reporter,
    notes: tuple[str, ...] = (),
) -> ImageFeatures:
    """Encode uint8 RGB (H, W, 3) window by window, then with SAM if it will refine.

    The settings must be complete (`ModelSpec.complete`).
    """
    height, width = image.shape[:2]
    plan = plan_windows((height, width), settings, models.clip.patch_size)
    resized = resize(image, plan.size)
    rows, columns = plan.window
    fine = min(models.clip.patch_size, models.vfm.patch_size)
    batch = max(1, _TOKENS_AT_ONCE // ((rows // fine) * (columns // fine)))
    steps = len(plan.corners) + bool(settings.refine)
    found = []
    for first in range(0, len(plan.corners), batch):
        report("encode", first, steps, f"window {first + 1} of {len(plan.corners)}")
        windows = np.stack(
            [
                resized[top : top + rows, left : left + columns]
                for top, left in plan.corners[first : first + batch]
            ]
        )
        found.append(_dense(models, windows, settings))
    features = ImageFeatures(
        image, notes, torch.cat(found), plan, settings, models.origin
    )
    if settings.refine:
        report("encode", steps - 1, steps, "SAM image embedding")
        features.sam = models.sam.encode(image)
    report("encode", steps, steps)
    return features


def _dense(models: Models, windows: NDArray[np.uint8], settings: Settings) -> Tensor:
    wanted = settings.proxy and find_method(settings.method).proxy
    dense = dense_features(
        models.clip,
        models.clip.hidden_states(windows),
        models.vfm.tokens(windows) if wanted else None,
        settings,
    )
    return F.normalize(dense.float(), dim=-1)
