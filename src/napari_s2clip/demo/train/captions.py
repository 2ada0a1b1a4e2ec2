"""Captions of a batch of crops, and of which crops they are true."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..vocabulary import COLOURS, SEEN_OBJECTS, SHAPES, TEXTURES

if TYPE_CHECKING:
    from .crops import Crop

__all__ = ["GROUPS", "PARTITIONS", "WORDS", "accuracy", "captions"]

WORDS: tuple[str, ...] = (*SEEN_OBJECTS, *TEXTURES, *COLOURS, *SHAPES)
"""Captions of every batch; those of two things are added to them."""


def _groups() -> tuple[slice, ...]:
    ends = np.cumsum([len(SEEN_OBJECTS), len(TEXTURES), len(COLOURS), len(SHAPES)])
    return tuple(slice(int(a), int(b)) for a, b in pairwise([0, *ends]))


GROUPS = _groups()
"""Objects, textures, colours and shapes among the captions: words of one kind compete
among themselves too, or the easy kind (colour) would be all that is learnt."""
PARTITIONS: tuple[list[int], ...] = tuple(
    [*range(*kind.indices(len(WORDS))), *range(*GROUPS[1].indices(len(WORDS)))]
    for kind in (GROUPS[0], GROUPS[2], GROUPS[3])
)
"""Objects, colours or shapes, each with the textures: a patch shows one word of each.
Colours and shapes by themselves, so that pairs of them which are new are found too."""


def _true_of(caption: str, names: tuple[str, ...]) -> bool:
    """Whether an object, a texture, a colour word or a shape word is in the crop."""
    return any(caption == name or caption in name.split() for name in names)


def captions(
    crops: list[Crop], rng: np.random.Generator
) -> tuple[list[str], Tensor, Tensor]:
    """Captions for a batch, and which are true and which unsure: (crops, captions)."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    parts: list[tuple[str, ...]] = [(word,) for word in WORDS]
    for crop in crops[::2]:
        if len(crop.names) >= 2:
            chosen = rng.choice(crop.names, 2, replace=False)
            parts.append(tuple(str(n) for n in chosen))
    templates = rng.integers(0, len(OPENAI_IMAGENET_TEMPLATES), len(parts))
    bare = rng.random(len(parts)) < 0.2
    texts = [
        " and a ".join(p) if plain else OPENAI_IMAGENET_TEMPLATES[t](" and a ".join(p))
        for p, t, plain in zip(parts, templates, bare, strict=True)
    ]

    def table(known: Callable[[Crop], tuple[str, ...]]) -> Tensor:
        return torch.tensor(
            [[all(_true_of(w, known(c)) for w in p) for p in parts] for c in crops]
        )

    truth = table(lambda crop: (*crop.names, *crop.colours))
    possible = table(lambda crop: (*crop.names, *crop.colours, *crop.unsure))
    # Seen from too near, an object has no shape and yet is an object, not a ground: its
    # caption is true of the crop, as it would be of a photograph.
    for row, crop in enumerate(crops):
        for name in crop.parts:
            truth[row, WORDS.index(name)] = True
    return texts, truth, possible & ~truth


def accuracy(logits: Tensor, truth: Tensor) -> dict[str, float]:
    """Share of crops whose best word of a kind is true, where one is."""
    figures = {}
    for name, part in zip(
        ("object", "texture", "colour", "shape"), GROUPS, strict=True
    ):
        has = truth[:, part].any(1)
        if not has.any():
            continue
        hit = truth[:, part].gather(1, logits[:, part].argmax(1, keepdim=True))
        figures[name] = float(hit[has].float().mean())
    return figures
