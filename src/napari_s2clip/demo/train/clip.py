"""Train the demo CLIP from image-level contrast alone.

A batch holds crops of scenes and a list of captions. The only supervision is whether a
caption is true of a whole crop; where in the crop the thing lies is never told. True
pairs are contrasted with the false captions of the crop and with the crops of which the
caption is false, as in CLIP (Radford et al. 2021), for several true captions a crop.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..architectures import CLIP_CONFIG, build_clip
from ..scenes import DIFFICULTIES
from ..vocabulary import COLOURS, SEEN_OBJECTS, SHAPES, TEXTURES
from .common import (
    Crop,
    Recipe,
    batch_tensor,
    crop_scene,
    fit,
    random_scene,
    start_from,
)

__all__ = ["RECIPE", "train"]

RECIPE = Recipe(steps=1900, batch=128, learning_rate=1.2e-3, weight_decay=0.05)

SCENE_SIZE = 160
CROPS_PER_SCENE = 4
SIDE, LAST_SIDE, LAST_PART = 64, 96, 0.1
"""Crop side in pixels, and the one of the last part of the training."""
EASY_PART = 0.3
"""Share of the training, at its start, that sees easy scenes only: shapes are learnt
much later than colours, and hardly at all from crowded pictures."""
SHARE, AIMED = (0.25, 0.8), 0.75
"""Crop side as a fraction of the scene; how often a crop is put around an object."""


WORDS: tuple[str, ...] = (*SEEN_OBJECTS, *TEXTURES, *COLOURS, *SHAPES)
"""Captions of every batch; those of two things are added to them."""


def _groups() -> tuple[slice, ...]:
    ends = np.cumsum([len(SEEN_OBJECTS), len(TEXTURES), len(COLOURS), len(SHAPES)])
    return tuple(slice(int(a), int(b)) for a, b in pairwise([0, *ends]))


GROUPS = _groups()
"""Objects, textures, colours and shapes among the captions: words of one kind compete
among themselves too, or the easy kind (colour) would be all that is learnt."""


def _true_of(caption: str, names: tuple[str, ...]) -> bool:
    """Whether an object, a texture, a colour word or a shape word is in the crop."""
    return any(caption == name or caption in name.split() for name in names)


def _captions(
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
    return texts, truth, possible & ~truth


def _contrast(logits: Tensor, truth: Tensor, unsure: Tensor, axis: int) -> Tensor:
    """Cross-entropy of each true pair against the false ones along ``axis``.

    With one true caption a crop this is the loss of CLIP (Radford et al. 2021); with
    several, each competes with the false ones only. Unsure pairs take no part.
    """
    false = logits.masked_fill(truth | unsure, -1e4).logsumexp(axis, keepdim=True)
    each = F.softplus(false - logits) * truth
    return each.sum() / truth.sum().clamp(min=1)


def _crowding(text: Tensor, limit: float = 0.7) -> Tensor:
    """How much unit vectors (P, d) of different captions exceed a cosine of ``limit``.

    Without it both towers can agree to ignore the shapes: as long as one of them does,
    the other has nothing to gain by telling them apart.
    """
    cosine = text @ text.T
    # The diagonal is a caption's likeness to itself.
    excess = F.relu(cosine - limit - torch.eye(len(text)))
    return excess.square().sum() / len(text)


def _accuracy(logits: Tensor, truth: Tensor) -> dict[str, float]:
    """Share of crops whose best word of a kind is true, where one is."""
    figures = {}
    for name, part in zip(
        ("object", "texture", "colour", "shape"), GROUPS, strict=True
    ):
        has = truth[:, part].any(1)
        hit = truth[:, part].gather(1, logits[:, part].argmax(1, keepdim=True))
        figures[name] = float(hit[has].float().mean())
    return figures


def train(out: Path, recipe: Recipe = RECIPE, start: Path | None = None) -> None:
    """Train; write ``clip.safetensors`` to ``out``; go on from ``start`` if given."""
    import open_clip
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    from .export import save_clip

    torch.manual_seed(recipe.seed)
    model = build_clip().train()
    start_from(model, start, "clip.safetensors")
    tokenizer = open_clip.SimpleTokenizer(
        context_length=CLIP_CONFIG["text_cfg"]["context_length"]
    )
    scale = torch.nn.Parameter(torch.tensor(np.log(10.0), dtype=torch.float32))
    parameters = [p for p in model.parameters() if p is not model.logit_scale]
    grid = CLIP_CONFIG["vision_cfg"]["image_size"] // 8

    def encode(pixels: Tensor) -> Tensor:
        side = pixels.shape[-1] // 8
        embedding = model.visual.positional_embedding
        patches = embedding[1:].T.reshape(1, -1, grid, grid)
        if side != grid:
            patches = F.interpolate(
                patches, (side, side), mode="bicubic", align_corners=False
            )
        resized = torch.cat([embedding[:1], patches.flatten(2)[0].T])
        vectors: Tensor = torch.func.functional_call(
            model.visual, {"positional_embedding": resized}, (pixels,)
        )
        return vectors

    def step_loss(
        rng: np.random.Generator, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        late = step >= (1 - LAST_PART) * recipe.steps
        side = LAST_SIDE if late else SIDE
        levels = ("easy",) if step < EASY_PART * recipe.steps else tuple(DIFFICULTIES)
        crops = [
            crop_scene(scene, side, rng, SHARE, AIMED)
            for scene in (
                random_scene(SCENE_SIZE, rng, levels)
                for _ in range(recipe.batch // CROPS_PER_SCENE)
            )
            for _ in range(CROPS_PER_SCENE)
        ]
        pixels = batch_tensor(
            [c.image for c in crops], OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
        )
        texts, truth, unsure = _captions(crops, rng)
        # Plain attention is a third faster than the fused kernel for so few tokens.
        with (
            torch.autocast("cpu", dtype=torch.bfloat16),
            sdpa_kernel(SDPBackend.MATH),
        ):
            image = encode(pixels)
            text = model.encode_text(tokenizer(texts))
        words = F.normalize(text.float(), dim=-1)
        cosine = F.normalize(image.float(), dim=-1) @ words.T
        logits = scale.exp().clamp(max=60) * cosine
        loss = sum(
            (
                _contrast(logits[:, part], truth[:, part], unsure[:, part], 1)
                for part in GROUPS
            ),
            start=_contrast(logits, truth, unsure, 1)
            + _contrast(logits, truth, unsure, 0)
            + 5 * _crowding(words[: len(WORDS)]),
        )
        return loss, _accuracy(logits.detach(), truth)

    def checkpoint(folder: Path) -> None:
        model.logit_scale.data.copy_(scale.detach())
        save_clip(model, folder)

    fit("clip", recipe, [*parameters, scale], step_loss, checkpoint, out)
