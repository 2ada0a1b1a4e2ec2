from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_s2clip.planes import take_plane


def viewer_with(data: Any, **options: Any) -> tuple[ViewerModel, Image]:
    viewer = ViewerModel()
    return viewer, viewer.add_image(data, **options)


def test_plane_of_a_grey_image_is_all_of_it() -> None:
    data = np.arange(12, dtype=np.uint16).reshape(3, 4)
    plane = take_plane(*viewer_with(data, contrast_limits=(2, 9)))
    np.testing.assert_array_equal(plane.read(), data)
    assert plane.shape == (3, 4)
    assert (plane.rgb, plane.contrast_limits) == (False, (2.0, 9.0))
    assert (plane.hidden, plane.position, plane.notes) == ((), (), ())


@pytest.mark.parametrize("colours", [3, 4])
def test_plane_of_a_colour_image_keeps_its_colours(colours: int) -> None:
    data = np.zeros((5, 6, colours), np.uint8)
    plane = take_plane(*viewer_with(data, rgb=True))
    assert plane.read().shape == (5, 6, colours)
    assert (plane.shape, plane.rgb, plane.contrast_limits) == ((5, 6), True, None)


def test_plane_of_a_stack_is_the_current_slice() -> None:
    data = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    viewer, layer = viewer_with(data, axis_labels=("t", "z", "y", "x"))
    viewer.dims.current_step = (1, 2, 0, 0)
    plane = take_plane(viewer, layer)
    np.testing.assert_array_equal(plane.read(), data[1, 2])
    assert (plane.hidden, plane.position) == ((0, 1), (1, 2))
    (note,) = plane.notes
    assert note == (
        "only one slice was segmented: 1 (of 0 to 1) along axis t, 2 (of 0 to 2) along "
        "axis z"
    )
    assert plane.lift(np.zeros((4, 5))).shape == (1, 1, 4, 5)


def test_an_axis_with_one_slice_is_not_worth_a_word() -> None:
    viewer, layer = viewer_with(np.zeros((1, 4, 5)))
    assert take_plane(viewer, layer).notes == ()


def test_plane_is_the_slice_of_other_axes_where_these_are_shown() -> None:
    data = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    viewer, layer = viewer_with(data)
    viewer.dims.order = (1, 2, 0)  # x down, z across; a slice of y
    viewer.dims.current_step = (0, 3, 0)
    plane = take_plane(viewer, layer)
    np.testing.assert_array_equal(plane.read(), data[:, 3, :])
    assert plane.lift(plane.read()).shape == (3, 1, 5)


def test_plane_in_three_dimensions_is_a_slice_too() -> None:
    viewer, layer = viewer_with(np.zeros((3, 4, 5)))
    viewer.dims.ndisplay = 3
    assert take_plane(viewer, layer).shape == (4, 5)


def test_flat_image_among_stacks_is_taken_whole() -> None:
    viewer, layer = viewer_with(np.zeros((4, 5)))
    viewer.add_image(np.zeros((3, 4, 5)))
    viewer.dims.order = (1, 0, 2)
    plane = take_plane(viewer, layer)
    assert (plane.shape, plane.hidden) == ((4, 5), ())


def test_lazy_data_are_not_read_before_the_run() -> None:
    read = []

    def block(block_info: Any = None) -> np.ndarray:
        read.append(block_info)
        return np.ones((1, 4, 5), np.uint8)

    data = da.map_blocks(block, chunks=((1, 1), (4,), (5,)), dtype=np.uint8)
    viewer, layer = viewer_with(data, contrast_limits=(0, 255))
    read.clear()
    plane = take_plane(viewer, layer)
    assert not read
    assert plane.read().sum() == 20


@pytest.mark.parametrize(
    ("sides", "level"),
    [((4096, 2048), 0), ((4100, 2050), 1), ((20000, 10000, 5000), 2)],
)
def test_pyramid_level_is_the_finest_that_is_not_too_large(
    sides: tuple[int, ...], level: int
) -> None:
    levels = [da.zeros((8, side), dtype=np.uint8, chunks=2048) for side in sides]
    plane = take_plane(*viewer_with(levels, multiscale=True, contrast_limits=(0, 255)))
    assert plane.shape == (8, sides[level])
    assert bool(plane.notes) == bool(level)
    assert all(f"level {level} of the pyramid" in note for note in plane.notes)


