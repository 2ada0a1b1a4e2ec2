"""Models that know the class of a pixel from its grey level, and targets for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_s2clip import ClassEntry, ClassSet, Segmentation, Settings
from napari_s2clip.planes import Scope, Target, take_target
from napari_s2clip.progress import CancelToken, Progress
from napari_s2clip.refine.result import Refinement
from napari_s2clip.region_table import region_table
from napari_s2clip.regions import (
    find_regions,
    full_resolution_regions,
    half_resolution,
)

if TYPE_CHECKING:
    from napari_s2clip.image import RGBImage


@dataclass
class Features:
    image: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass
class GreyModel:
    """Level 60 is surely the first class, 120 the second; 61 to 100 less surely.

    Attributes
    ----------
    encoded : list
        Shapes of what was encoded.
    room : int
        Tiles with longer sides do not fit into the memory.
    """

    device: str = "cpu"
    encoded: list[tuple[int, ...]] = field(default_factory=list)
    room: int = 10_000
    during: Callable[[], None] = lambda: None
    full: Exception = field(default_factory=lambda: RuntimeError("out of memory"))

    def complete(self, settings: Settings | None) -> Settings:
        return settings or Settings(min_region_area=1)

    def encode(
        self,
        image: RGBImage,
        *,
        settings: Settings,
        store: object = False,
        progress: Any = None,
        cancel: CancelToken | None = None,
    ) -> Features:
        if max(image.pixels.shape) > self.room:
            raise self.full
        self.encoded.append(image.pixels.shape)
        if progress is not None:
            progress(Progress("encode", 0, 1, "window 1 of 1"))
        return Features(image.pixels)

    def segment(
        self,
        features: Features,
        classes: ClassSet,
        *,
        settings: Settings,
        progress: Any = None,
        cancel: CancelToken | None = None,
        recall: Any = None,
    ) -> Segmentation:
        self.during()
        if cancel is not None:
            cancel.raise_if_cancelled()
        grey = features.image[..., 0].astype(int)
        best = np.minimum(grey // 60, len(classes))
        p = np.zeros((len(classes), *grey.shape), np.float32)
        for i in range(len(classes)):
            p[i] = np.where(best == i + 1, 1 - (grey % 60) / 100, 0)
        coarse = best.astype(np.uint16)
        small = half_resolution(coarse, p)
        regions = find_regions(
            *small, min_area=1, connected=settings.connected_components
        )
        ids = full_resolution_regions(regions, coarse)
        refinement = Refinement.none(coarse, ids, len(regions))
        refinement.sam_scores[:] = 0.5
        table = region_table(regions, ids, small[0].shape, refinement, classes)
        return Segmentation(
            classes=classes,
            coarse=classes.label_values(coarse),
            regions=ids,
            region_table=table,
            refined=classes.label_values(np.where(ids > 0, coarse, 0).astype("u2")),
            probabilities=p,
            provenance={"model": "grey"},
            seconds={"classify": 0.25},
            owners=ids,
        )


@pytest.fixture
def model() -> GreyModel:
    return GreyModel()


@pytest.fixture
def classes() -> ClassSet:
    """The ids do not follow the order."""
    return ClassSet([ClassEntry("cat", id=7), "dog", ClassEntry("cow", id=3)])


def target_of(data: Any, **scope: Any) -> Target:
    viewer = ViewerModel()
    layer = viewer.add_image(data, name="cells", contrast_limits=(0, 255))
    return take_target(viewer, layer, Scope(**scope))


@pytest.fixture(name="target_of")
def _target_of() -> Callable[..., Target]:
    return target_of


def blocks(shape: tuple[int, ...], size: int, seed: int = 0) -> np.ndarray:
    """Random classes in squares, so that both grids of the regions are the same."""
    rng = np.random.default_rng(seed)
    small = [-(-n // size) for n in shape[-2:]]
    grey = rng.choice([0, 60, 75, 120, 130, 180], (*shape[:-2], *small)).astype(
        np.uint8
    )
    return grey.repeat(size, -2).repeat(size, -1)[..., : shape[-2], : shape[-1]]
