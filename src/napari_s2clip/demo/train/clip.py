"""Train the demo CLIP from image-level contrast alone.

A batch holds crops of scenes and a list of captions. The only supervision is whether a
caption is true of a whole crop; where in the crop the thing lies is never told. True
pairs are contrasted with the false captions of the crop and with the crops of which the
caption is false, as in CLIP (Radford et al. 2021), for several true captions a crop.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...features.attention import (
    cosine_similarity,
    self_self_attention,
    similarity_attention,
)
from ...features.levels import choose_mid_layer
from ...models.clip import BlockParts
from ..architectures import CLIP_CONFIG, build_clip
from ..scenes import DIFFICULTIES
from ..vocabulary import SEEN_OBJECTS
from .captions import GROUPS, PARTITIONS, WORDS, accuracy, captions
from .contrast import contrast, crowding, pool, share, spread
from .crops import AIM, Crop, batch_tensor, crop_scene, plain_scene, random_scene
from .fitting import Recipe, fit, log, start_from, whiten

__all__ = ["RECIPE", "train"]

RECIPE = Recipe(steps=8000, batch=64, learning_rate=1.5e-3, weight_decay=0.05)

SCENE_SIZE = 160
CROPS_PER_SCENE = 4
SIDE: int = CLIP_CONFIG["vision_cfg"]["image_size"]
FIRST_PART, EASY_PART = 0.16, 0.3
"""Where two lessons end. The first shows single objects on one colour and asks for the
shape alone; the second shows whole objects of easy scenes. Shapes are learnt much later
than colours, and hardly at all beside them or from crowded pictures."""
SHARE, AIMED = (0.15, 0.8), 0.75
"""Crop side as a fraction of the scene; how often a crop is put around an object."""
WORD_STEPS = 300
"""Of the text tower alone, before the first lesson."""
TEXT_RATE = 0.1
"""Learning rate of the text tower as a share of the image tower's, later on."""
FIRST_SIZE, FIRST_AIM = 96, (1.1, 1.9)
"""Scene side in pixels and closeness of crops in the first lesson."""
EASY_AIMED, EASY_AIM = 0.9, (1.0, 2.2)
"""How often a crop is put around an object, and how close, in the second."""


WEIGHTS = (2.0, 1.0, 1.0, 2.0)
"""Of the groups: shapes are the hardest to learn."""


