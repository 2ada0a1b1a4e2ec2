"""Write trained demo models as small safetensors files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from open_clip.model import CLIP

__all__ = ["save_clip", "save_model"]


def _write(state: dict[str, Tensor], file: Path) -> None:
    """Write float tensors as float16: the file halves, and nothing visible is lost."""
    from safetensors.torch import save_file

    half = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in state.items()
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(half, file, metadata={"format": "pt"})
    # safetensors keeps its files to their owner; a wheel must let everybody read.
    file.chmod(0o644)


def known_tokens() -> Tensor:
    """Token ids that any training caption can contain, end and start included."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES, SimpleTokenizer

    from ..vocabulary import VOCABULARY

    words = sorted({w for name in VOCABULARY for w in name.split()})
    texts = [t(" and a ".join(words)) for t in OPENAI_IMAGENET_TEMPLATES]
    known: Tensor = torch.unique(SimpleTokenizer(context_length=256)([*texts, *words]))
    return known


def save_model(model: torch.nn.Module, file: Path) -> None:
    """Write a model's state as float16 safetensors."""
    _write(model.state_dict(), file)


def save_clip(model: CLIP, folder: Path) -> None:
    """Write the demo CLIP; rows of words never seen in training become zero.

    Their random initial values carry nothing, and zeros compress to nothing in the
    wheel.
    """
    state = dict(model.state_dict())
    table = torch.zeros_like(state["token_embedding.weight"])
    rows = known_tokens()
    table[rows] = state["token_embedding.weight"][rows]
    state["token_embedding.weight"] = table
    _write(state, folder / "clip.safetensors")
