"""Seams by hand: cores of two tiles, and the regions across them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_s2clip import ClassSet, Segmentation
from napari_s2clip.results import REGION_COLUMNS
from napari_s2clip.targets.stitch import PlaneStitcher
from napari_s2clip.tiles import Tile

# Two tiles of 3 × 6 px that have 4 columns in common; cores of 4 columns.
LEFT = Tile(slice(0, 3), slice(0, 6), slice(0, 3), slice(0, 4))
RIGHT = Tile(slice(0, 3), slice(2, 8), slice(0, 3), slice(4, 8))
CLASSES = ClassSet(["cat", "dog"])


def segmentation(
    regions: str, classes: dict[int, int], owners: str = "", **columns: Any
) -> Segmentation:
    """From rows of digits; what a column does not say is 0.5."""
    ids = digits(regions)
    lookup = np.zeros(10, np.uint16)
    lookup[list(classes)] = list(classes.values())
    count = len(classes)
    table = {
        "region": list(classes),
        "class_id": list(classes.values()),
        "class_name": [CLASSES.name_of(c) for c in classes.values()],
        "area": [int((ids == r).sum()) for r in classes],
        "refined": [False] * count,
    }
    table |= {name: [0.5] * count for name in REGION_COLUMNS if name not in table}
    table |= columns
    return Segmentation(
        classes=CLASSES,
        coarse=lookup[ids],
        regions=ids,
        region_table=pd.DataFrame(table)[list(REGION_COLUMNS)].astype(REGION_COLUMNS),
        refined=lookup[digits(owners or regions)],
        probabilities=np.full((2, *ids.shape), 0.5, np.float32),
        provenance={},
        owners=digits(owners or regions),
    )


def digits(rows: str) -> Any:
    return np.array([[int(d) for d in row] for row in rows.split()], np.int32)


def stitched(left: Segmentation, right: Segmentation) -> tuple[Any, Any, pd.DataFrame]:
    regions, owners = np.zeros((2, 1, 3, 8), np.int32)
    stitcher = PlaneStitcher(regions, owners, 0, CLASSES)
    stitcher.add(LEFT, left)
    stitcher.add(RIGHT, right)
    return regions[0], owners[0], stitcher.finish(1)


def test_pieces_touch_across_edges_and_corners_if_of_one_class() -> None:
    regions, _, table = stitched(
        segmentation("111100 000000 222200", {1: 1, 2: 2}),
        segmentation("000000 001111 003333", {1: 1, 3: 1}),
    )
    # Of the right tile 1 touches the left 1 by a corner, 3 touches 2 of another class.
    np.testing.assert_array_equal(regions, digits("11110000 00001111 33332222"))
    assert table["class_id"].tolist() == [1, 1, 2]
    assert table["area"].tolist() == [8, 4, 4]


def test_measures_are_weighted_with_the_pixels_of_the_pieces() -> None:
    _, _, table = stitched(
        segmentation(
            "110000 000000 000000",
            {1: 1},
            mean_probability=[0.9],
            sam_score=[0.25],
        ),
        segmentation("000000 000000 000000", {}),
    )
    assert table["mean_probability"].tolist() == [0.9]
    _, _, table = stitched(
        segmentation(
            "111111 000000 000000",
            {1: 1},
            mean_probability=[0.9],
            sam_score=[np.nan],
            x_min=[0],
            x_max=[6],
            point_x=[1.5],
        ),
        segmentation(
            "111100 111100 111100",
            {1: 1},
            mean_probability=[0.6],
            sam_score=[0.75],
            refined=[True],
            point_x=[3.25],
            point_y=[1.5],
        ),
    )
    (row,) = table.itertuples()
    assert row.area == 4 + 6
    assert row.mean_probability == pytest.approx((4 * 0.9 + 6 * 0.6) / 10)
    assert (row.sam_score, row.refined) == (0.75, True)
    assert (row.x_min, row.y_min, row.x_max, row.y_max) == (0, 0, 6, 3)
    assert row.point_x == 1.5  # of the left piece, which is surer


def test_point_beyond_the_core_moves_to_the_surest_pixel_that_is_left() -> None:
    left = segmentation("111111 111111 000000", {1: 1}, point_x=[5.0], point_y=[0.5])
    left.probabilities[0, 1, 2] = 0.75
    _, _, table = stitched(left, segmentation("000000 " * 3, {}))
    (row,) = table.itertuples()
    assert (row.point_x, row.point_y) == (2, 1)
    assert (row.x_max, row.y_max, row.area) == (4, 2, 8)


def test_owner_whose_own_pixels_lie_beyond_the_core_is_its_neighbour() -> None:
    # The mask of the right object reaches into the left core; the object does not.
    regions, owners, table = stitched(
        segmentation("000011 000011 000000", {1: 1}, owners="000111 000111 000000"),
        segmentation("001110 001110 000000", {1: 1}, owners="011110 011110 000000"),
    )
    np.testing.assert_array_equal(regions, digits("00001110 00001110 00000000"))
    np.testing.assert_array_equal(owners, digits("00011110 00011110 00000000"))
    assert table["area"].tolist() == [6]


def test_owner_without_a_neighbour_stays_in_the_table() -> None:
    _, owners, table = stitched(
        segmentation(
            "000011 000000 000000", {1: 2}, owners="001111 000000 000000", point_x=[5]
        ),
        segmentation("000000 000000 000000", {}),
    )
    np.testing.assert_array_equal(owners, digits("00110000 00000000 00000000"))
    (row,) = table.itertuples()
    assert (row.region, row.class_id, row.area) == (1, 2, 0)


def test_planes_without_regions_have_an_empty_table() -> None:
    nothing = segmentation("000000 " * 3, {})
    regions, _, table = stitched(nothing, nothing)
    assert not regions.any()
    assert dict(table.dtypes.astype(str)) == REGION_COLUMNS
