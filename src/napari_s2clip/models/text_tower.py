"""The text tower on no more positions than each text has."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["encode_texts"]


class _Texts(nn.Module):
    """`encode_text` as the forward pass of a module."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.model.encode_text(tokens)
        return result


def encode_texts(model: Any, tokens: Tensor) -> Tensor:
    """What the library's ``encode_text`` gives, without the padding where it can be.

    A token of a causal tower sees none after it, and the vector is that of the end
    token, so what follows it changes nothing. A class name in a template has about 10
    of 77 tokens. Texts of one length go through the tower together.

    Parameters
    ----------
    model : open_clip.model.CLIP or CustomTextCLIP
    tokens : Tensor of int, (T, context)

    Returns
    -------
    Tensor, (T, d)
        Not normalised.
    """
    prefix = "model.text." if hasattr(model, "text") else "model."
    tower = model.text if hasattr(model, "text") else model
    pool = getattr(tower, "text_pool_type", getattr(tower, "pool_type", None))
    mask, positions = tower.attn_mask, tower.positional_embedding
    special = getattr(tower, "cls_emb", None) is not None
    if pool != "argmax" or special or not _is_causal(mask):
        whole: Tensor = model.encode_text(tokens)
        return whole
    # The end token has the highest number.
    lengths = tokens.argmax(-1) + 1
    texts = _Texts(model)
    found: dict[int, Tensor] = {}
    for length in sorted(set(lengths.tolist())):
        short = {
            f"{prefix}positional_embedding": positions[:length],
            f"{prefix}attn_mask": mask[:length, :length],
        }
        alike = (lengths == length).nonzero()[:, 0]
        vectors = functional_call(texts, short, (tokens[alike, :length],))
        found.update(zip(alike.tolist(), vectors, strict=True))
    return torch.stack([found[i] for i in range(len(tokens))])


def _is_causal(mask: Tensor | None) -> bool:
    if mask is None:
        return False
    above = torch.ones_like(mask, dtype=torch.bool).triu(1)
    return bool((mask[above] == -torch.inf).all())
