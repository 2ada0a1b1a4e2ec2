"""``python -m napari_s2clip.demo.refinement``: refinement with a part left out.

Prints the table of ``docs/refinement.md``: mean IoU on held-out scenes and the time of
regions and refinement, all on the same features.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Final

import numpy as np

from ..settings import Settings
from .evaluate import scene_classes, scene_iou
from .scenes import Scene, scenes

__all__ = ["VARIANTS", "ablation_rows", "ablation_table"]

VARIANTS: Final[dict[str, dict[str, object]]] = {
    "no SAM": {"refine": False},
    "full": {},
    "no connected components": {"connected_components": False},
    "no box": {"prompt_box": False},
    "no point": {"prompt_point": False},
    "mask prompt `logit`": {"mask_prompt": "logit"},
    "mask prompt `trident`": {"mask_prompt": "trident"},
    "mode `trident`": {"refine_mode": "trident"},
    "mode `trident`, no mask": {"refine_mode": "trident", "mask_prompt": "off"},
}
"""What is shown, and the settings that make it; the mask prompt is off by default."""


def ablation_table(
    pictures: Iterable[Scene], seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Mean IoU and milliseconds of regions and refinement, by variant.

    Parameters
    ----------
    pictures : iterable of Scene
    seed : int
        Of the absent words that are asked for too.
    """
    from ..pipeline import S2CLIP

    model = S2CLIP.load("demo", device="cpu")
    rng = np.random.default_rng(seed)
    scores: dict[str, list[float]] = {name: [] for name in VARIANTS}
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for scene in pictures:
        features = model.encode(scene.image)
        classes = scene_classes(scene, rng)
        for name, chosen in VARIANTS.items():
            settings = Settings.model_validate(chosen)
            result = model.segment(features, classes, settings=settings)
            iou = scene_iou(scene, result.refined, classes)
            scores[name].append(float(np.mean(list(iou.values()))))
            seconds = result.seconds["regions"] + result.seconds["refine"]
            times[name].append(1e3 * seconds)
    return {
        name: (float(np.mean(scores[name])), float(np.median(times[name])))
        for name in VARIANTS
    }


def ablation_rows(count: int, seed: int = 2024) -> list[str]:
    """Markdown rows of the table."""
    found = ablation_table(scenes(count, seed=seed), seed)
    return [
        "| Refinement | mean IoU | ms for regions and refinement |",
        "| --- | --- | --- |",
        *(f"| {name} | {iou:.3f} | {ms:.0f} |" for name, (iou, ms) in found.items()),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m napari_s2clip.demo.refinement")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2024)
    options = parser.parse_args()
    print("\n".join(ablation_rows(options.scenes, options.seed)))  # noqa: T201


if __name__ == "__main__":
    main()
