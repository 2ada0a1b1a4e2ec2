"""How well a model does on held-out scenes, in figures.

Every scene is segmented with the classes that are present and a few random words that
are not. A class's IoU in a scene counts once; means are taken over the present classes
of a scene, then over scenes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._opencv import cv2
from ..classes import ClassSet
from ..method_settings import for_method
from ..settings import Settings
from .vocabulary import UNSEEN_OBJECTS, VOCABULARY

if TYPE_CHECKING:
    from ..pipeline import S2CLIP
    from ..results import Segmentation
    from .scenes import Scene

__all__ = [
    "ORACLE_GRID",
    "Evaluation",
    "SceneResult",
    "evaluate",
    "scene_classes",
    "scene_iou",
]

DISTRACTORS = 3
ORACLE_GRID = 21
"""Cells on a side to which the truth is blurred before SAM refines it."""

_IGNORE = 65_535


@dataclass(frozen=True)
class SceneResult:
    """One scene's maps and the IoU of each present class in each map."""

    scene: Scene
    result: Segmentation
    iou: dict[str, dict[str, float]]
    """By map (``"coarse"`` …), then by class name."""
    seconds: dict[str, float]
    """Wall time by stage."""


@dataclass
class Evaluation:
    """Figures of a run, collected scene by scene."""

    size: int = 0
    rows: list[tuple[str, str, str, float]] = field(default_factory=list)
    """Map, difficulty and index of the scene, class name, IoU."""
    seconds: dict[str, list[float]] = field(default_factory=dict)
    scenes: int = 0

    def add(self, item: SceneResult) -> None:
        """Take in one scene."""
        self.size = item.scene.labels.shape[0]
        for kind, by_class in item.iou.items():
            where = f"{item.scene.difficulty}/{self.scenes}"
            self.rows += [(kind, where, name, iou) for name, iou in by_class.items()]
        for stage, value in item.seconds.items():
            self.seconds.setdefault(stage, []).append(value)
        self.scenes += 1

    def miou(
        self, kind: str, keep: Callable[[str, str], bool] = lambda where, name: True
    ) -> float | None:
        """Mean IoU of a map over scenes; None if no class qualifies."""
        by_scene: dict[str, list[float]] = {}
        for row_kind, where, name, iou in self.rows:
            if row_kind == kind and keep(where, name):
                by_scene.setdefault(where, []).append(iou)
        if not by_scene:
            return None
        return float(np.mean([np.mean(values) for values in by_scene.values()]))

    def figures(self) -> dict[str, Any]:
        """Everything as plain data: ``miou``, ``by_difficulty``, ``time`` (ms)."""
        kinds = ("clip", "coarse", "regions", "refined", "oracle", "oracle_refined")
        levels = sorted({where.split("/")[0] for _, where, _, _ in self.rows})
        miou = {kind: self.miou(kind) for kind in kinds}
        miou["unseen_pairs"] = self.miou(
            "refined", lambda where, name: name in UNSEEN_OBJECTS
        )
        times = {k: 1e3 * float(np.mean(v)) for k, v in self.seconds.items()}
        return {
            "scenes": self.scenes,
            "size": self.size,
            "distractors": DISTRACTORS,
            "miou": miou,
            "by_difficulty": {
                level: {kind: self.miou(kind, _of(level)) for kind in kinds}
                for level in levels
            },
            "time": {**times, "total": sum(times.values())},
        }


def _of(level: str) -> Callable[[str, str], bool]:
    return lambda where, name: where.startswith(level)


def scene_classes(scene: Scene, rng: np.random.Generator) -> ClassSet:
    """Choose the classes to ask for: those present, then random words that are not."""
    absent = [name for name in VOCABULARY if name not in scene.names]
    extra = rng.choice(absent, DISTRACTORS, replace=False)
    return ClassSet([*scene.present(), *(str(name) for name in extra)])


def scene_iou(
    scene: Scene, prediction: NDArray[np.uint16], classes: ClassSet
) -> dict[str, float]:
    """IoU of each class that is present, by name."""
    return _iou(prediction, _truth(scene, classes), classes, scene.present())


