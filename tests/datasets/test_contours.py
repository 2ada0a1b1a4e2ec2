import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_s2clip.datasets.contours import fill, join, outlines

_masks = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(bool, shape)
)


def _filled(polygons, shape):
    masks = [fill(polygon, shape) for polygon in polygons]
    return np.logical_or.reduce([np.zeros(shape, bool), *masks])


@settings(max_examples=300, deadline=None)
@given(_masks)
def test_outlines_fill_to_the_pixels_they_were_made_of(mask):
    np.testing.assert_array_equal(_filled(outlines(mask), mask.shape), mask)


@pytest.mark.parametrize("density", [0.5, 0.7, 0.95])
def test_many_holes_are_left_open(density):
    mask = np.random.default_rng(0).random((150, 170)) < density
    np.testing.assert_array_equal(_filled(outlines(mask), mask.shape), mask)


def test_a_ring_is_one_outline():
    mask = np.ones((7, 9), bool)
    mask[2:5, 3:6] = False
    (polygon,) = outlines(mask)
    assert fill(polygon, mask.shape).sum() == 7 * 9 - 9


@pytest.mark.parametrize("mask", [[[1]], [[1, 1]], [[1], [1], [1]], [[1, 0], [0, 1]]])
def test_points_and_lines_have_three_corners(mask):
    (polygon,) = outlines(np.array(mask, bool))
    assert len(polygon) == 3


def test_straight_edges_have_no_points_between_their_corners():
    (polygon,) = outlines(np.ones((20, 30), bool))
    assert sorted(polygon.tolist()) == [[0, 0], [0, 19], [29, 0], [29, 19]]


def test_joined_parts_lose_no_pixel_and_gain_a_bridge():
    mask = np.zeros((5, 20), bool)
    mask[:, :4] = mask[:, 8:12] = mask[1:3, 16:] = True
    filled = fill(join(outlines(mask)), mask.shape)
    assert filled[mask].all()
    assert filled.sum() - mask.sum() == 4 + 4  # a row of pixels in either gap
