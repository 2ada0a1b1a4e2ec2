from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_s2clip.classes import ClassSet
from napari_s2clip.results import REGION_COLUMNS, Segmentation


def table(*rows):
    """A region table with the given ids and classes."""
    columns = {name: np.zeros(len(rows)) for name in REGION_COLUMNS}
    columns["region"] = [region for region, _ in rows]
    columns["class_id"] = [value for _, value in rows]
    columns["class_name"] = [f"class {value}" for _, value in rows]
    return pd.DataFrame(columns).astype(REGION_COLUMNS)


def segmentation(regions, rows, index=None):
    regions = np.array(regions, np.int32)
    region_table = table(*rows)
    if index is not None:
        region_table.index = index
    coarse = np.zeros(regions.shape, np.uint16)
    return Segmentation(
        classes=ClassSet(["a", "b", "c"]),
        coarse=coarse,
        regions=regions,
        region_table=region_table,
        refined=coarse,
        owners=np.zeros_like(regions),
        probabilities=np.zeros((3, *regions.shape), np.float32),
        provenance={},
    )


def test_the_class_of_each_region():
    result = segmentation([[0, 1, 1], [2, 2, 3]], [(1, 2), (2, 2), (3, 3)])
    assert result.region_classes.tolist() == [[0, 2, 2], [2, 2, 3]]
    assert result.region_classes.dtype == np.uint16


def test_rows_need_not_be_in_order():
    result = segmentation([[1, 2]], [(2, 3), (1, 1)], index=[7, 5])
    assert result.region_classes.tolist() == [[1, 3]]


def test_a_region_without_a_pixel_does_no_harm():
    result = segmentation([[1, 0]], [(1, 2), (5, 3)])
    assert result.region_classes.tolist() == [[2, 0]]


def test_no_regions():
    result = segmentation([[0, 0]], [])
    assert result.region_classes.tolist() == [[0, 0]]


def test_results_are_compared_by_identity():
    # Comparing arrays by value has no single answer.
    one, two = (segmentation([[0]], []) for _ in range(2))
    assert one == one
    assert one != two
    assert len({one, two}) == 2


def test_results_cannot_be_exchanged():
    with pytest.raises(AttributeError):
        segmentation([[0]], []).coarse = None


def test_it_prints_as_one_line(make_result):
    assert repr(make_result()) == (
        "Segmentation(8 × 12 px, classes=2, regions=2, model='fake')"
    )
