"""What is compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_s2clip import S2CLIP
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.regions import find_regions, find_regions_reference

from .pairs import Pair

__all__ = ["pairs"]


def _noisy_maps(
    size: int, classes: int, cells: int
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Smooth random class probabilities and their labels, half resolution."""
    import torch
    import torch.nn.functional as F

    generator = torch.Generator().manual_seed(0)
    rough = torch.randn(1, classes, cells, cells, generator=generator)
    logits = F.interpolate(rough, (size, size), mode="bicubic")[0]
    p = (6 * logits).softmax(0).numpy()
    return (p.argmax(0) + 1).astype(np.uint16), p


def pairs() -> Iterator[Pair]:
    """All comparisons, the cheap ones first."""
    for size, classes, cells in ((224, 5, 8), (512, 20, 24)):
        labels, p = _noisy_maps(size, classes, cells)
        regions = find_regions(labels, p)
        yield Pair(
            f"find regions, {size} px, {classes} classes, {len(regions)} regions",
            lambda labels=labels, p=p: find_regions(labels, p),  # type: ignore[misc]
            lambda labels=labels, p=p: find_regions_reference(labels, p),  # type: ignore[misc]
            "Algorithm 2",
        )
    model = S2CLIP.load("demo", device="cpu")
    scene = draw_scene(256, np.random.default_rng(0), difficulty="hard")
    sam, embedding = model.models.sam, model.models.sam.encode(scene.image)
    corners = np.random.default_rng(0).uniform(0, 128, (24, 4))
    boxes = corners + np.array([0, 0, 128, 128])
    yield Pair(
        "decode 24 prompts, demo SAM",
        lambda: sam.decode(embedding, boxes=boxes),
        lambda: [sam.decode(embedding, boxes=box[None]) for box in boxes],
        "one decoder call for each",
    )
    features = model.encode(scene.image)
    names = scene.names
    yield Pair(
        "segment a scene again, features kept",
        lambda: model.segment(features, names),
        lambda: model.segment(scene.image, names),
        "encoding it again",
    )
