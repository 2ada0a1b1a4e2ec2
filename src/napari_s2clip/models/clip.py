"""CLIP as the pipeline sees it: hidden states, the last block's parts, text vectors.

The blocks, norms and projections are open_clip's own modules and are called, never
rewritten; only the position embedding is interpolated, because windows may have any
grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .packed_linear import pack_linears
from .plain_vit import check_tower
from .positions import Positions, resample_positions
from .precision import enter_float32, lower
from .text_tower import encode_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BlockParts", "ClipModel", "HiddenStates", "normalise_pixels"]


def normalise_pixels(
    images: NDArray[Any] | Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
) -> Tensor:
    """uint8 images (B, H, W, 3) to a normalised float32 batch (B, 3, H, W)."""
    batch = torch.as_tensor(images).to(device).permute(0, 3, 1, 2).float() / 255
    shift, scale = (
        torch.tensor(v, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        for v in (mean, std)
    )
    return (batch - shift) / scale


@dataclass(frozen=True)
class HiddenStates:
    """Outputs of the blocks for a batch of windows.

    Attributes
    ----------
    embedded : Tensor, (B, 1 + h * w, width)
        What enters block 0.
    states : list of Tensor, each (B, 1 + h * w, width)
        ``states[l]`` is the output of block l (from 0), class token first.
    grid : (int, int)
        Rows h and columns w of patches.
    """

    embedded: Tensor
    states: list[Tensor]
    grid: tuple[int, int]

    def __repr__(self) -> str:
        shape = tuple(self.embedded.shape)
        return f"HiddenStates({len(self.states)} of {shape}, grid={tuple(self.grid)})"

    def into(self, block: int) -> Tensor:
        """What enters a block (from 0)."""
        return self.states[block - 1] if block else self.embedded


class BlockParts:
    """The steps of one block, to be put together in other ways.

    They take and return float32, whatever the block's products are computed in.
    """

    def __init__(self, block: nn.Module) -> None:
        attention = block.attn
        if not isinstance(attention, nn.MultiheadAttention):
            raise ValueError(
                "clip: its blocks have no torch.nn.MultiheadAttention but "
                f"{type(attention).__name__}; choose a plain ViT of open_clip"
            )
        self._attention = attention
        self._block: Any = block
        self.heads = attention.num_heads
        self.scale = float(attention.head_dim) ** -0.5

    def norm(self, tokens: Tensor) -> Tensor:
        """LN1, before the attention."""
        result: Tensor = self._block.ln_1(tokens)
        return result

    def qkv(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v of LN1(tokens): (B, N, width) to three of (B, heads, N, d_head)."""
        weight, bias = self._attention.in_proj_weight, self._attention.in_proj_bias
        batch, count, width = tokens.shape
        joined = F.linear(self.norm(tokens).to(weight.dtype), weight, bias).float()
        split = joined.view(batch, count, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        return q, k, v

    def out(self, values: Tensor) -> Tensor:
        """The output map Wo of (B, N, width)."""
        result: Tensor = self._block.ls_1(self._attention.out_proj(values).float())
        return result

    def attend(self, attention: Tensor, values: Tensor) -> Tensor:
        """Wo (A · v): A (B, 1 or heads, N, N), v (B, heads, N, d_head)."""
        return self.out((attention @ values).transpose(1, 2).flatten(2))

    def feed_forward(self, tokens: Tensor) -> Tensor:
        """The second half of the block, without its residual: FFN(LN2(tokens))."""
        hidden = self._block.mlp(self._block.ln_2(tokens)).float()
        result: Tensor = self._block.ls_2(hidden)
        return result


class ClipModel:
    """A frozen CLIP of open_clip.

    Parameters
    ----------
    model : open_clip.model.CLIP or CustomTextCLIP
        Or any module whose attribute ``visual`` is an
        `open_clip.transformer.VisionTransformer`; then there is no `encode_text`.
    tokenizer : callable
        Texts to token ids (T, context).
    device : torch.device
    mean, std : sequence of 3 floats
        Of the pixels in 0 to 1.
    dtype : torch.dtype
        What both towers compute their matrix products in.

    Raises
    ------
    ValueError
        If the image tower is not a plain ViT.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Callable[[list[str]], Tensor],
        device: torch.device,
        mean: Sequence[float],
        std: Sequence[float],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model: Any = model.to(device).eval().requires_grad_(False)
        self.device = device
        self.dtype = dtype
        self._tokenizer = tokenizer
        self.mean, self.std = tuple(mean), tuple(std)
        self._visual: Any = self.model.visual
        check_tower(self._visual)
        lower(self.model, dtype)
        pack_linears(self._visual.transformer)
        if dtype != torch.float32:
            # open_clip gives texts the type of the weights; sums are to be float32.
            text: Any = getattr(self.model, "text", self.model)
            if hasattr(text, "transformer"):
                enter_float32(text.transformer)
        self._blocks: list[nn.Module] = list(self._visual.transformer.resblocks)
        self.blocks = tuple(BlockParts(block) for block in self._blocks)

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels."""
        return int(self._visual.patch_size[0])

    def grid(self, window: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches in a window of (H, W) pixels."""
        return window[0] // self.patch_size, window[1] // self.patch_size

    @property
    def width(self) -> int:
        """Length of a hidden token."""
        return int(self._visual.conv1.out_channels)

    @property
    def last(self) -> BlockParts:
        """The last block."""
        return self.blocks[-1]

    @property
    def n_blocks(self) -> int:
        """Number of blocks L; they count from 0."""
        return len(self._blocks)

    def _embed(
        self, pixels: Tensor, positions: Positions
    ) -> tuple[Tensor, tuple[int, int]]:
        visual = self._visual
        patches = visual.conv1(pixels).float()
        grid = (patches.shape[-2], patches.shape[-1])
        tokens = patches.flatten(2).transpose(1, 2)
        first = visual.class_embedding.expand(len(tokens), 1, -1).to(tokens.dtype)
        table = resample_positions(
            visual.positional_embedding, tuple(visual.grid_size), grid, positions
        )
        tokens = torch.cat([first, tokens], 1) + table
        return visual.ln_pre(visual.patch_dropout(tokens)), grid

    def normalise(self, windows: NDArray[Any]) -> Tensor:
        """uint8 windows (B, H, W, 3) to what the model takes: (B, 3, H, W)."""
        return normalise_pixels(windows, self.mean, self.std, self.device)

    @torch.inference_mode()
    def hidden_states(
        self, windows: NDArray[Any], positions: Positions = "bicubic"
    ) -> HiddenStates:
        """Outputs of all blocks but the last.

        Parameters
        ----------
        windows : ndarray of uint8, (B, H, W, 3)
            H and W are multiples of `patch_size`, and need not be equal.
        positions : {"bicubic", "offset", "antialias", "bilinear"}
            How the position embedding is interpolated if the grid is not the model's
            own, see `napari_s2clip.models.positions.resample_positions`.

        Raises
        ------
        ValueError
            If the windows have another shape, or ``positions`` another value.
        """
        self._check_windows(windows.shape)
        embedded, grid = self._embed(self.normalise(windows), positions)
        tokens, states = embedded, []
        for block in self._blocks[:-1]:
            tokens = block(tokens)
            states.append(tokens)
        return HiddenStates(embedded, states, grid)

    def _check_windows(self, shape: tuple[int, ...]) -> None:
        patch = self.patch_size
        if len(shape) != 4 or shape[-1] != 3:
            raise ValueError(f"windows has the shape {shape}; give (B, H, W, 3)")
        height, width = shape[1:3]
        if height % patch or width % patch or not height or not width:
            raise ValueError(
                f"windows are {height} × {width} px; give sides that are multiples of "
                f"the patch, {patch} px"
            )

    @torch.inference_mode()
    def last_block(self, tokens: Tensor) -> Tensor:
        """The library's whole last block: (B, 1 + N, width) to the same shape."""
        result: Tensor = self._blocks[-1](tokens)
        return result

    @torch.inference_mode()
    def project(self, tokens: Tensor) -> Tensor:
        """LN_post and projection to the shared space: (…, width) to (…, d)."""
        result: Tensor = self._visual.ln_post(tokens) @ self._visual.proj
        return result

    @torch.inference_mode()
    def encode_text(self, texts: list[str]) -> Tensor:
        """Text vectors (T, d), not normalised."""
        tokens = self._tokenizer(texts).to(self.device)
        return encode_texts(self.model, tokens).float()
