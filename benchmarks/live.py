"""What a change of a class or a setting costs while the features are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np

from napari_s2clip import S2CLIP, ClassSet, LiveSegmentation, Settings
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.demo.vocabulary import VOCABULARY

from .pairs import Pair

__all__ = ["live_pairs"]

SIZE, COUNT = 1024, 10

CHANGES: dict[str, tuple[dict[str, float | bool], ...]] = {
    "probability threshold": (
        {"probability_threshold": 0.5},
        {"probability_threshold": 0.6},
    ),
    "coarse threshold": ({"coarse_threshold": 0.2}, {"coarse_threshold": 0.5}),
    "IoU threshold": ({"iou_threshold": 0.8}, {"iou_threshold": 0.6}),
    "smallest region": ({"min_region_area": 225}, {"min_region_area": 900}),
    "logit scale": ({"logit_scale": 40.0}, {"logit_scale": 30.0}),
    "refinement on and off": ({"refine": True}, {"refine": False}),
}


def live_pairs() -> Iterator[Pair]:
    """Changes of one setting, with masks that are known and with none."""
    model = S2CLIP.load("demo", device="cpu")
    scene = draw_scene(SIZE, np.random.default_rng(0), difficulty="hard")
    features = model.encode(scene.image)
    absent = [name for name in VOCABULARY if name not in scene.names]
    classes = ClassSet([*scene.names, *absent][:COUNT])

    def turns(
        run: Callable[[Settings], object], values: tuple[dict[str, float | bool], ...]
    ) -> Callable[[], object]:
        steps = cycle([Settings(**value) for value in values])
        return lambda: run(next(steps))

    def whole(settings: Settings) -> object:
        return model.segment(features, classes, settings=settings)

    for masks, limit in (("masks known", 1 << 29), ("masks new", 0)):
        for name, values in CHANGES.items():
            if limit == 0 and "threshold" not in name:
                continue
            live = LiveSegmentation(model, features, mask_limit=limit)

            def update(settings: Settings, live: LiveSegmentation = live) -> object:
                return live.update(classes, settings)

            for value in values:
                update(Settings(**value))
            yield Pair(
                f"{name}, {SIZE} px, {COUNT} classes, {masks}",
                turns(update, values),
                turns(whole, values),
                "segmenting the features again",
            )
