"""What encoding costs at real sizes with random weights: time in pairs, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.completion import complete_settings
from napari_s2clip.features.encode import windows_at_once
from napari_s2clip.features.windows import cut_windows, plan_windows, resize

from .pairs import Pair

__all__ = ["encoding_pairs", "peak_memory"]

SIZE = (448, 640)


def _image(size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def _encoders_alone(model: S2CLIP, image: np.ndarray, settings: Settings) -> None:
    """CLIP's and DINO's own work for the same windows in the same batches."""
    plan = plan_windows(image.shape[:2], settings, model.models.clip.patch_size)
    resized = resize(image, plan.size)
    step = windows_at_once(model.models, plan.window)
    for first in range(0, len(plan.corners), step):
        windows = cut_windows(resized, plan, slice(first, first + step))
        clip = model.models.clip
        clip.project(clip.last_block(clip.hidden_states(windows).states[-1]))
        model.models.vfm.tokens(windows)


def _with_new_words(
    model: S2CLIP, image: object, names: list[str], settings: Settings | None = None
) -> None:
    """Segment by names that the model has never met: their texts are encoded too."""
    model.forget_texts()
    model.segment(image, names, settings=settings)


def encoding_pairs() -> Iterator[Pair]:
    """S2CLIP's features beside its encoders, low precision, a second segmentation."""
    image, settings = _image(SIZE), Settings(refine=False)
    full = S2CLIP.load("vit-b-16", device="cpu", weights="random", precision="fp32")
    complete = complete_settings(full.spec, settings)
    yield Pair(
        "encode 448 × 640, S2CLIP, ViT-B/16 + DINO ViT-B/8, fp32",
        lambda: full.encode(image, settings=settings),
        lambda: _encoders_alone(full, image, complete),
        "the plain encoders it uses",
    )
    low = S2CLIP.load("vit-b-16", device="cpu", weights="random", precision="bf16")
    yield Pair(
        "encode 448 × 640, S2CLIP, bf16",
        lambda: low.encode(image, settings=settings),
        lambda: full.encode(image, settings=settings),
        "fp32",
    )
    features = full.encode(image, settings=settings)
    first, second = ["road", "tree", "sky"], ["car", "house", "grass"]
    yield Pair(
        "segment 448 × 640 with other classes, features kept",
        lambda: _with_new_words(full, features, second),
        lambda: _with_new_words(full, image, first, settings),
        "a first segmentation",
    )


_MEMORY = """
import json, resource, sys
import numpy as np
from napari_s2clip import S2CLIP, Settings
side = int(sys.argv[1])
model = S2CLIP.load("vit-b-16", device="cpu", weights="random", precision="fp32")
small = Settings(refine=False, short_side=336)
model.encode(np.zeros((336, 336, 3), np.uint8), settings=small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
settings = Settings(refine=False, short_side=side, stride=336)
features = model.encode(image, settings=settings)
model.segment(features, ["road", "tree", "sky", "car", "house"], settings=settings)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"side": side, "windows": len(features.plan.corners),
                  "loaded_mb": before / 1024, "peak_mb": after / 1024}))
"""


def peak_memory(sides: tuple[int, ...] = (448, 1024, 2048)) -> list[dict[str, float]]:
    """Peak memory of encoding and classifying, each size in a process of its own.

    Images are encoded at their full size (``short_side`` as given), windows side by
    side.
    """
    found = []
    for side in sides:
        run = subprocess.run(
            [sys.executable, "-c", _MEMORY, str(side)],
            check=True,
            capture_output=True,
            text=True,
        )
        found.append(json.loads(run.stdout.splitlines()[-1]))
    return found
