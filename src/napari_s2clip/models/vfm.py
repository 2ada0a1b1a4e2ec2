"""The vision models whose tokens tell which patches belong together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention_cpu import BlockedAttention
from .clip import normalise_pixels
from .packed_linear import pack_linears
from .precision import lower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sam import SamModel

__all__ = ["FusionModel", "SamEncoder", "VisionModel"]


class FusionModel(Protocol):
    """What the fusion needs of a vision model."""

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels of what the model sees."""

    def grid(self, window: tuple[int, int]) -> tuple[int, int]:
        """Rows h and columns w of the tokens of a window of (H, W) pixels."""

    def tokens(self, windows: NDArray[Any]) -> Tensor:
        """Tokens (B, h, w, d) in float32 for uint8 windows (B, H, W, 3).

        The grid covers the window exactly, whatever its size.
        """

    def working_memory(self, window: tuple[int, int]) -> int:
        """Bytes that the tokens of one window need while they are made, from above."""


class VisionModel:
    """A frozen timm vision transformer, such as DINO or DINOv2.

    Parameters
    ----------
    model : timm.models.vision_transformer.VisionTransformer
        Built with ``dynamic_img_size=True``.
    device : torch.device
    mean, std : sequence of 3 floats
        Of the pixels in 0 to 1.
    dtype : torch.dtype
        What it computes its matrix products in.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        mean: Sequence[float],
        std: Sequence[float],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model: Any = model.to(device).eval().requires_grad_(False)
        lower(self.model, dtype)
        pack_linears(self.model)
        self.device = device
        self._mean, self._std = tuple(mean), tuple(std)

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels."""
        return int(self.model.patch_embed.patch_size[0])

    def grid(self, window: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches: the sides rounded to whole patches."""
        rows, columns = (max(1, round(side / self.patch_size)) for side in window)
        return rows, columns

    def working_memory(self, window: tuple[int, int]) -> int:
        """Two dozen tensors of tokens; the attention is never held."""
        return 4 * 24 * math.prod(self.grid(window)) * int(self.model.embed_dim)

    @torch.inference_mode()
    def tokens(self, windows: NDArray[Any]) -> Tensor:
        """Patch tokens (B, h, w, d) after the final norm for uint8 (B, H, W, 3).

        Windows whose sides the patch does not divide are resized to the nearest
        multiple.
        """
        pixels = normalise_pixels(windows, self._mean, self._std, self.device)
        rows, columns = self.grid((pixels.shape[-2], pixels.shape[-1]))
        size = (rows * self.patch_size, columns * self.patch_size)
        if size != tuple(pixels.shape[-2:]):
            pixels = F.interpolate(pixels, size, mode="bicubic", align_corners=False)
        with BlockedAttention():
            tokens = self.model.forward_features(pixels)
        patches: Tensor = tokens[:, self.model.num_prefix_tokens :].float()
        return patches.reshape(len(patches), rows, columns, -1)


class SamEncoder:
    """The frozen image encoder of SAM; its neck's output are the tokens.

    The long side of a window becomes the encoder's input size (1024 px) and the short
    side the multiple of a patch that is nearest to its share; zeros are added after the
    normalisation, as SAM does, and their tokens are cut off. ProxyCLIP (Lan et al.
    2024) resizes windows to the full square instead, which is the same for square ones.

    Parameters
    ----------
    sam : SamModel
        May be the one that refines.
    """

    def __init__(self, sam: SamModel) -> None:
        self.sam = sam

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels of the encoder's input."""
        return self.sam.patch_size

    def grid(self, window: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of tokens; the larger is that of the encoder's input."""
        most = self.sam.side // self.patch_size
        rows, columns = (max(1, round(side * most / max(window))) for side in window)
        return rows, columns

    def working_memory(self, window: tuple[int, int]) -> int:
        """Two dozen tensors of tokens, padding included."""
        count = (self.sam.side // self.patch_size) ** 2
        width = int(self.sam.sam.image_encoder.patch_embed.proj.out_channels)
        return 4 * 24 * count * width

    @torch.inference_mode()
    def tokens(self, windows: NDArray[Any]) -> Tensor:
        """The neck's output (B, h, w, 256) for uint8 windows (B, H, W, 3)."""
        pixels = torch.as_tensor(windows).to(self.sam.device)
        pixels = pixels.permute(0, 3, 1, 2).float()
        rows, columns = self.grid((pixels.shape[-2], pixels.shape[-1]))
        size = (rows * self.patch_size, columns * self.patch_size)
        # As `ResizeLongestSide.apply_image_torch` of segment_anything.
        pixels = F.interpolate(
            pixels, size, mode="bilinear", align_corners=False, antialias=True
        )
        maps = self.sam.features(pixels)
        return maps[:, :, :rows, :columns].permute(0, 2, 3, 1)
