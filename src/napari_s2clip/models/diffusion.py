"""Stable Diffusion as a judge of what belongs together: its finest self-attention.

CLIPer (Sun et al. 2024): the picture is encoded, the noise of a late step is added, and
the denoiser looks at it once, with an empty prompt. Nothing is generated.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from .memory import is_out_of_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DiffusionModel", "check_diffusion", "load_diffusion"]

SIDE: Final = 512
"""Of the picture that the model sees, in pixels."""

STEPS: Final = 50
STEP: Final = 45
"""Steps of the schedule, and the one whose noise is added (from 0)."""

TRANSFORMERS: Final = (1, 0)
"""Of the last block going up, in the order in which their attention is multiplied."""

PARTS: Final = ("vae", "unet", "scheduler", "text_encoder", "tokenizer")
"""Folders that are needed."""


class _Keep:
    """An attention processor of diffusers that remembers queries and keys."""

    def __init__(self) -> None:
        self.queries: Tensor | None = None
        self.keys: Tensor | None = None
        self.scale = 1.0

    def __call__(
        self, attn: Any, hidden_states: Tensor, *args: Any, **options: Any
    ) -> Tensor:
        q, k, v = (
            attn.head_to_batch_dim(part(hidden_states))
            for part in (attn.to_q, attn.to_k, attn.to_v)
        )
        self.queries, self.keys, self.scale = q, k, float(attn.scale)
        found = F.scaled_dot_product_attention(
            q[None], k[None], v[None], scale=self.scale
        )[0]
        result: Tensor = attn.to_out[0](attn.batch_to_head_dim(found))
        return result


class DiffusionModel:
    """A frozen Stable Diffusion without its text encoder.

    Parameters
    ----------
    vae : diffusers.AutoencoderKL
    unet : diffusers.UNet2DConditionModel
    scheduler : diffusers scheduler
        With `set_timesteps` and `add_noise`.
    prompt : Tensor, (1, T, c)
        The empty text, encoded.
    device : torch.device
    side : int
        Of the picture that the model sees, in pixels.
    """

    def __init__(
        self,
        vae: Any,
        unet: Any,
        scheduler: Any,
        prompt: Tensor,
        device: torch.device,
        side: int = SIDE,
    ) -> None:
        self.vae: Any = vae.to(device).eval().requires_grad_(False)
        self.unet: Any = unet.to(device).eval().requires_grad_(False)
        self.scheduler = scheduler
        self.prompt = prompt.to(device)
        self.device = device
        self.side = side
        blocks = unet.up_blocks[-1].attentions
        self._layers = [blocks[i].transformer_blocks[0].attn1 for i in TRANSFORMERS]

    @torch.inference_mode()
    def attention(
        self,
        image: NDArray[np.uint8],
        seed: int = 0,
        on_step: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[Tensor]:
        """Attention between the cells of the finest grid, one head after the other.

        CLIPer multiplies all of them; the last factor comes first, so that each can be
        applied to the maps and forgotten.

        Parameters
        ----------
        image : ndarray of uint8, (H, W, 3)
            Stretched to the model's square.
        seed : int
            Of the noise; the same for the same seed on every device.
        on_step : callable
            Called with steps done and steps in all, before each step (the picture is
            encoded, the denoiser looks, one for each head) and after the last.

        Yields
        ------
        Tensor of float32, (N, N)
            Rows sum to 1; N = (side / 8)² for Stable Diffusion 2.1.
        """
        total = 2 + sum(int(layer.heads) for layer in self._layers)
        on_step(0, total)
        pixels = torch.as_tensor(image).permute(2, 0, 1)[None].to(self.device)
        square = (self.side, self.side)
        pixels = F.interpolate(
            pixels.float() / 127.5 - 1, square, mode="bilinear", antialias=True
        ).to(self.vae.dtype)
        latents = self.vae.encode(pixels).latent_dist.mean
        latents = latents * self.vae.config.scaling_factor
        self.scheduler.set_timesteps(STEPS)
        time = self.scheduler.timesteps[STEP].reshape(1).to(self.device)
        noise = torch.randn(
            latents.shape, generator=torch.Generator().manual_seed(seed)
        )
        noisy = self.scheduler.add_noise(latents, noise.to(latents), time)
        on_step(1, total)
        before = [layer.processor for layer in self._layers]
        kept = [_Keep() for _ in self._layers]
        try:
            for layer, keep in zip(self._layers, kept, strict=True):
                layer.set_processor(keep)
            self.unet(noisy, time, encoder_hidden_states=self.prompt.to(noisy))
        finally:
            for layer, processor in zip(self._layers, before, strict=True):
                layer.set_processor(processor)
        done = 2
        for keep in reversed(kept):
            assert keep.queries is not None
            assert keep.keys is not None
            for q, k in zip(keep.queries.flip(0), keep.keys.flip(0), strict=True):
                on_step(done, total)
                done += 1
                yield (q.float() @ k.float().T * keep.scale).softmax(-1)
        on_step(total, total)


def check_diffusion(diffusion: object) -> None:
    """Refuse what `load_diffusion` cannot load, as far as a glance tells.

    Parameters
    ----------
    diffusion : path, DiffusionModel or None

    Raises
    ------
    ValueError
        If diffusers is not installed, or the folder is incomplete; names the folder.
    """
    if diffusion is None or isinstance(diffusion, DiffusionModel):
        return
    if not isinstance(diffusion, str | Path):
        raise ValueError(
            "diffusion: give the folder of a Stable Diffusion, not "
            f"{type(diffusion).__name__}"
        )
    if importlib.util.find_spec("diffusers") is None:
        raise ValueError(
            "diffusion: diffusers is not installed; pip install 'napari-s2clip[sd]'"
        )
    folder = Path(diffusion).expanduser()
    advice = "give the folder of a Stable Diffusion in the layout of diffusers"
    path = folder / "model_index.json"
    if not path.is_file():
        raise ValueError(f"diffusion: {folder} holds no model_index.json; {advice}")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"diffusion: {path} is no JSON ({error}); {advice}") from error
    for part in PARTS:
        if not isinstance(index, dict) or part not in index:
            raise ValueError(f"diffusion: {path} names no {part}; {advice}")
        if not (folder / part).is_dir():
            raise ValueError(f"diffusion: {folder} holds no folder {part}; {advice}")


def load_diffusion(folder: str | Path, device: torch.device) -> DiffusionModel:
    """Load Stable Diffusion from a folder in the layout of diffusers.

    CLIPer uses Stable Diffusion 2.1 base. Never opens a network connection.

    Parameters
    ----------
    folder : path
        With ``vae``, ``unet``, ``scheduler``, ``text_encoder`` and ``tokenizer``.
    device : torch.device

    Raises
    ------
    ValueError
        If diffusers is not installed, or the folder holds no such model.
    """
    check_diffusion(folder)
    import diffusers

    path = Path(folder).expanduser()
    builder: Any = diffusers.StableDiffusionPipeline
    try:
        pipe = builder.from_pretrained(path, local_files_only=True, safety_checker=None)
        prompt, _ = pipe.encode_prompt("", torch.device("cpu"), 1, False)
    # Each part has its own reader, and each reader its own errors.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"diffusion: {path} cannot be loaded ({reason}); give the folder of a "
            "Stable Diffusion in the layout of diffusers"
        ) from error
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    for part in (pipe.vae, pipe.unet):
        part.to(dtype=dtype)
    return DiffusionModel(pipe.vae, pipe.unet, pipe.scheduler, prompt, device)
