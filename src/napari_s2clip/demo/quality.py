"""How good each built-in model is on its own, for the model card.

``python -m napari_s2clip.demo.quality`` prints the figures as JSON. The scenes are not
those of training (another seed), and not those of the demo either.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._opencv import cv2
from .scenes import scenes
from .vocabulary import OBJECTS, SEEN_OBJECTS, TEXTURES, UNSEEN_OBJECTS

if TYPE_CHECKING:
    from ..models.load import Models
    from .train.crops import Crop

__all__ = ["average_precision", "clip_accuracy", "measure", "sam_iou", "vfm_precision"]

SEED = 77


def average_precision(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """Area under the precision-recall curve, by steps; equal scores in given order."""
    hits = truth[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean()) if hits.any() else float("nan")


def _pictures(objects: tuple[str, ...], count: int) -> Iterator[tuple[Crop, str]]:
    """Crops of 64 px that show one object, each with the object's name."""
    from .train.crops import crop_scene

    rng = np.random.default_rng(SEED)
    for scene in scenes(count, seed=SEED, objects=objects):
        crop = crop_scene(scene, 64, rng, aimed=1.0)
        names = [name for name in crop.names if name in OBJECTS]
        if len(names) == 1:
            yield crop, names[0]


def clip_accuracy(
    models: Models, objects: tuple[str, ...], count: int
) -> dict[str, float]:
    """Share of crops whose best word is true: of the 64 objects, and of each kind."""
    import torch.nn.functional as F

    from ..text import phrase_vectors

    text = phrase_vectors(models.clip, [*OBJECTS, *TEXTURES])
    hits: dict[str, list[bool]] = {
        k: [] for k in ("object", "colour", "shape", "texture")
    }
    for crop, name in _pictures(objects, count):
        hidden = models.clip.hidden_states(crop.image[None])
        vector = models.clip.project(models.clip.last_block(hidden.states[-1]))[:, 0]
        scores = (F.normalize(vector, dim=-1) @ text.T)[0].cpu().numpy()
        guess = OBJECTS[int(scores[: len(OBJECTS)].argmax())]
        hits["object"].append(guess == name)
        hits["colour"].append(guess.split()[0] == name.split()[0])
        hits["shape"].append(guess.split()[1] == name.split()[1])
        if set(crop.names) & set(TEXTURES):
            best = TEXTURES[int(scores[len(OBJECTS) :].argmax())]
            hits["texture"].append(best in crop.names)
    return {kind: float(np.mean(values)) for kind, values in hits.items()}


def vfm_precision(models: Models, count: int) -> dict[str, float]:
    """Average precision of "same class" for pairs of patches, by token similarity.

    For the vision model's tokens and, to compare, those of CLIP's middle layer.
    """
    import torch.nn.functional as F

    from ..features.levels import choose_mid_layer

    found: dict[str, list[float]] = {"vfm": [], "clip_mid_layer": []}
    mid = choose_mid_layer(models.clip.n_blocks)
    for scene in scenes(count, seed=SEED):
        image = cv2.resize(scene.image, (96, 96), interpolation=cv2.INTER_AREA)
        window = np.asarray(image, np.uint8)[None]
        tokens = {
            "vfm": models.vfm.tokens(window)[0].flatten(0, 1),
            "clip_mid_layer": models.clip.hidden_states(window).states[mid][0, 1:],
        }
        for kind, values in tokens.items():
            side = round(len(values) ** 0.5)
            step = scene.labels.shape[0] / side
            at = ((np.arange(side) + 0.5) * step).astype(int)
            classes = scene.labels[np.ix_(at, at)].ravel()
            unit = F.normalize(values, dim=-1)
            first, second = np.triu_indices(len(classes), 1)
            likeness = (unit @ unit.T).cpu().numpy()[first, second]
            found[kind].append(
                average_precision(likeness, classes[first] == classes[second])
            )
    return {kind: float(np.mean(values)) for kind, values in found.items()}


def sam_iou(models: Models, count: int) -> float:
    """Mean IoU of masks from the true box and centre of each object's visible part."""
    overlaps = []
    for scene in scenes(count, seed=SEED):
        embedding = models.sam.encode(scene.image)
        for number in np.unique(scene.instances)[1:]:
            truth = scene.instances == number
            if truth.sum() < 200:
                continue
            rows, columns = np.nonzero(truth)
            depth = cv2.distanceTransform(truth.astype(np.uint8), cv2.DIST_L2, 5)
            y, x = np.unravel_index(np.argmax(depth), truth.shape)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            logits, _ = models.sam.decode(
                embedding,
                boxes=np.array([box]),
                points=np.array([[[x + 0.5, y + 0.5]]]),
            )
            mask = (models.sam.resizer(embedding).full(logits)[0] > 0).cpu().numpy()
            overlaps.append((mask & truth).sum() / (mask | truth).sum())
    return float(np.mean(overlaps))


def measure(models: Models, count: int = 150) -> dict[str, object]:
    """All figures of the model card."""
    return {
        "clip_accuracy": clip_accuracy(models, SEEN_OBJECTS, count),
        "clip_accuracy_unseen_pairs": clip_accuracy(models, UNSEEN_OBJECTS, count),
        "patch_pair_average_precision": vfm_precision(models, count // 3),
        "sam_iou": sam_iou(models, count // 3),
    }


if __name__ == "__main__":
    from ..pipeline import S2CLIP

    figures = measure(S2CLIP.load("demo", device="cpu").models)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
