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
from .crops import AIM, Crop, batch_tensor, crop_scene, plain_scene, random_scene
from .fitting import Recipe, fit, log, start_from, whiten

__all__ = ["RECIPE", "train"]

RECIPE = Recipe(steps=8000, batch=64, learning_rate=1.5e-3, weight_decay=0.05)

SCENE_SIZE = 160
CROPS_PER_SCENE = 4
SIDE, LAST_SIDE, LAST_PART = 64, 96, 0.1
"""Crop side in pixels, and the one of the last part of the training."""
FIRST_PART, EASY_PART = 0.16, 0.3
"""Where two lessons end. The first shows single objects on one colour and asks for the
shape alone; the second shows whole objects of easy scenes. Shapes are learnt much later
than colours, and hardly at all beside them or from crowded pictures."""
SHARE, AIMED = (0.25, 0.8), 0.75
"""Crop side as a fraction of the scene; how often a crop is put around an object."""
WORD_STEPS = 300
"""Of the text tower alone, before the first lesson."""
TEXT_RATE = 0.1
"""Learning rate of the text tower as a share of the image tower's, later on."""
FIRST_SIZE, FIRST_AIM = 96, (1.1, 1.9)
"""Scene side in pixels and closeness of crops in the first lesson."""
EASY_AIMED, EASY_AIM = 0.9, (1.0, 2.2)
"""How often a crop is put around an object, and how close, in the second."""


WORDS: tuple[str, ...] = (*SEEN_OBJECTS, *TEXTURES, *COLOURS, *SHAPES)
"""Captions of every batch; those of two things are added to them."""


def _groups() -> tuple[slice, ...]:
    ends = np.cumsum([len(SEEN_OBJECTS), len(TEXTURES), len(COLOURS), len(SHAPES)])
    return tuple(slice(int(a), int(b)) for a, b in pairwise([0, *ends]))


GROUPS = _groups()
"""Objects, textures, colours and shapes among the captions: words of one kind compete
among themselves too, or the easy kind (colour) would be all that is learnt."""
WEIGHTS = (2.0, 1.0, 1.0, 2.0)
"""Of the groups: shapes are the hardest to learn."""


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
    # Seen from too near, an object has no shape and yet is an object, not a ground: its
    # caption is true of the crop, as it would be of a photograph.
    for row, crop in enumerate(crops):
        for name in crop.parts:
            truth[row, WORDS.index(name)] = True
    return texts, truth, possible & ~truth


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
    side = LAST_SIDE if part >= 1 - LAST_PART else SIDE
    drawn = (
        random_scene(SCENE_SIZE, rng, levels) for _ in range(count // CROPS_PER_SCENE)
    )
    return [
        crop_scene(scene, side, rng, SHARE, aimed, aim)
        for scene in drawn
        for _ in range(CROPS_PER_SCENE)
    ]


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


def _spread(views: Tensor) -> Tensor:
    """Contrast (2, P, d) unit vectors of captions: two templates of a word are alike.

    InfoNCE (van den Oord et al. 2018, Eq. 4) at a temperature of 0.1.
    """
    cosine = views[0] @ views[1].T * 10
    return F.cross_entropy(cosine, torch.arange(len(cosine)))


def _accuracy(logits: Tensor, truth: Tensor) -> dict[str, float]:
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
        loss = _spread(views) + (1 - alike).mean()
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
    scale = torch.nn.Parameter(torch.tensor(np.log(10.0), dtype=torch.float32))
    named = [(n, p) for n, p in model.named_parameters() if n != "logit_scale"]
    grid = CLIP_CONFIG["vision_cfg"]["image_size"] // 8

    def encode(pixels: Tensor, rng: np.random.Generator | None) -> Tensor:
        # A crop lies anywhere in the grid: patches keep the distances of whole windows.
        side = pixels.shape[-1] // 8
        top = left = (grid - side) // 2
        if rng is not None:
            top, left = rng.integers(0, grid - side + 1, 2)
        embedding = model.visual.positional_embedding
        table = embedding[1:].view(grid, grid, -1)[top : top + side, left : left + side]
        placed = torch.cat([embedding[:1], table.flatten(0, 1)])
        vectors: Tensor = torch.func.functional_call(
            model.visual, {"positional_embedding": placed}, (pixels,)
        )
        return vectors

    def batch(rng: np.random.Generator, step: int) -> tuple[list[Crop], Tensor]:
        crops = _crops(rng, step / recipe.steps, recipe.batch)
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
        first = step < FIRST_PART * recipe.steps
        crops, pixels = batch(rng, step)
        texts, truth, unsure = _captions(crops, rng)
        # Plain attention is a third faster than the fused kernel for so few tokens.
        with (
            torch.autocast("cpu", dtype=torch.bfloat16),
            sdpa_kernel(SDPBackend.MATH),
        ):
            image = encode(pixels, None if first else rng)
            with torch.set_grad_enabled(not first):
                text = words(texts)
        cosine = F.normalize(image.float(), dim=-1) @ text.T
        logits = scale.exp().clamp(max=60) * cosine
        groups = [
            _contrast(logits[:, part], truth[:, part], unsure[:, part], 1)
            for part in GROUPS
        ]
        if first:
            loss = groups[-1]
        else:
            loss = (
                sum(w * group for w, group in zip(WEIGHTS, groups, strict=True))
                + _contrast(logits, truth, unsure, 1)
                + _contrast(logits, truth, unsure, 0)
                + 5 * _crowding(text[: len(WORDS)])
            )
        return loss, _accuracy(logits.detach(), truth)

    def checkpoint(folder: Path) -> None:
        model.logit_scale.data.copy_(scale.detach())
        save_clip(model, folder)

    def rate(name: str) -> float:
        return 1.0 if name.startswith(("visual.", "scale")) else TEXT_RATE

    named.append(("scale", scale))
    fit("clip", recipe, named, step_loss, checkpoint, out, rate=rate)
