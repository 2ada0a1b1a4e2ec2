"""Train the demo SAM: boxes and points from coarse maps, masks from the scenes.

The prompts are made the way the pipeline makes them: the true label map is reduced to
a coarse grid and blurred back, its connected regions give the boxes and the points.
The loss is that of SAM (Kirillov et al. 2023, appendix A), with cross-entropy for the
focal term because these masks are neither small nor rare, on soft targets at the
decoder's own resolution.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..._opencv import cv2
from ..architectures import SAM_CONFIG, build_sam
from .crops import random_scene
from .fitting import Recipe, fit, start_from, whiten

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

    from ..scenes import Scene

__all__ = ["RECIPE", "train"]

RECIPE = Recipe(steps=3400, batch=6, learning_rate=8e-4, weight_decay=0.01)

SIDE: int = SAM_CONFIG["image_size"]
HALF = SIDE // 2
SCENE_SIZES = (192, 256, 256, 320)
PROMPTS = 6
"""Prompts for each image."""

Mask = NDArray[np.uint8]
Region = tuple[NDArray[np.float32], NDArray[np.float32], Mask]
"""Box, point (pixels of the model's input) and true mask."""
Sample = tuple[NDArray[np.uint8], list[Region]]
"""An image and regions of its coarse map."""


def coarse_labels(labels: NDArray[np.uint16], rng: np.random.Generator) -> Tensor:
    """Class scores (C, HALF, HALF) of a label map seen through a coarse, noisy grid."""
    classes = int(labels.max())
    grid = int(rng.integers(12, 30))
    noise = rng.uniform(0, 0.12)
    planes = [
        cv2.resize(
            cv2.resize(
                (labels == c).astype(np.float32),
                (grid, grid),
                interpolation=cv2.INTER_AREA,
            )
            + noise * rng.standard_normal((grid, grid), dtype=np.float32),
            (HALF, HALF),
            interpolation=cv2.INTER_LINEAR,
        )
        for c in range(1, classes + 1)
    ]
    return torch.from_numpy(np.stack(planes))


def _regions(
    scene: Scene, labels: NDArray[np.uint16], rng: np.random.Generator
) -> list[Region]:
    """Regions of a coarse map made from the true one, with the masks they mean."""
    scores = coarse_labels(labels, rng).numpy()
    winner = scores.argmax(0)
    found = []
    for c in range(len(scores)):
        if not (winner == c).any():
            continue
        truth = (labels == c + 1).astype(np.uint8)
        parts, part_map = cv2.connectedComponents(truth, connectivity=8)
        small = part_map[::2, ::2]
        count, regions, stats, _ = cv2.connectedComponentsWithStats(
            (winner == c).astype(np.uint8), connectivity=8
        )
        for r in range(1, count):
            x, y, w, h, area = stats[r]
            if area < 40:
                continue
            inside = regions == r
            votes = np.bincount(small[inside], minlength=parts)[1:]
            if not len(votes) or votes.max() < 0.4 * area:
                continue
            target = (part_map == votes.argmax() + 1).astype(np.uint8)
            # A ground cut in two by an object is one region only if its parts touch.
            extra = [p + 1 for p in range(len(votes)) if votes[p] > 0.1 * area]
            for p in extra:
                target |= (part_map == p).astype(np.uint8)
            at = np.argmax(np.where(inside, scores[c], -np.inf))
            point = 2 * np.array([at % HALF + 0.5, at // HALF + 0.5], np.float32)
            jitter = rng.normal(0, 0.03, 4) * [w, h, w, h]
            box = (2 * (np.array([x, y, x + w, y + h]) + jitter)).astype(np.float32)
            found.append((box, point, target))
    return found


def _sample(rng: np.random.Generator) -> Sample:
    while True:
        scene = random_scene(int(rng.choice(SCENE_SIZES)), rng)
        image = cv2.resize(scene.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        small = cv2.resize(
            scene.labels, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT
        )
        labels = np.asarray(small, np.uint16)
        found = _regions(scene, labels, rng)
        if found:
            picks = rng.permutation(len(found))[:PROMPTS]
            return np.asarray(image, np.uint8), [found[i] for i in picks]


def _decode(
    model: Sam,
    embedding: Tensor,
    regions: list[Region],
    target: Tensor,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Mask logits (P, 1, h, w) and predicted IoU (P, 1) for one image's prompts."""
    kind = rng.choice(["both", "box", "point"], p=[0.75, 0.15, 0.1])
    points = boxes = masks = None
    if kind != "box":
        at = torch.from_numpy(np.stack([r[1] for r in regions]))[:, None]
        points = (at, torch.ones(len(regions), 1))
    if kind != "point":
        boxes = torch.from_numpy(np.stack([r[0] for r in regions]))
    if rng.random() < 0.15:
        side = model.prompt_encoder.mask_input_size
        rough = F.adaptive_avg_pool2d(target, (int(rng.integers(10, 24)),) * 2)
        rough = F.interpolate(rough, side, mode="bilinear")
        masks = (rough - 0.5) * rng.uniform(4, 14) + 0.5 * torch.randn_like(rough)
    sparse, dense = model.prompt_encoder(points=points, boxes=boxes, masks=masks)
    logits, iou = model.mask_decoder(
        image_embeddings=embedding,
        image_pe=model.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    return logits, iou


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy as a mean over four times the area of each mask (P, 1, h, w).

    A mean over the image would leave the outlines of small objects unpolished.
    """
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    area = (4 * target.sum((-1, -2))).clamp(min=256, max=target[0].numel())
    return (each.sum((-1, -2)) / area).mean()


def train(out: Path, recipe: Recipe = RECIPE, start: Path | None = None) -> None:
    """Train; write ``sam.safetensors`` to ``out``; go on from ``start`` if given."""
    from .export import save_model

    torch.manual_seed(recipe.seed)
    model = build_sam().train()
    start_from(model, start, "sam.safetensors")

    def prepare(samples: list[Sample]) -> Tensor:
        images = [torch.from_numpy(image).permute(2, 0, 1) for image, _ in samples]
        return torch.stack([model.preprocess(image.float()) for image in images])

    if start is None:
        rng = np.random.default_rng(recipe.seed)
        whiten(
            model.image_encoder.patch_embed.proj,
            prepare([_sample(rng) for _ in range(16)]),
        )

    def step_loss(
        rng: np.random.Generator, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        samples = [_sample(rng) for _ in range(recipe.batch)]
        pixels = prepare(samples)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embeddings = model.image_encoder(pixels)
        losses, overlaps = [], []
        for embedding, (_, regions) in zip(embeddings, samples, strict=True):
            full = torch.from_numpy(np.stack([r[2] for r in regions])).float()[:, None]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits, iou = _decode(model, embedding[None], regions, full, rng)
            logits, iou = logits.float(), iou.float()
            target = F.interpolate(full, logits.shape[-2:], mode="area")
            cross = _cross_entropy(logits, target)
            p = logits.sigmoid()
            dice = 1 - (2 * (p * target).sum((-1, -2)) + 1) / (
                (p + target).sum((-1, -2)) + 1
            )
            with torch.no_grad():
                guess, true = logits > 0, target > 0.5
                real = (guess & true).sum((-1, -2)) / (guess | true).sum(
                    (-1, -2)
                ).clamp(min=1)
            losses.append(4 * cross + dice.mean() + F.mse_loss(iou, real))
            overlaps.append(real.mean())
        return torch.stack(losses).mean(), {"iou": float(torch.stack(overlaps).mean())}

    def checkpoint(folder: Path) -> None:
        save_model(model, folder / "sam.safetensors")

    fit("sam", recipe, model.named_parameters(), step_loss, checkpoint, out)
