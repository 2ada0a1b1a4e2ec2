"""The stages after encoding, each with what it depends on.

What a step was made from is its key in a memory (`recall`): a result that is
remembered is used as long as the key is the same. Keys grow from stage to stage, and
what a stage does not depend on is left out of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .classification import PhraseScores, phrase_scores
from .coarse import ClassMaps, classify
from .features.keep import sam_kept
from .methods import find_method
from .refine.probabilities import REFINER_TITLES, refine_probabilities
from .refine.refine import refine_regions
from .refine.result import Refinement
from .regions import Regions, find_regions, full_resolution_regions
from .regions.maps import half_labels, half_maps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .classes import ClassSet
    from .features.encode import ImageFeatures
    from .features.store import FeatureStore
    from .loaded import LoadedModels
    from .progress import Reporter
    from .recall import Recall
    from .settings import Settings

__all__ = ["Coarse", "FoundRegions", "classify_features", "refine", "regions_of"]

_AFTER_SCORES = frozenset(
    {
        "probability_threshold",
        "probability_refiner",
        "pamr_iterations",
        "attention_threshold",
    }
)
"""Settings of the classification that the scores of phrases do not depend on."""


@dataclass(frozen=True, eq=False)
class Coarse:
    """What classification gives; classes go by their position.

    Attributes
    ----------
    labels : ndarray of uint16, (H, W)
    maps : ClassMaps
    maps_from, made_from : hashable
        What the maps and the labels depend on.
    """

    labels: NDArray[np.uint16]
    maps: ClassMaps
    maps_from: Hashable
    made_from: Hashable


@dataclass(frozen=True, eq=False)
class FoundRegions:
    """Regions on both grids.

    Attributes
    ----------
    regions : Regions
    region_map : ndarray of int32, (H, W)
    made_from : hashable
    """

    regions: Regions
    region_map: NDArray[np.int32]
    made_from: Hashable


def classify_features(
    model: LoadedModels,
    features: ImageFeatures,
    classes: ClassSet,
    settings: Settings,
    report: Reporter,
    recall: Recall,
) -> Coarse:
    """Stage 2, first half: the scores of phrases, probabilities, the coarse map."""
    parts = 2 if settings.probability_refiner == "none" else 3

    def step(part: int, message: str = "") -> Callable[[int, int], None]:
        return lambda done, total: report(
            "classify", part * total + done, parts * total, message
        )

    def score() -> PhraseScores:
        phrases = [p for entry in classes for p in entry.phrases]
        text = model.text([*phrases, *classes.background])
        clip = model.models.clip
        return phrase_scores(clip, features, text, len(phrases), settings, step(0))

    def spread() -> ClassMaps:
        scores = recall("scores", scores_from, score)
        maps = classify(
            scores.maps,
            classes,
            features.image_size,
            logit_scale=None if scores.are_shares else settings.logit_scale,
            on_rows=step(1),
        )
        return refine_probabilities(
            maps,
            features.image,
            settings,
            model.device,
            model.diffusion,
            step(2, REFINER_TITLES[settings.probability_refiner]),
        )

    report("classify", 0, 1, "class names")
    scores_from = _scores_from(classes, settings)
    maps_from = scores_from, settings.logit_scale, _refiner_from(settings)
    maps = recall("maps", maps_from, spread)
    thresholds = settings.probability_threshold, classes.thresholds
    made_from = maps_from, thresholds
    labels = recall("labels", made_from, lambda: maps.labels(*thresholds))
    return Coarse(labels, maps, maps_from, made_from)


def _scores_from(classes: ClassSet, settings: Settings) -> Hashable:
    phrases = tuple(entry.phrases for entry in classes), classes.background
    left_out = set(_AFTER_SCORES)
    if find_method(settings.method).scoring in {"cosine", "surgery"}:
        left_out.add("logit_scale")
    values = settings.of_stage("classify").items()
    return phrases, tuple((name, v) for name, v in values if name not in left_out)


def _refiner_from(settings: Settings) -> Hashable:
    kind = settings.probability_refiner
    if kind == "pamr":
        return kind, settings.pamr_iterations
    return (kind, settings.attention_threshold) if kind == "diffusion" else kind


def regions_of(
    coarse: Coarse, settings: Settings, report: Reporter, recall: Recall
) -> FoundRegions:
    """Stage 2, second half: connected regions, found at half of the resolution."""

    def find() -> FoundRegions:
        halves = partial(half_maps, coarse.maps.probabilities)
        regions = find_regions(
            half_labels(coarse.labels),
            recall("half", coarse.maps_from, halves),
            threshold=settings.coarse_threshold,
            min_area=settings.min_region_area,
            background=settings.refine_background,
            connected=settings.connected_components,
        )
        region_map = full_resolution_regions(regions, coarse.labels)
        return FoundRegions(regions, region_map, made_from)

    report("regions", 0, 1)
    own = tuple(settings.of_stage("regions").items()), settings.refine_background
    made_from = coarse.made_from, own
    found = recall("regions", made_from, find)
    report("regions", 1, 1)
    return found


def refine(
    model: LoadedModels,
    features: ImageFeatures,
    coarse: Coarse,
    found: FoundRegions,
    settings: Settings,
    report: Reporter,
    recall: Recall,
    store: FeatureStore | None = None,
) -> Refinement:
    """Stage 3: SAM's masks instead of the coarse regions, where it is sure of them."""
    if not settings.refine:
        return Refinement.none(coarse.labels, found.region_map, len(found.regions))

    def prompt() -> Refinement:
        if features.sam is None:
            features.sam = sam_kept(
                model.models, features.image, report, store, stage="refine"
            )
        if recall.masks is not None:
            recall.masks.source = coarse.maps_from
        return refine_regions(
            model.models.sam,
            features.sam,
            coarse.labels,
            coarse.maps.probabilities,
            found.regions,
            settings,
            region_map=found.region_map,
            known=recall.masks,
            report=report,
        )

    own = tuple(settings.of_stage("refine").items())
    return recall("refined", (found.made_from, own), prompt)
