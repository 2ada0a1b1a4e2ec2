"""What the three recipes share: schedule, augmentation, logging, saving."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..._opencv import cv2
from ..scenes import DIFFICULTIES, Scene, draw_scene
from ..vocabulary import SEEN_OBJECTS, TEXTURES

__all__ = [
    "AIM",
    "Crop",
    "Recipe",
    "batch_tensor",
    "crop_scene",
    "fit",
    "log",
    "plain_scene",
    "random_scene",
    "start_from",
    "whiten",
]

log = logging.getLogger("napari_s2clip.demo.train")

Uint8Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train."""

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.05
    warmup: int = 100
    seed: int = 0


def random_scene(
    size: int, rng: np.random.Generator, levels: tuple[str, ...] = tuple(DIFFICULTIES)
) -> Scene:
    """Draw a training scene without any held-out colour-shape pair."""
    level = str(rng.choice(levels))
    return draw_scene(size, rng, difficulty=level, objects=SEEN_OBJECTS)


def plain_scene(size: int, rng: np.random.Generator) -> Scene:
    """Draw one object of a training scene on a ground of one colour of no name."""
    scene = random_scene(size, rng, ("easy",))
    # The last object is the one that no other hides.
    ground = scene.instances != scene.instances.max()
    paint = rng.uniform(40, 220, 3) + rng.normal(0, 4, (int(ground.sum()), 3))
    image, labels = scene.image.copy(), scene.labels.copy()
    instances = scene.instances.copy()
    image[ground] = np.clip(paint, 0, 255).astype(np.uint8)
    labels[ground] = instances[ground] = 0
    return replace(scene, image=image, labels=labels, instances=instances)


AIM = (0.3, 2.5)
"""Side of a crop that is put around an object, as a multiple of the object's extent.
Crops inside an object show its colour and no ground: they teach that the two differ."""


@dataclass(frozen=True)
class Crop:
    """A part of a scene and what can be said of it."""

    image: Uint8Image
    names: tuple[str, ...]
    """Classes that are certainly to be seen."""
    unsure: tuple[str, ...]
    """Classes of which too little is to be seen to say either."""
    colours: tuple[str, ...] = ()
    """Colour words that are true, also of parts of objects."""


def _window(
    scene: Scene,
    rng: np.random.Generator,
    share: tuple[float, float],
    aimed: float,
    aim: tuple[float, float],
) -> tuple[int, int, int]:
    """Choose side, top and left of a square crop; ``aimed``: how often at an object."""
    size = scene.labels.shape[0]
    cut = int(rng.uniform(*share) * size)
    middle = rng.uniform(0, size, 2)
    objects = np.unique(scene.instances)[1:]
    if len(objects) and rng.random() < aimed:
        rows, columns = np.nonzero(scene.instances == rng.choice(objects))
        extent = float(max(np.ptp(rows), np.ptp(columns))) + 1
        cut = int(np.clip(extent * rng.uniform(*aim), 0.1 * size, size))
        spare = abs(cut - extent) / 2
        middle = np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2
        middle += rng.uniform(-spare, spare, 2)
    top, left = np.clip(middle - cut / 2, 0, size - cut).astype(int)
    return cut, int(top), int(left)


