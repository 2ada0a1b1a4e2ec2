"""Train the demo CLIP from image-level contrast alone.

A batch holds crops of scenes and a list of captions. The only supervision is whether a
caption is true of a whole crop; where in the crop the thing lies is never told. The
loss is the pairwise sigmoid loss of SigLIP (Zhai et al. 2023, Eq. 1), positives and
negatives weighted to the same sum because most captions are false of most crops.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..architectures import CLIP_CONFIG, build_clip
from ..vocabulary import COLOURS, SEEN_OBJECTS, SHAPES, TEXTURES
from .common import Recipe, batch_tensor, crop_scene, fit, random_scene

__all__ = ["RECIPE", "train"]

RECIPE = Recipe(steps=2300, batch=128, learning_rate=1.2e-3, weight_decay=0.05)

SCENE_SIZE = 192
CROPS_PER_SCENE = 8
SIDE, LAST_SIDE, LAST_PART = 64, 96, 0.2
"""Crop side in pixels, and the one of the last part of the training."""
SHARE, LAST_SHARE = (0.25, 0.6), (0.3, 0.8)
"""Crop side as a fraction of the scene; objects must be some patches wide to have a
shape at all."""

CONCEPTS = (
    *((name,) for name in SEEN_OBJECTS),
    *((name,) for name in TEXTURES),
)
"""Captions of one thing; colour words and shape words alone are added to them."""


def _true_of(caption: str, names: tuple[str, ...]) -> bool:
    """Whether an object, a texture, a colour word or a shape word is in the crop."""
    return any(caption == name or caption in name.split() for name in names)


def _captions(
    crops: list[tuple[str, ...]], rng: np.random.Generator
) -> tuple[list[str], Tensor]:
    """Captions for a batch and the truth table (crops, captions)."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    single = [*SEEN_OBJECTS, *TEXTURES, *COLOURS, *SHAPES]
    parts: list[tuple[str, ...]] = [(name,) for name in single]
    for names in crops[::2]:
        if len(names) >= 2:
            chosen = rng.choice(names, 2, replace=False)
            parts.append(tuple(str(n) for n in chosen))
    templates = rng.integers(0, len(OPENAI_IMAGENET_TEMPLATES), len(parts))
    bare = rng.random(len(parts)) < 0.2
    texts = [
        " and a ".join(p) if plain else OPENAI_IMAGENET_TEMPLATES[t](" and a ".join(p))
        for p, t, plain in zip(parts, templates, bare, strict=True)
    ]
    truth = torch.tensor(
        [[all(_true_of(w, names) for w in p) for p in parts] for names in crops]
    )
    return texts, truth


def train(out: Path, recipe: Recipe = RECIPE) -> None:
    """Train and write ``clip.safetensors`` to the folder ``out``."""
    import open_clip
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    from .export import save_clip

    torch.manual_seed(recipe.seed)
    model = build_clip().train()
    tokenizer = open_clip.SimpleTokenizer(
        context_length=CLIP_CONFIG["text_cfg"]["context_length"]
    )
    scale = torch.nn.Parameter(torch.tensor(np.log(10.0), dtype=torch.float32))
    bias = torch.nn.Parameter(torch.tensor(-4.0))
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
        early = step < (1 - LAST_PART) * recipe.steps
        side, share = (SIDE, SHARE) if early else (LAST_SIDE, LAST_SHARE)
        crops = [
            crop_scene(scene, side, rng, share)
            for scene in (
                random_scene(SCENE_SIZE, rng)
                for _ in range(recipe.batch // CROPS_PER_SCENE)
            )
            for _ in range(CROPS_PER_SCENE)
        ]
        pixels = batch_tensor(
            [c[0] for c in crops], OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
        )
        texts, truth = _captions([c[1] for c in crops], rng)
        # Plain attention is a third faster than the fused kernel for so few tokens.
        with (
            torch.autocast("cpu", dtype=torch.bfloat16),
            sdpa_kernel(SDPBackend.MATH),
        ):
            image = encode(pixels)
            text = model.encode_text(tokenizer(texts))
        cosine = (
            F.normalize(image.float(), dim=-1) @ F.normalize(text.float(), dim=-1).T
        )
        logits = scale.exp().clamp(max=60) * cosine + bias
        target = truth.float()
        each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        positive = (each * target).sum() / target.sum().clamp(min=1)
        negative = (each * (1 - target)).sum() / (1 - target).sum().clamp(min=1)
        # The hardest false captions decide which word wins at a pixel.
        hard = torch.logsumexp(logits.masked_fill(truth, -1e4), 1, keepdim=True)
        rank = (F.softplus(hard - logits) * target).sum() / target.sum().clamp(min=1)
        with torch.no_grad():
            best = logits[:, : len(SEEN_OBJECTS)].argmax(1)
            hit = truth[torch.arange(len(crops)), best]
            has = truth[:, : len(SEEN_OBJECTS)].any(1)
            top = float(hit[has].float().mean())
        return positive + negative + rank, {"object_top1": top}

    def checkpoint(folder: Path) -> None:
        model.logit_scale.data.copy_(scale.detach())
        save_clip(model, folder)

    fit("clip", recipe, [*parameters, scale, bias], step_loss, checkpoint, out)
