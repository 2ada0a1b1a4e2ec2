"""Which planes, window, level and channels a run takes, and where its labels lie."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_s2clip.planes import Channels, Scope, take_target

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

NUMBERS = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)


def image(data: Any, **options: Any) -> tuple[ViewerModel, Image]:
    viewer = ViewerModel()
    return viewer, viewer.add_image(data, **options)


def test_target_by_default_is_the_plane_that_is_shown() -> None:
    viewer, layer = image(NUMBERS, axis_labels=("t", "z", "y", "x"), name="cells")
    viewer.dims.current_step = (1, 2, 0, 0)
    target = take_target(viewer, layer)
    (plane,) = target.planes
    np.testing.assert_array_equal(plane.read(), NUMBERS[1, 2])
    assert plane.at == (1, 2, slice(0, 4), slice(0, 5))
    assert target.shape == (2, 3, 4, 5)
    assert (target.image_id, target.image_name) == (str(layer.unique_id), "cells")
    assert (target.level, target.plane_shape) == (0, (4, 5))


def test_all_combinations_of_ranges_in_order() -> None:
    viewer, layer = image(NUMBERS, axis_labels=("t", "z", "y", "x"))
    target = take_target(viewer, layer, Scope(ranges=((1, 1, 2), (0, 0, 1))))
    where = [plane.at[:2] for plane in target.planes]
    assert where == [(0, 1), (0, 2), (1, 1), (1, 2)]
    for plane in target.planes:
        np.testing.assert_array_equal(plane.read(), NUMBERS[plane.at])
    (note,) = target.notes
    assert note.startswith("4 slices were segmented: 0 to 1 (of 0 to 1) along axis t, ")


def test_axes_without_a_range_stay_where_they_are() -> None:
    viewer, layer = image(NUMBERS)
    viewer.dims.current_step = (1, 2, 0, 0)
    target = take_target(viewer, layer, Scope(ranges=((0, 0, 1),)))
    assert [plane.at[:2] for plane in target.planes] == [(0, 2), (1, 2)]


def test_ranges_are_of_hidden_axes_whichever_they_are() -> None:
    viewer, layer = image(NUMBERS)
    viewer.dims.current_step = (0, 0, 0, 0)
    viewer.dims.order = (1, 2, 3, 0)  # x and t on the canvas
    target = take_target(viewer, layer, Scope(ranges=((1, 0, 2),)))
    assert [plane.shape for plane in target.planes] == [(2, 5)] * 3
    for z, plane in enumerate(target.planes):
        np.testing.assert_array_equal(plane.read(), NUMBERS[:, z, 0, :])
        assert plane.at == (slice(0, 2), z, 0, slice(0, 5))
        np.testing.assert_array_equal(
            plane.lift(plane.read()), NUMBERS[:, z : z + 1, :1]
        )


def test_window_is_a_part_of_every_plane() -> None:
    viewer, layer = image(NUMBERS)
    scope = Scope(ranges=((1, 0, 2),), window=(1, 2, 4, 99))
    target = take_target(viewer, layer, scope)
    for plane in target.planes:
        assert (plane.shape, plane.window) == ((3, 3), (slice(1, 4), slice(2, 5)))
        np.testing.assert_array_equal(plane.read(), NUMBERS[plane.at])
    assert target.shape == (2, 3, 4, 5)


def pyramid(shape: tuple[int, int], *factors: int) -> list[Any]:
    return [
        da.zeros(tuple(n // f for n in shape), dtype=np.uint8, chunks=2048)
        for f in factors
    ]


def test_level_is_chosen_or_found() -> None:
    levels = pyramid((16384, 8192), 1, 2, 4, 8)
    viewer, layer = image(levels, contrast_limits=(0, 255))
    assert take_target(viewer, layer).level == 2
    assert take_target(viewer, layer, Scope(level=3)).shape == (2048, 1024)
    assert take_target(viewer, layer, Scope(level=0)).plane_shape == (16384, 8192)
    # Of a window the finest level that is not too large.
    close = take_target(viewer, layer, Scope(window=(100, 8, 4100, 1000)))
    assert (close.level, close.plane_shape) == (0, (4000, 992))


def test_window_of_a_coarser_level_holds_all_its_pixels() -> None:
    viewer, layer = image(pyramid((4096, 4096), 1, 4), contrast_limits=(0, 255))
    target = take_target(viewer, layer, Scope(level=1, window=(7, 8, 16, 17)))
    assert target.planes[0].window == (slice(1, 4), slice(2, 5))


def test_slices_that_are_one_on_a_coarser_level_are_taken_once() -> None:
    levels = [NUMBERS[0].repeat(2, 0), NUMBERS[0]]
    viewer, layer = image(levels, multiscale=True, contrast_limits=(0, 60))
    target = take_target(viewer, layer, Scope(level=1, ranges=((0, 1, 5),)))
    assert [plane.at[0] for plane in target.planes] == [0, 1, 2]
    assert [plane.position for plane in target.planes] == [(1,), (2,), (4,)]


def test_channels_become_colours_and_their_axis_goes() -> None:
    viewer, layer = image(NUMBERS.astype(np.uint16), axis_labels=tuple("ctyx"))
    viewer.dims.current_step = (0, 2, 0, 0)
    target = take_target(viewer, layer, Scope(channels=Channels(0, 1, 0, 1)))
    (plane,) = target.planes
    assert plane.rgb
    assert target.shape == (3, 4, 5)
    assert plane.at == (2, slice(0, 4), slice(0, 5))
    np.testing.assert_array_equal(plane.read()[..., 0], NUMBERS[1, 2])
    np.testing.assert_array_equal(plane.read()[..., 1], NUMBERS[0, 2])
    assert target.placement["axis_labels"] == ("t", "y", "x")
    assert target.notes[1] == "channels 1, 0, 1 of axis c were red, green and blue"


def test_one_channel_is_grey() -> None:
    viewer, layer = image(NUMBERS.astype(np.uint16))
    viewer.dims.current_step = (0, 0, 0, 0)
    target = take_target(viewer, layer, Scope(channels=Channels(-4, 1, 1, 1)))
    (plane,) = target.planes
    np.testing.assert_array_equal(plane.read(), NUMBERS[1, 0])
    assert np.ptp(plane.tile().pixels, axis=2).max() == 0


def test_channels_between_other_axes_become_one_pixel() -> None:
    # napari fits axes from the last one, so a slider that is dropped must be the first.
    viewer, layer = image(NUMBERS.astype(np.uint16), scale=(5, 2, 1, 1))
    scope = Scope(ranges=((0, 0, 1),), channels=Channels(1, 0, 1, 2))
    target = take_target(viewer, layer, scope)
    assert target.shape == (2, 1, 4, 5)
    assert [plane.at[:2] for plane in target.planes] == [(0, 0), (1, 0)]
    labels = Labels(np.zeros(target.shape, int), **target.placement)
    np.testing.assert_allclose(edges(labels), edges(layer), atol=1e-9)


def edges(layer: Image | Labels) -> np.ndarray:
    """Outer corners of the first and last pixel of the finest level, in the world."""
    data = layer.data[0] if layer.multiscale else layer.data
    ends = np.array([np.full(layer.ndim, -0.5), np.array(data.shape) - 0.5])
    return np.array([layer.data_to_world(end) for end in ends])


PLACES = {
    "scale": {"scale": (3, 2, 0.5), "translate": (10, -3, 7)},
    "rotate": {"rotate": (0, 0, 30), "scale": (1, 2, 0.5)},
    "tilt": {"rotate": (20, 30, 40), "scale": (4, 2, 1)},
    "shear": {"shear": (0, 0, 0.3), "translate": (1, 2, 3)},
    "affine": {
        "affine": np.array(
            [[2, 0, 0, 3], [0, 1, 0.2, 5], [0, 0, 2, -1], [0, 0, 0, 1]], float
        ),
        "rotate": (0, 0, 20),
    },
    "units": {"units": ("s", "um", "um"), "axis_labels": ("t", "down", "right")},
}


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("level", [0, 1])
def test_labels_of_the_whole_lie_exactly_on_the_image(
    options: dict[str, Any], level: int
) -> None:
    levels = [np.zeros((4, 60, 80), np.uint8), np.zeros((2, 20, 40), np.uint8)]
    viewer, layer = image(levels, multiscale=True, **options)
    target = take_target(viewer, layer, Scope(level=level))
    labels = Labels(np.zeros(target.shape, int), **target.placement)
    np.testing.assert_allclose(edges(labels), edges(layer), atol=1e-9)
    assert labels.units == layer.units
    assert labels.axis_labels == layer.axis_labels


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
def test_labels_without_channels_lie_where_the_image_does(
    options: dict[str, Any],
) -> None:
    viewer, layer = image(np.zeros((3, 6, 8), np.uint8), **options)
    target = take_target(viewer, layer, Scope(channels=Channels(0, 0, 1, 2)))
    labels = Labels(np.zeros(target.shape, int), **target.placement)
    # Where the channels are tilted in the world no layer without them can lie there.
    tilted = options is PLACES["tilt"]
    assert target.shape == ((1, 6, 8) if tilted else (6, 8))
    if tilted:
        np.testing.assert_allclose(edges(labels), edges(layer), atol=1e-9)
    else:
        np.testing.assert_allclose(edges(labels), edges(layer)[:, 1:], atol=1e-9)
        assert labels.units == layer.units[1:]


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
def test_placement_of_a_plane_is_that_of_its_window(options: dict[str, Any]) -> None:
    viewer, layer = image(np.zeros((4, 6, 8), np.uint8), **options)
    scope = Scope(ranges=((0, 3, 3),), window=(1, 2, 4, 8))
    (plane,) = take_target(viewer, layer, scope).planes
    labels = Labels(plane.lift(np.zeros(plane.shape, int)), **plane.placement)
    expected = [layer.data_to_world(p) for p in ((2.5, 0.5, 1.5), (3.5, 3.5, 7.5))]
    np.testing.assert_allclose(edges(labels), expected, atol=1e-9)


def test_target_is_a_snapshot() -> None:
    viewer, layer = image(NUMBERS.astype(np.uint16), contrast_limits=(0, 120))
    target = take_target(viewer, layer)
    before = target.planes[0].tile().pixels
    layer.contrast_limits = (0, 5)
    layer.scale = (9, 9, 9, 9)
    layer.name = "other"
    viewer.dims.current_step = (1, 1, 0, 0)
    layer.data = np.zeros((7, 7, 7, 7), np.uint16)
    np.testing.assert_array_equal(target.planes[0].tile().pixels, before)
    assert set(target.placement["scale"]) == {1.0}
    assert target.image_name == "data"


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({"ranges": ((0, 1, 2),)}, "^ranges: axis t has 2 slices and no number 2; "),
        ({"ranges": ((3, 0, 1),)}, "^ranges: axis x is shown on the canvas; "),
        ({"ranges": ((7, 0, 1),)}, "^ranges: 'cells' has 4 axes and none is 7$"),
        ({"window": (9, 0, 12, 4)}, "^window: .* lies outside the image of 4 × 5 px; "),
        ({"level": 1}, "^level: 'cells' has no level 1; choose 0$"),
        ({"channels": Channels(0, 0, 1, 2)}, "^channels: axis t has no channel 2; "),
        ({"channels": Channels(2, 0, 1, 2)}, "^channels: axis y is shown"),
        (
            {"channels": Channels(0, 0, 1, 1), "ranges": ((0, 0, 1),)},
            "^ranges: axis t holds the channels; choose another$",
        ),
    ],
)
def test_what_an_image_does_not_have_is_an_error(
    scope: dict[str, Any], message: str
) -> None:
    viewer, layer = image(NUMBERS, axis_labels=tuple("tzyx"), name="cells")
    with pytest.raises(ValueError, match=message):
        take_target(viewer, layer, Scope(**scope))


def test_colours_have_no_channels() -> None:
    viewer, layer = image(np.zeros((4, 5, 3), np.uint8), rgb=True)
    with pytest.raises(ValueError, match=r"^channels: 'data' has colours already; "):
        take_target(viewer, layer, Scope(channels=Channels(0, 0, 0, 0)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ranges": ((0, 3, 2),)}, "^ranges: 3 to 2 along axis 0 is no range; "),
        ({"ranges": ((0, 0, 1), (0, 1, 2))}, "^ranges: an axis is named twice; "),
        ({"window": (3, 3, 3, 9)}, "^window: .* holds no pixel; "),
        ({"contrast": "auto"}, "^contrast: 'auto' is unknown; "),
    ],
)
def test_scope_says_what_is_wrong(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scope(**fields)


def test_many_planes_are_in_the_order_of_the_data() -> None:
    viewer, layer = image(np.zeros((3, 2, 4, 5, 6), np.uint8))
    ranges = ((0, 0, 2), (1, 0, 1), (2, 1, 3))
    places = [p.at[:3] for p in take_target(viewer, layer, Scope(ranges)).planes]
    assert len(places) == 18
    assert all(one < other for one, other in pairwise(places))