def corners(layer: Image | Labels) -> np.ndarray:
    """Outer corners of the first and the last pixel, in the world."""
    ends = np.array([np.full(layer.ndim, -0.5), np.array(layer.data.shape) - 0.5])
    return np.array([layer.data_to_world(end) for end in ends])


@pytest.mark.parametrize(
    "options",
    [
        {"scale": (2.0, 0.5), "translate": (10.0, -3.0)},
        {"rotate": 30, "scale": (2.0, 1.0)},
        {"shear": [0.3], "translate": (1.0, 2.0)},
        {"affine": np.array([[1.0, 0.2, 5], [0, 2, -1], [0, 0, 1]]), "rotate": 20},
        {"units": ("um", "um"), "axis_labels": ("down", "right")},
    ],
    ids=["scale", "rotate", "shear", "affine", "units"],
)
def test_labels_lie_exactly_on_the_image(options: dict[str, Any]) -> None:
    viewer, layer = viewer_with(np.zeros((6, 8)), **options)
    plane = take_plane(viewer, layer)
    labels = Labels(plane.lift(np.zeros((6, 8), int)), **plane.placement)
    np.testing.assert_allclose(corners(labels), corners(layer), atol=1e-9)
    assert labels.units == layer.units
    assert labels.axis_labels == layer.axis_labels


def test_labels_of_a_slice_lie_on_the_slice() -> None:
    viewer, layer = viewer_with(
        np.zeros((5, 6, 8)), scale=(3.0, 2.0, 0.5), translate=(100.0, 10.0, 1.0)
    )
    viewer.dims.current_step = (4, 0, 0)
    plane = take_plane(viewer, layer)
    labels = Labels(plane.lift(np.zeros((6, 8), int)), **plane.placement)
    # Slice 4 reaches from 100 + 3 * 3.5 to 100 + 3 * 4.5 along z.
    expected = [(110.5, 9.0, 0.75), (113.5, 21.0, 4.75)]
    np.testing.assert_allclose(corners(labels), expected)


def test_labels_of_a_coarser_level_have_the_edges_of_the_finest() -> None:
    levels = [np.zeros((8, 8192), np.uint8), np.zeros((4, 2048), np.uint8)]
    viewer, layer = viewer_with(levels, scale=(2.0, 0.5), translate=(7.0, 0.0))
    plane = take_plane(viewer, layer)
    labels = Labels(np.zeros(plane.shape, int), **plane.placement)
    # Pixels reach from -0.5 to 7.5 and to 8191.5, before scale and translation.
    np.testing.assert_allclose(corners(labels), [(6.0, -0.25), (22.0, 4095.75)])
    np.testing.assert_allclose(labels.scale, (4.0, 2.0))


def test_a_later_change_of_the_layer_does_not_move_the_plane() -> None:
    viewer, layer = viewer_with(np.zeros((6, 8)), scale=(2.0, 2.0))
    plane = take_plane(viewer, layer)
    layer.scale = (5.0, 5.0)
    np.testing.assert_array_equal(plane.placement["scale"], (2.0, 2.0))


@pytest.mark.parametrize("step", range(5))
def test_slice_is_the_one_shown_where_units_differ(step: int) -> None:
    # napari shows nm and µm in one world, whose units need not be those of the layer.
    data = np.arange(5)[:, None, None] * np.ones((5, 6, 8))
    viewer, layer = viewer_with(data, units=("um",) * 3, scale=(2.0, 1.0, 1.0))
    viewer.add_image(np.zeros((9, 6, 8)), units=("nm",) * 3, scale=(1000.0,) * 3)
    viewer.dims.set_point(0, 2000 * step)
    plane = take_plane(viewer, layer)
    assert plane.position == (step,)
    assert (plane.read() == step).all()
    labels = Labels(plane.lift(np.zeros((6, 8), int)), **plane.placement)
    np.testing.assert_allclose(labels.translate, (2 * step, 0, 0))
