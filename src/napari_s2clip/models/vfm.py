"""The vision model (DINO) whose tokens tell which patches belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .clip import normalise_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["VisionModel"]


class VisionModel:
    """A frozen timm vision transformer.

    Parameters
    ----------
    model : timm.models.vision_transformer.VisionTransformer
        Built with ``dynamic_img_size=True``.
    device : torch.device
    mean, std : sequence of 3 floats
        Of the pixels in 0 to 1.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self.model = model.to(device).eval().requires_grad_(False)
        self.device = device
        self._mean, self._std = tuple(mean), tuple(std)

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels."""
        return int(self.model.patch_embed.patch_size[0])  # type: ignore[union-attr,index]

    @torch.inference_mode()
    def tokens(self, windows: NDArray[Any]) -> Tensor:
        """Patch tokens (B, h, w, d) after the final norm for uint8 (B, H, W, 3).

        Windows whose sides the patch does not divide are resized to the nearest
        multiple.
        """
        pixels = normalise_pixels(windows, self._mean, self._std, self.device)
        patch = self.patch_size
        rows, columns = (max(1, round(s / patch)) for s in pixels.shape[-2:])
        size = (rows * patch, columns * patch)
        if size != tuple(pixels.shape[-2:]):
            pixels = F.interpolate(pixels, size, mode="bicubic", align_corners=False)
        tokens = self.model.forward_features(pixels)  # type: ignore[operator]
        patches: Tensor = tokens[:, self.model.num_prefix_tokens :]
        return patches.reshape(len(patches), rows, columns, -1)
