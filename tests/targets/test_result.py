from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_s2clip.planes import Scope, take_target
from napari_s2clip.targets import TARGET_COLUMNS, TargetResult


def target_of(shape: tuple[int, ...], **scope: Any) -> Any:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros(shape, np.uint8))
    return take_target(viewer, layer, Scope(**scope))


def test_result_of_one_segmentation_has_an_axis_of_planes(make_result: Any) -> None:
    segmentation = make_result((8, 12))
    result = TargetResult.of(segmentation, target_of((8, 12)))
    for name in ("coarse", "regions", "refined", "probabilities"):
        found = getattr(result, name)
        np.testing.assert_array_equal(found[0], getattr(segmentation, name))
    assert result.owners.shape == (1, 8, 12)
    assert result.owners.dtype == np.int32
    assert dict(result.region_table.dtypes.astype(str)) == TARGET_COLUMNS
    assert "1 × 8 × 12 px" in repr(result)


def test_table_is_in_pixels_of_the_whole_image(make_result: Any) -> None:
    segmentation = make_result((8, 12))
    target = target_of((5, 20, 30), ranges=((0, 3, 3),), window=(10, 4, 18, 16))
    table = TargetResult.of(segmentation, target).region_table
    given = segmentation.region_table
    assert (table["x_max"] - given["x_max"] == 4).all()
    assert (table["point_y"] - given["point_y"] == 10).all()
    assert set(table["plane"]) == {0}
    assert set(table["position"]) == {(3,)}


def test_table_without_regions_keeps_its_columns(make_result: Any) -> None:
    segmentation = make_result((8, 12))
    empty = segmentation.region_table.iloc[:0]
    object.__setattr__(segmentation, "region_table", empty)
    table = TargetResult.of(segmentation, target_of((8, 12))).region_table
    assert dict(table.dtypes.astype(str)) == TARGET_COLUMNS


@pytest.mark.parametrize("scope", [{}, {"ranges": ((0, 0, 1),)}])
def test_result_of_another_size_is_refused(
    make_result: Any, scope: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="segment it again"):
        TargetResult.of(make_result((8, 12)), target_of((2, 8, 13), **scope))
