"""A result of one plane, small enough to follow by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_s2clip.results import REGION_COLUMNS
from napari_s2clip.review import Review

CAT, DOG = 1, 2


def make_table(
    regions: np.ndarray[Any, Any],
    classes: Sequence[int],
    *,
    probability: float | Sequence[float] = 0.5,
    sam_score: float | Sequence[float] = 0.75,
    refined: bool | Sequence[bool] = True,
    first: int = 1,
) -> pd.DataFrame:
    """Rows for regions numbered from ``first``, with boxes and areas of the map."""
    ids = range(first, first + len(classes))
    rows = []
    for region in ids:
        where = np.argwhere(regions == region)
        low, high = where.min(0)[-2:], where.max(0)[-2:] + 1
        position = tuple(int(p) for p in where[0][:-2])
        rows.append((low[1], low[0], high[1], high[0], len(where), position))
    boxes = np.array([row[:4] for row in rows], float)
    table = pd.DataFrame(
        {
            "region": list(ids),
            "class_id": classes,
            "class_name": [("background", "cat", "dog", "fox")[c] for c in classes],
            "area": [row[4] for row in rows],
            "mean_probability": probability,
            **dict(zip(("x_min", "y_min", "x_max", "y_max"), boxes.T, strict=True)),
            "point_x": (boxes[:, 0] + boxes[:, 2]) / 2,
            "point_y": (boxes[:, 1] + boxes[:, 3]) / 2,
            "sam_score": sam_score,
            "refined": refined,
        }
    ).astype(REGION_COLUMNS)
    return table.assign(position=[row[5] for row in rows])


def digits(*rows: str) -> np.ndarray[Any, Any]:
    """A map, one digit a pixel."""
    return np.array([[int(d) for d in row] for row in rows])


class Scene:
    """Two cats and a dog; SAM made region 1 wider, region 2 smaller, refused 3."""

    def __init__(self) -> None:
        self.regions = digits("11000", "11002", "00302", "33302").astype(np.int32)
        self.owners = digits("11100", "11100", "00002", "33302").astype(np.int32)
        classes = np.array([0, CAT, DOG, CAT], np.uint16)
        self.labels = classes[self.owners]
        self.table = make_table(
            self.regions,
            [CAT, DOG, CAT],
            probability=[0.9, 0.6, 0.8],
            sam_score=[0.9, 0.95, 0.2],
            refined=[True, True, False],
        )
        self.review = Review(self.table, self.regions, self.owners, self.labels)

    def write(self, edit: Any) -> Any:
        """What the caller does with an act."""
        self.labels[edit.index] = edit.values
        return edit

    def shows(self, *rows: str) -> None:
        np.testing.assert_array_equal(self.labels, digits(*rows))


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture(name="make_table")
def _make_table() -> Callable[..., pd.DataFrame]:
    return make_table