def _crops(rng: np.random.Generator, part: float, count: int) -> list[Crop]:
    """Crops as they are shown when ``part`` (0 to 1) of the training is over."""
    if part < FIRST_PART:
        drawn = (plain_scene(FIRST_SIZE, rng) for _ in range(count // 2))
        return [
            crop_scene(scene, SIDE, rng, aimed=1, aim=FIRST_AIM)
            for scene in drawn
            for _ in range(2)
        ]
    easy = part < EASY_PART
    levels = ("easy",) if easy else tuple(DIFFICULTIES)
    aimed, aim = (EASY_AIMED, EASY_AIM) if easy else (AIMED, AIM)
    drawn = (
        random_scene(SCENE_SIZE, rng, levels) for _ in range(count // CROPS_PER_SCENE)
    )
    return [
        crop_scene(scene, SIDE, rng, SHARE, aimed, aim)
        for scene in drawn
        for _ in range(CROPS_PER_SCENE)
    ]


def _objective(logits: Tensor, truth: Tensor, unsure: Tensor) -> Tensor:
    """Contrast within each kind of words, of all words and of all crops."""
    loss = contrast(logits, truth, unsure, 1) + contrast(logits, truth, unsure, 0)
    for weight, part in zip(WEIGHTS, GROUPS, strict=True):
        columns = np.s_[:, part]
        loss = loss + weight * contrast(
            logits[columns], truth[columns], unsure[columns], 1
        )
    return loss


def _learn_words(
    model: torch.nn.Module,
    words: Callable[[list[str]], Tensor],
    rng: np.random.Generator,
) -> None:
    """Train the text tower alone: words differ, templates do not, two words add up.

    Images that follow captions which are still moving stay at chance; in the first
    lesson the captions therefore stand still, and must differ before.
    """
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    tower = [p for n, p in model.named_parameters() if not n.startswith("visual.")]
    optimiser = torch.optim.AdamW(tower, lr=1e-3, weight_decay=0.05)
    single = [word for part in GROUPS[1:] for word in WORDS[part]]
    parts = torch.tensor([[single.index(w) for w in o.split()] for o in SEEN_OBJECTS])
    told = [*single, *single, *SEEN_OBJECTS]
    for _ in range(WORD_STEPS):
        templates = rng.integers(0, len(OPENAI_IMAGENET_TEMPLATES), len(told))
        vectors = words(
            [
                OPENAI_IMAGENET_TEMPLATES[t](w)
                for t, w in zip(templates, told, strict=True)
            ]
        )
        views = vectors[: 2 * len(single)].view(2, len(single), -1)
        sums = F.normalize(views.mean(0)[parts].sum(1), dim=-1)
        alike = (vectors[2 * len(single) :] * sums.detach()).sum(-1)
        loss = spread(views) + (1 - alike).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    log.info("words learnt: loss %.3f", float(loss.detach()))


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
    if start is None:
        model.logit_scale.data.fill_(np.log(10))
    scale = torch.nn.Parameter(model.logit_scale.detach().clone())
    named = [(n, p) for n, p in model.named_parameters() if n != "logit_scale"]
    blocks = model.visual.transformer.resblocks
    last = BlockParts(blocks[-1])
    middle = choose_mid_layer(len(blocks))
    inputs: dict[int, Tensor] = {}
    for number in {middle + 1, len(blocks) - 1}:
        blocks[number].register_forward_pre_hook(
            lambda _, given, number=number: inputs.update({number: given[0][:, 1:]})
        )

    def encode(pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of the crops (B, d) and of their patches as S2CLIP reads them."""
        vectors = model.encode_image(pixels).float()
        q, k, v = last.qkv(inputs[len(blocks) - 1])
        shared = similarity_attention(cosine_similarity(inputs[middle + 1].float()))
        attention = (self_self_attention(q, k, last.scale) + shared[:, None]) / 2
        values = last.attend(attention.to(v.dtype), v)
        local = model.visual.ln_post(values) @ model.visual.proj
        return F.normalize(vectors, dim=-1), F.normalize(local.float(), dim=-1)

    def batch(rng: np.random.Generator, step: int) -> tuple[list[Crop], Tensor]:
        part = step / recipe.steps
        if start is not None:
            part = max(part, EASY_PART)
        crops = _crops(rng, part, recipe.batch)
        return crops, batch_tensor(
            [c.image for c in crops], OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
        )

    def words(texts: list[str]) -> Tensor:
        return F.normalize(model.encode_text(tokenizer(texts)).float(), dim=-1)

    if start is None:
        _learn_words(model, words, np.random.default_rng(recipe.seed))
        sample = [
            batch(np.random.default_rng((recipe.seed, i)), recipe.steps // 2)[1]
            for i in range(4)
        ]
        whiten(model.visual.conv1, torch.cat(sample))

    def step_loss(
        rng: np.random.Generator, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        first = start is None and step < FIRST_PART * recipe.steps
        crops, pixels = batch(rng, step)
        texts, truth, unsure = captions(crops, rng)
        # Plain attention is a third faster than the fused kernel for so few tokens.
        with (
            torch.autocast("cpu", dtype=torch.bfloat16),
            sdpa_kernel(SDPBackend.MATH),
        ):
            image, patches = encode(pixels)
            with torch.set_grad_enabled(not first):
                text = words(texts)
        heat = scale.exp().clamp(max=60)
        logits = heat * image @ text.T
        if first:
            shapes = GROUPS[-1]
            loss = contrast(logits[:, shapes], truth[:, shapes], unsure[:, shapes], 1)
        else:
            single = np.s_[:, : len(WORDS)]
            likeness = patches @ text[: len(WORDS)].T
            pooled = heat * pool(likeness)
            loss = (
                _objective(logits, truth, unsure)
                + _objective(pooled, truth[single], unsure[single])
                + sum(
                    share(heat * likeness[..., part], truth[:, part], unsure[:, part])
                    for part in PARTITIONS
                )
                + 5 * crowding(text[: len(WORDS)])
            )
        figures = accuracy(logits.detach(), truth)
        if not first:
            of_patches = accuracy(pooled.detach(), truth[single])
            figures |= {f"patch {name}": v for name, v in of_patches.items()}
        return loss, figures

    def checkpoint(folder: Path) -> None:
        model.logit_scale.data.copy_(scale.detach())
        save_clip(model, folder)

    def rate(name: str) -> float:
        return 1.0 if name.startswith(("visual.", "scale")) else TEXT_RATE

    named.append(("scale", scale))
    fit("clip", recipe, named, step_loss, checkpoint, out, rate=rate)
