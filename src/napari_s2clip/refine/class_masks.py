"""Mask prompts: what SAM is told of a class's probabilities everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from ..models.sam import SamModel
    from ..settings.refine import RefineSettings

__all__ = [
    "MaskKind",
    "choose_mask",
    "class_mask",
    "embed_mask",
]

MaskKind: TypeAlias = Literal["logit", "trident"]

_LIMIT = 8.0
"""Largest logit of a mask prompt: probabilities of 0.0003 and 0.9997."""

_COEFFICIENT = 0.005
"""What Trident multiplies probabilities with (tau_m)."""


def choose_mask(settings: RefineSettings) -> MaskKind | None:
    """Which mask is given; None for none."""
    prompt = settings.mask_prompt
    if prompt == "auto":
        return "trident" if settings.refine_mode == "trident" else None
    return None if prompt == "off" else prompt


def class_mask(
    sam: SamModel,
    probability: Tensor,
    image_size: tuple[int, int],
    kind: MaskKind,
    threshold: float = 0.2,
) -> Tensor:
    """One mask for all regions of a class.

    Parameters
    ----------
    sam : SamModel
    probability : Tensor, (h, w)
        Of the class, on any grid that covers the image.
    image_size : (int, int)
    kind : {"logit", "trident"}
        ``"logit"`` is log(p / (1 − p)), from −8 to 8, as SAM's own logits are meant;
        ``"trident"`` is 0.005 p where p is above ``threshold``, else 0, as Trident (Shi
        et al. 2024) has it.
    threshold : float
        tau_c.

    Returns
    -------
    Tensor, (1, 4h, 4w) of SAM's embedding
        The padding of the input is outside (``"logit"``) or 0 (``"trident"``).
    """
    side = int(sam.sam.prompt_encoder.mask_input_size[0])
    height, width = sam.input_size(*image_size, longest=side)
    resized = F.interpolate(
        probability[None, None].float(),
        (height, width),
        mode="bilinear",
        align_corners=False,
    )[0]
    padding = (0, side - width, 0, side - height)
    if kind == "logit":
        logits = torch.logit(resized, 1e-6).clamp(-_LIMIT, _LIMIT)
        return F.pad(logits, padding, value=-_LIMIT)
    return F.pad(torch.where(resized > threshold, _COEFFICIENT * resized, 0), padding)


@torch.inference_mode()
def embed_mask(sam: SamModel, mask: Tensor, kind: MaskKind) -> Tensor:
    """The dense embedding (c, h, w) of a mask (1, 4h, 4w).

    Trident passes the mask without the axis of a batch. Its convolutions take that, but
    the norms between them then run over the rows of the picture instead of the
    channels. ``"trident"`` does the same.
    """
    mask = mask.to(sam.device)
    if kind == "trident":
        found: Tensor = sam.sam.prompt_encoder.mask_downscaling(mask)
        return found
    _, dense = sam.sam.prompt_encoder(points=None, boxes=None, masks=mask[None])
    return torch.as_tensor(dense[0])
