"""Probabilities made to follow the picture, before regions are found.

Optional: PAMR looks at colours, Stable Diffusion's self-attention at what belongs
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from ..coarse import ClassMaps, likeliest
from .attention_maps import propagate
from .pamr import pamr

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..models.diffusion import DiffusionModel
    from ..settings import Settings

__all__ = ["REFINER_TITLES", "check_refiner", "refine_probabilities"]

REFINER_TITLES: Final = {"none": "", "pamr": "PAMR", "diffusion": "Stable Diffusion"}
"""What is at work, for people."""


def check_refiner(settings: Settings, diffusion: DiffusionModel | None) -> None:
    """Refuse settings that need a model which is not there.

    Raises
    ------
    ValueError
        Names the setting, and how to load the model.
    """
    if settings.probability_refiner == "diffusion" and diffusion is None:
        raise ValueError(
            "probability_refiner: diffusion needs Stable Diffusion; load the model "
            "with diffusion=FOLDER (command line: --diffusion FOLDER)"
        )


@torch.inference_mode()
def refine_probabilities(
    maps: ClassMaps,
    image: NDArray[np.uint8],
    settings: Settings,
    device: torch.device,
    diffusion: DiffusionModel | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> ClassMaps:
    """The maps as ``settings.probability_refiner`` changes them.

    Parameters
    ----------
    maps : ClassMaps
    image : ndarray of uint8, (H, W, 3)
    settings : Settings
    device : torch.device
        Where PAMR is computed.
    diffusion : DiffusionModel, optional
        For ``"diffusion"``.
    on_step : callable
        Called with steps done and steps in all, before each step and after the last.

    Raises
    ------
    ValueError
        If it is ``"diffusion"`` and there is no model for it.
    """
    kind = settings.probability_refiner
    if kind == "none":
        return maps
    planes = [maps.probabilities]
    if maps.background is not None:
        planes.append(maps.background[None])
    values = torch.from_numpy(np.concatenate(planes)).to(device)
    if kind == "pamr":
        pixels = torch.as_tensor(image).permute(2, 0, 1).float().to(device)
        values = pamr(pixels, values, settings.pamr_iterations, on_step=on_step)
    else:
        check_refiner(settings, diffusion)
        assert diffusion is not None
        attentions = diffusion.attention(image, on_step=on_step)
        values = propagate(attentions, values, settings.attention_threshold)
    count = len(maps.probabilities)
    top, winner = likeliest(values, count)
    found = values.clamp(0, 1).cpu().numpy()
    return ClassMaps(
        found[:count],
        top.cpu().numpy(),
        winner.cpu().numpy().astype(np.uint16),
        None if maps.background is None else found[count],
    )