def crop_scene(
    scene: Scene,
    side: int,
    rng: np.random.Generator,
    share: tuple[float, float] = (0.3, 1.0),
    aimed: float = 0.0,
    aim: tuple[float, float] = AIM,
) -> Crop:
    """Cut a random square crop, resized to ``side`` px.

    ``share`` bounds the crop's side as a fraction of the scene's; a part ``aimed`` of
    the crops is put around an object and has a side of ``aim`` times its extent. A
    texture is seen
    when it covers a tenth of the crop, and unsure above a hundredth; an object is seen
    when it covers 2 % of the crop and the crop holds half of
    what the scene shows of it, and unsure when less.
    """
    cut, top, left = _window(scene, rng, share, aimed, aim)
    window = np.s_[top : top + cut, left : left + cut]
    classes = len(scene.names) + 1
    whole = np.bincount(scene.labels.ravel(), minlength=classes)[1:]
    inside = np.bincount(scene.labels[window].ravel(), minlength=classes)[1:]
    area = cut * cut
    seen, unsure, colours = [], [], set()
    for name, part, total in zip(scene.names, inside, whole, strict=True):
        ground = name in TEXTURES
        if part >= (0.1 if ground else 0.02) * area and (ground or 2 * part >= total):
            seen.append(name)
        elif part >= (0.01 if ground else 0.002) * area:
            unsure.append(name)
        if not ground and part >= 0.05 * area:
            colours.add(name.split()[0])
    crop = scene.image[window]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    interpolation = cv2.INTER_AREA if side < cut else cv2.INTER_LINEAR
    small = cv2.resize(
        np.ascontiguousarray(crop), (side, side), interpolation=interpolation
    )
    return Crop(
        np.asarray(small, np.uint8), tuple(seen), tuple(unsure), tuple(sorted(colours))
    )


def batch_tensor(
    images: list[Uint8Image],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Tensor:
    """Stack uint8 images to a normalised float batch (B, 3, H, W)."""
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))
    return ((batch - shift) / scale).contiguous()


WHITENING = 0.02
"""Added to the variances of patches, in squared units of the normalised pixel."""


def whiten(stem: torch.nn.Conv2d, pixels: Tensor) -> None:
    """Start a patch embedding as a rotated whitening of patches of ``pixels``.

    A patch is mostly its mean colour; with random filters its edges, a hundredth of the
    variance, are lost behind it and shapes are learnt late. `WHITENING` keeps the noise
    down. The rotation spreads the components over all channels.
    """
    width, side = stem.out_channels, stem.kernel_size[0]
    patches = F.unfold(pixels, side, stride=side).transpose(1, 2)
    patches = patches.reshape(-1, patches.shape[-1])
    variance, vectors = torch.linalg.eigh(patches.T.cov())
    strongest = slice(max(0, len(variance) - width), None)
    scale = (variance[strongest] + WHITENING).rsqrt()
    white = (vectors[:, strongest] * scale).T
    rotation = torch.linalg.qr(torch.randn(width, len(white)))[0]
    with torch.no_grad():
        stem.weight.copy_((rotation @ white).view_as(stem.weight))


def start_from(model: torch.nn.Module, folder: Path | None, file: str) -> None:
    """Fill ``model`` with the weights of an earlier training, if a folder is given."""
    if folder is None:
        return
    from safetensors.torch import load_file

    state = {k: v.float() for k, v in load_file(folder / file).items()}
    model.load_state_dict(state)


def _learning_rate(recipe: Recipe, step: int) -> float:
    warm = min(1.0, (step + 1) / recipe.warmup)
    return (
        recipe.learning_rate
        * warm
        * (0.51 + 0.49 * float(np.cos(np.pi * step / recipe.steps)))
    )


def fit(
    name: str,
    recipe: Recipe,
    parameters: list[torch.nn.Parameter],
    step_loss: Callable[[np.random.Generator, int], tuple[Tensor, dict[str, float]]],
    checkpoint: Callable[[Path], None],
    out: Path,
    after_step: Callable[[int], None] | None = None,
) -> None:
    """Run AdamW with warm-up and a cosine schedule; write a checkpoint now and then."""
    optimiser = torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        betas=(0.9, 0.98),
    )
    rng = np.random.default_rng(recipe.seed)
    started = time.monotonic()
    running: dict[str, float] = {}
    for step in range(recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(recipe, step)
        loss, figures = step_loss(rng, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if after_step is not None:
            after_step(step)
        figures = {"loss": float(loss.detach()), **figures}
        for key, value in figures.items():
            running[key] = 0.95 * running.get(key, value) + 0.05 * value
        if step % 20 == 0 or step + 1 == recipe.steps:
            shown = " ".join(f"{k} {v:.4f}" for k, v in running.items())
            log.info(
                "%s %d/%d %.0fs %s",
                name,
                step,
                recipe.steps,
                time.monotonic() - started,
                shown,
            )
        if step % 100 == 99 or step + 1 == recipe.steps:
            checkpoint(out)
