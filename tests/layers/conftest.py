"""Results over slices and windows, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

from napari_s2clip import ClassSet
from napari_s2clip.planes import Scope, take_target
from napari_s2clip.results import REGION_COLUMNS
from napari_s2clip.targets import TargetResult

if TYPE_CHECKING:
    from napari.layers import Image


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def image(viewer: ViewerModel) -> Image:
    return viewer.add_image(np.zeros((4, 6), np.uint8), name="cell")


@pytest.fixture
def stack(viewer: ViewerModel) -> Image:
    stack = viewer.add_image(np.zeros((3, 4, 6), np.uint8), name="stack")
    viewer.dims.current_step = (0, 0, 0)
    return stack


def table_of(regions: np.ndarray, classes: np.ndarray, names: ClassSet) -> pd.DataFrame:
    rows = []
    for region in np.unique(regions[regions > 0]):
        y, x = np.nonzero(regions == region)
        value = int(classes[y[0], x[0]])
        rows.append(
            {
                "region": int(region),
                "class_id": value,
                "class_name": names.name_of(value),
                "area": len(y),
                "mean_probability": 0.5,
                "x_min": x.min(),
                "y_min": y.min(),
                "x_max": x.max() + 1,
                "y_max": y.max() + 1,
                "point_x": x[0],
                "point_y": y[0],
                "sam_score": 0.75,
                "refined": True,
            }
        )
    return pd.DataFrame(rows, columns=list(REGION_COLUMNS)).astype(REGION_COLUMNS)


@pytest.fixture
def run(viewer: ViewerModel) -> Callable[..., TargetResult]:
    """A result of planes: maps of classes, whose regions are the classes."""

    def make(
        image: Image,
        *planes: Any,
        names: ClassSet | Sequence[str] = ("cat", "dog", "fox"),
        probabilities: bool = False,
        **scope: Any,
    ) -> TargetResult:
        classes = names if isinstance(names, ClassSet) else ClassSet(names)
        target = take_target(viewer, image, Scope(**scope))
        shape = target.plane_shape
        maps = np.stack([np.broadcast_to(p, shape) for p in planes]).astype(np.uint16)
        regions = np.zeros(maps.shape, np.int32)
        tables, first = [], 0
        for number, (values, plane) in enumerate(zip(maps, target.planes, strict=True)):
            _, inverse = np.unique(np.append(0, values), return_inverse=True)
            ids = inverse[1:].reshape(shape)
            regions[number] = np.where(ids > 0, ids + first, 0)
            table = table_of(regions[number], values, classes)
            rows, columns = plane.window
            table[["x_min", "x_max", "point_x"]] += columns.start
            table[["y_min", "y_max", "point_y"]] += rows.start
            table["plane"] = number
            where = tuple(i for i in plane.at if isinstance(i, int))
            table["position"] = pd.Series([where] * len(table), dtype=object)
            tables.append(table)
            first = int(regions.max())
        return TargetResult(
            target=target,
            classes=classes,
            coarse=maps.copy(),
            regions=regions,
            refined=maps.copy(),
            owners=regions.copy(),
            region_table=pd.concat(tables, ignore_index=True),
            probabilities=(
                np.stack([maps == value for value in classes.ids], 1).astype(np.float32)
                if probabilities
                else None
            ),
            provenance={"model": "fake", "settings": {}},
        )

    return make
