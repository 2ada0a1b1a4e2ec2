import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.refine.prompts import (
    boxes_in_image,
    points_in_image,
    windows_in_image,
)


def test_boxes_by_hand():
    boxes = np.array([[1, 2, 3, 4], [0, 0, 0, 0]])
    found = boxes_in_image(boxes, (5, 10), (10, 20))
    assert found.tolist() == [[2, 4, 8, 10], [0, 0, 2, 2]]


def test_an_odd_image_is_covered_to_its_edge():
    found = boxes_in_image(np.array([[0, 0, 4, 1]]), (2, 5), (5, 11))
    assert found.tolist() == [[0, 0, 11, 5]]


def test_points_are_the_middles_of_pixels():
    assert points_in_image(np.array([[1, 2]]), (5, 10), (10, 20)).tolist() == [[3, 5]]


def test_no_regions():
    none = np.zeros((0, 4), int)
    assert boxes_in_image(none, (2, 2), (4, 4)).shape == (0, 4)
    assert points_in_image(none[:, :2], (2, 2), (4, 4)).shape == (0, 2)


@given(st.integers(1, 4096))
def test_the_last_box_ends_exactly_at_the_edge(side):
    grid = max(1, side // 2)
    last = np.array([[0, 0, grid - 1, grid - 1]])
    found = boxes_in_image(last, (grid, grid), (side, side))
    assert found.tolist() == [[0, 0, side, side]]


@given(st.integers(1, 50), st.integers(1, 50), st.data())
def test_a_point_lies_in_the_box_of_its_pixel(height, width, data):
    grid = (max(1, height // 2), max(1, width // 2))
    x, y = (
        data.draw(st.integers(0, grid[1] - 1)),
        data.draw(st.integers(0, grid[0] - 1)),
    )
    ((x0, y0, x1, y1),) = boxes_in_image(
        np.array([[x, y, x, y]]), grid, (height, width)
    )
    ((px, py),) = points_in_image(np.array([[x, y]]), grid, (height, width))
    assert x0 < px < x1 <= width
    assert y0 < py < y1 <= height


@given(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 40)] * 2))
def test_windows_hold_all_pixels_of_their_regions(grid, size):
    labels = np.arange(1, grid[0] * grid[1] + 1, dtype=np.int32).reshape(grid)
    rows = np.minimum(np.arange(size[0]) * grid[0] // size[0], grid[0] - 1)
    columns = np.minimum(np.arange(size[1]) * grid[1] // size[1], grid[1] - 1)
    shown = labels[np.ix_(rows, columns)]
    y, x = np.indices(grid).reshape(2, -1)
    windows = windows_in_image(np.stack([x, y, x, y], 1), grid, size)
    for region, window in enumerate(windows, 1):
        assert (shown[window] == region).sum() == (shown == region).sum()
