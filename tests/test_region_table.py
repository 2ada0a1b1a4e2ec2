"""The table of regions against lengths worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from napari_s2clip import ClassEntry, ClassSet
from napari_s2clip.refine.result import Refinement
from napari_s2clip.region_table import region_table
from napari_s2clip.regions import (
    find_regions,
    full_resolution_regions,
    half_resolution,
)
from napari_s2clip.results import REGION_COLUMNS


def table_of(shape, classes=None):
    """The left half is class 1, surest where the image is darkest; nothing else is."""
    coarse = np.zeros(shape, np.uint16)
    coarse[:, : shape[1] // 2] = 1
    p = (0.5 * coarse[None]).astype(np.float32)
    small, halves = half_resolution(coarse, p)
    halves[0, 1, 1] = 0.9
    regions = find_regions(small, halves, min_area=1)
    region_map = full_resolution_regions(regions, coarse)
    refinement = Refinement.none(coarse, region_map, len(regions))
    return region_table(regions, region_map, small.shape, refinement, classes)


@pytest.mark.parametrize(
    ("shape", "box", "point", "area"),
    [
        # Grid 2 × 4: a cell is 2 × 2 px, its middle lies between pixels.
        ((4, 8), [0, 0, 4, 4], (3, 3), 16),
        # Grid 2 × 4: a cell is 2.5 px high and 2.25 px wide.
        ((5, 9), [0, 0, 4.5, 5], (3.375, 3.75), 20),
    ],
    ids=["even", "odd"],
)
def test_lengths_are_pixels_of_the_image(shape, box, point, area):
    (row,) = table_of(shape).itertuples()
    assert [row.x_min, row.y_min, row.x_max, row.y_max] == box
    assert (row.point_x, row.point_y) == point
    assert row.area == area


def test_every_column_is_described():
    page = Path(__file__).parents[1] / "docs" / "cli.md"
    text = page.read_text(encoding="utf-8")
    assert [name for name in REGION_COLUMNS if f"`{name}`" not in text] == []


def test_classes_have_names_where_there_are_any():
    named = table_of((4, 8), ClassSet(["cat"]))
    assert list(named) == list(REGION_COLUMNS)
    assert named["class_name"].tolist() == ["cat"]
    other = table_of((4, 8), ClassSet([ClassEntry("cat", id=7)]))
    assert other[["class_id", "class_name"]].to_numpy().tolist() == [[7, "cat"]]
    nameless = table_of((4, 8))
    assert list(nameless) == [name for name in REGION_COLUMNS if name != "class_name"]
    assert nameless["class_id"].tolist() == [1]
