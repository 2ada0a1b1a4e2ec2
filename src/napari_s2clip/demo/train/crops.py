"""Training pictures: scenes, crops of them and what can be said of a crop."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._opencv import cv2
from ..scenes import DIFFICULTIES, Scene, draw_scene
from ..vocabulary import SEEN_OBJECTS, TEXTURES

__all__ = [
    "AIM",
    "FILLED",
    "Crop",
    "batch_tensor",
    "crop_scene",
    "plain_scene",
    "random_scene",
]

Uint8Image = NDArray[np.uint8]


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

FILLED = 0.5
"""Share of a crop from which on a part of an object stands for all of it."""


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
    parts: tuple[str, ...] = ()
    """Classes among the unsure ones that fill the crop, as seen from too near."""


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
    texture is seen when it covers a tenth of the crop, and unsure above a hundredth; an
    object is seen when it covers 2 % of the crop and the crop holds half of what the
    scene shows of it, and unsure when less.
    """
    cut, top, left = _window(scene, rng, share, aimed, aim)
    window = np.s_[top : top + cut, left : left + cut]
    classes = len(scene.names) + 1
    whole = np.bincount(scene.labels.ravel(), minlength=classes)[1:]
    inside = np.bincount(scene.labels[window].ravel(), minlength=classes)[1:]
    area = cut * cut
    seen, unsure, colours, parts = [], [], set(), []
    for name, part, total in zip(scene.names, inside, whole, strict=True):
        ground = name in TEXTURES
        if part >= (0.1 if ground else 0.02) * area and (ground or 2 * part >= total):
            seen.append(name)
        elif part >= (0.01 if ground else 0.002) * area:
            unsure.append(name)
            if not ground and part >= FILLED * area:
                parts.append(name)
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
        np.asarray(small, np.uint8),
        tuple(seen),
        tuple(unsure),
        tuple(sorted(colours)),
        tuple(parts),
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
