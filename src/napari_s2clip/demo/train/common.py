"""What the three recipes share: schedule, augmentation, logging, saving."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._opencv import cv2
from ..scenes import DIFFICULTIES, Scene, draw_scene
from ..vocabulary import SEEN_OBJECTS, TEXTURES

__all__ = ["Recipe", "batch_tensor", "crop_scene", "fit", "random_scene"]

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


def random_scene(size: int, rng: np.random.Generator) -> Scene:
    """Draw a training scene: any difficulty, no held-out colour-shape pair."""
    level = str(rng.choice(list(DIFFICULTIES)))
    return draw_scene(size, rng, difficulty=level, objects=SEEN_OBJECTS)


def crop_scene(
    scene: Scene,
    side: int,
    rng: np.random.Generator,
    share: tuple[float, float] = (0.3, 1.0),
) -> tuple[Uint8Image, tuple[str, ...]]:
    """Cut a random square crop, resized to ``side`` px, and the class names seen in it.

    ``share`` bounds the crop's side as a fraction of the scene's.

    A texture counts as seen when it covers a tenth of the crop; an object when it
    covers 2 % and the crop shows a third of what the scene shows of it.
    """
    size = scene.labels.shape[0]
    cut = int(rng.uniform(*share) * size)
    y, x = rng.integers(0, size - cut + 1, 2)
    window = np.s_[y : y + cut, x : x + cut]
    classes = len(scene.names) + 1
    whole = np.bincount(scene.labels.ravel(), minlength=classes)[1:]
    inside = np.bincount(scene.labels[window].ravel(), minlength=classes)[1:]
    ground = np.array([name in TEXTURES for name in scene.names])
    seen = np.where(
        ground,
        inside >= 0.1 * cut * cut,
        (inside >= 0.02 * cut * cut) & (3 * inside >= whole),
    )
    crop = scene.image[window]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    interpolation = cv2.INTER_AREA if side < cut else cv2.INTER_LINEAR
    small = cv2.resize(
        np.ascontiguousarray(crop), (side, side), interpolation=interpolation
    )
    names = tuple(n for n, keep in zip(scene.names, seen, strict=True) if keep)
    return np.asarray(small, np.uint8), names


def batch_tensor(
    images: list[Uint8Image],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Tensor:
    """Stack uint8 images to a normalised float batch (B, 3, H, W)."""
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))
    return ((batch - shift) / scale).contiguous()


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