def _truth(scene: Scene, classes: ClassSet) -> NDArray[np.uint16]:
    """Truth by position in ``classes``, from 1; specks of other classes are ignored."""
    lookup = np.full(len(scene.names) + 1, _IGNORE, np.uint16)
    for value, name in enumerate(scene.names, 1):
        if name in classes.names:
            lookup[value] = classes.names.index(name) + 1
    return lookup[scene.labels]


def _iou(
    prediction: NDArray[np.uint16],
    truth: NDArray[np.uint16],
    classes: ClassSet,
    present: Iterable[str],
) -> dict[str, float]:
    """IoU by name; the prediction has label values, the truth is that of `_truth`."""
    from ..evaluation.metrics import IoU

    positions = np.zeros(max(classes.ids) + 1, np.uint16)
    positions[list(classes.ids)] = np.arange(1, len(classes) + 1)
    counts = IoU(len(classes) + 1, ignore_index=_IGNORE)
    counts.accumulate(positions[prediction], truth)
    iou = counts.iou()
    return {name: float(iou[classes.names.index(name) + 1]) for name in present}


def blurred_truth(
    truth: NDArray[np.uint16], classes: int, grid: int = ORACLE_GRID
) -> NDArray[np.float32]:
    """Class probabilities (C, H, W) of a truth seen through ``grid`` cells a side."""
    height, width = truth.shape
    planes = np.stack(
        [
            cv2.resize(
                cv2.resize(
                    (truth == value).astype(np.float32),
                    (grid, grid),
                    interpolation=cv2.INTER_AREA,
                ),
                (width, height),
                interpolation=cv2.INTER_LINEAR,
            )
            for value in range(1, classes + 1)
        ]
    )
    total = planes.sum(0)
    return np.asarray(planes / np.where(total > 0, total, 1), np.float32)


def _oracle(
    model: S2CLIP,
    features: Any,
    truth: NDArray[np.uint16],
    classes: ClassSet,
    settings: Settings,
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Label values of the blurred truth, and what SAM makes of it."""
    from ..refine import refine_map

    probabilities = blurred_truth(truth, len(classes))
    labels = (probabilities.argmax(0) + 1).astype(np.uint16)
    refined = refine_map(
        features.sam,
        labels,
        probabilities,
        model.models.sam,
        settings,
    )
    return classes.label_values(labels), classes.label_values(refined.refined)


def evaluate(
    model: S2CLIP,
    scenes: Iterable[Scene],
    *,
    settings: Settings | None = None,
    seed: int = 0,
    compare: bool = True,
) -> Iterator[SceneResult]:
    """Segment scenes and measure them, one at a time.

    Parameters
    ----------
    model : S2CLIP
    scenes : iterable of Scene
    settings : Settings, optional
    seed : int
        Of the distractors.
    compare : bool
        Also run vanilla CLIP and the refinement of the blurred truth.

    Yields
    ------
    SceneResult
    """
    settings = settings or Settings()
    vanilla = for_method(settings, "clip").model_copy(update={"refine": False})
    for index, scene in enumerate(scenes):
        classes = scene_classes(scene, np.random.default_rng((seed, index)))
        present = scene.present()
        truth = _truth(scene, classes)
        started = time.perf_counter()
        features = model.encode(scene.image, settings=settings)
        seconds = {"encode": time.perf_counter() - started}
        result = model.segment(features, classes)
        seconds |= result.seconds
        maps = {
            "coarse": result.coarse,
            "regions": result.region_classes,
            "refined": result.refined,
        }
        if compare:
            maps["clip"] = model.segment(scene.image, classes, settings=vanilla).coarse
            maps["oracle"], maps["oracle_refined"] = _oracle(
                model, features, truth, classes, settings
            )
        yield SceneResult(
            scene,
            result,
            {kind: _iou(m, truth, classes, present) for kind, m in maps.items()},
            seconds,
        )
