"""Regions and refinement beside what the paper starts from; SAM's encoder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.demo.vocabulary import VOCABULARY
from napari_s2clip.models.sam_encoder import fast_encoder
from napari_s2clip.refine.refine import refine_regions
from napari_s2clip.regions import (
    find_regions,
    find_regions_reference,
    half_resolution,
)

from .pairs import Pair

__all__ = ["encoder_memory", "refining_pairs", "sam_pairs"]

SIZES = (512, 1024)
COUNTS = (5, 20, 80)
MORE = tuple(
    f"{word} thing"
    for word in (
        "big",
        "small",
        "old",
        "new",
        "wet",
        "dry",
        "hot",
        "cold",
        "far",
        "near",
    )
)
"""To have 80 names."""

Maps = tuple[NDArray[np.uint16], NDArray[np.float32]]


def noise(size: int, classes: int) -> Maps:
    """Random probabilities, each pixel by itself."""
    p = np.random.default_rng(0).random((classes, size, size), np.float32) ** 8
    p /= p.sum(0)
    return (p.argmax(0) + 1).astype(np.uint16), p


def _regions(name: str, maps: Maps) -> Pair:
    small = half_resolution(*maps)
    count = len(find_regions(*small))
    return Pair(
        f"find {count} regions, {name}",
        partial(find_regions, *small),
        partial(find_regions_reference, *small),
        "Algorithm 2",
    )


def _refine(model: S2CLIP, embedding: object, maps: Maps, mode: str) -> object:
    """Everything after the coarse map and the image encoder."""
    find = find_regions if mode == "fixed" else find_regions_reference
    regions = find(*half_resolution(*maps))
    settings = Settings(refine_mode=mode)
    return refine_regions(model.models.sam, embedding, *maps, regions, settings)


def refining_pairs() -> Iterator[Pair]:
    """Coarse maps of the demo models, and noise."""
    model = S2CLIP.load("demo", device="cpu")
    for size in SIZES:
        scene = draw_scene(size, np.random.default_rng(0), difficulty="hard")
        features = model.encode(scene.image)
        absent = [name for name in (*VOCABULARY, *MORE) if name not in scene.names]
        for count in COUNTS:
            names = [*scene.names, *absent][:count]
            found = model.segment(features, names, settings=Settings(refine=False))
            maps = found.coarse, found.probabilities
            what = f"{size} px, {count} classes"
            yield _regions(f"coarse map of {what}", maps)
            yield Pair(
                f"regions and refinement, {what}",
                partial(_refine, model, features.sam, maps, "fixed"),
                partial(_refine, model, features.sam, maps, "trident"),
                "Trident's",
            )
        yield _regions(f"noise of {size} px, 5 classes", noise(size, 5))


def _sam() -> torch.nn.Module:
    from segment_anything import sam_model_registry

    torch.manual_seed(0)
    sam: torch.nn.Module = sam_model_registry["vit_b"](checkpoint=None)
    return sam.eval().requires_grad_(False)


def sam_pairs() -> Iterator[Pair]:
    """SAM ViT-B's image encoder with random weights, 1024 px."""
    theirs = _sam().image_encoder
    pixels = torch.randn(1, 3, 1024, 1024)
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        ours = fast_encoder(theirs, dtype)
        yield Pair(
            f"SAM ViT-B image encoder, {name}",
            partial(torch.inference_mode()(ours), pixels),
            partial(torch.inference_mode()(theirs), pixels),
            "segment_anything's own in fp32",
        )


_ENCODER = """
import json, sys, torch
from pathlib import Path
from benchmarks.refining import _sam
from napari_s2clip.models.sam_encoder import fast_encoder
encoder = _sam().image_encoder
if sys.argv[1] != "theirs":
    encoder = fast_encoder(encoder, getattr(torch, sys.argv[1]))
def kilobytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading
before = kilobytes("VmRSS")
with torch.inference_mode():
    encoder(torch.randn(1, 3, 1024, 1024))
above = (kilobytes("VmHWM") - before) / 1024
print(json.dumps({"encoder": sys.argv[1], "above_mb": above}))
"""


def encoder_memory() -> list[dict[str, object]]:
    """Peak memory above the loaded encoder, each in a process of its own (Linux)."""
    found = []
    for name in ("theirs", "float32", "bfloat16"):
        run = subprocess.run(
            [sys.executable, "-c", _ENCODER, name],
            check=True,
            capture_output=True,
            text=True,
        )
        found.append(json.loads(run.stdout.splitlines()[-1]))
    return found
