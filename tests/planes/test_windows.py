from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Shapes

from napari_s2clip.planes import field_of_view, is_upright, rectangle


def look(
    viewer: ViewerModel, centre: tuple[float, float], zoom: float = 1.0
) -> ViewerModel:
    """Point the camera; the canvas is 800 × 600 px."""
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    camera.center = (0, *centre)
    camera.zoom = zoom
    return viewer


def image(shape: tuple[int, ...], **options: Any) -> tuple[ViewerModel, Image]:
    viewer = ViewerModel()
    return viewer, viewer.add_image(np.zeros(shape, np.uint8), **options)


def test_what_is_in_sight_is_around_the_middle_of_the_camera() -> None:
    viewer, layer = image((2000, 3000))
    # 400 × 300 px, from 799.5 to 1199.5 and from 349.5 to 649.5.
    look(viewer, (999.5, 499.5), zoom=2)
    assert field_of_view(viewer, layer) == (800, 350, 1200, 650)


def test_part_of_the_canvas_beside_the_image_is_left_out() -> None:
    viewer, layer = image((2000, 3000))
    look(viewer, (-0.5, 2999.5))
    assert field_of_view(viewer, layer) == (0, 2700, 400, 3000)


def test_sight_follows_scale_and_translation() -> None:
    viewer, layer = image((2000, 3000), scale=(0.5, 2), translate=(100, -50))
    look(viewer, (100 + 0.5 * 999.5, -50 + 2 * 499.5))
    assert field_of_view(viewer, layer) == (200, 350, 1800, 650)


def test_sight_of_a_rotated_image_is_the_window_around_it() -> None:
    viewer, layer = image((2000, 2000), rotate=90)
    # What is down on the canvas is along the columns, so 800 × 600 become 600 × 800.
    middle = np.asarray(layer.data_to_world((999.5, 999.5)))
    look(viewer, tuple(middle))
    assert field_of_view(viewer, layer) == (700, 600, 1300, 1400)
    layer.rotate = 45
    look(viewer, tuple(layer.data_to_world((999.5, 999.5))))
    top, left, bottom, right = field_of_view(viewer, layer)
    assert bottom - top == right - left == 990  # (600 + 800) / √2


def test_sight_is_on_the_axes_that_are_shown() -> None:
    viewer, layer = image((40, 50, 60))
    viewer.dims.order = (1, 2, 0)  # the last axis down, the first across
    look(viewer, (29.5, 19.5), zoom=40)  # 20 × 15
    assert field_of_view(viewer, layer) == (12, 20, 28, 40)


def test_sight_is_in_the_units_of_the_image() -> None:
    viewer, layer = image((2000, 3000), units=("um", "um"))
    viewer.add_image(np.zeros((9, 9)), units=("nm", "nm"), scale=(1000, 1000))
    unit = getattr(viewer.layers, "units", None)
    factor = 1000 if unit is not None and str(unit[0]) == "nanometer" else 1
    look(viewer, (999.5 * factor, 499.5 * factor), zoom=2 / factor)
    assert field_of_view(viewer, layer) == (800, 350, 1200, 650)


def test_image_out_of_sight_is_an_error() -> None:
    viewer, layer = image((20, 30), name="cells")
    look(viewer, (5000, 5000))
    with pytest.raises(ValueError, match=r"^window: nothing of 'cells' is in sight; "):
        field_of_view(viewer, layer)


def test_three_dimensions_have_no_window() -> None:
    viewer, layer = image((5, 20, 30))
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="show it in 2D"):
        field_of_view(viewer, layer)


BOX = np.array([[2, 3], [2, 9], [7, 9], [7, 3]], float)


@pytest.mark.parametrize(
    ("kind", "vertices", "upright"),
    [
        ("rectangle", BOX, True),
        ("ellipse", BOX, False),
        ("polygon", [[2, 5], [7, 3], [4, 9]], False),
        ("rectangle", [[2, 6], [4, 3], [7, 6], [5, 9]], False),  # turned
    ],
)
def test_window_is_the_rectangle_around_a_shape(
    kind: str, vertices: Any, upright: bool
) -> None:
    viewer, layer = image((20, 30))
    shapes = viewer.add_shapes([vertices], shape_type=kind)
    # From the middle of pixel 2 to that of pixel 7, all that are touched.
    assert rectangle(viewer, shapes, layer) == (2, 3, 8, 10)
    assert is_upright(viewer, shapes, layer) is upright


def test_edges_of_pixels_are_not_rounded_outwards() -> None:
    viewer, layer = image((20, 30), scale=(0.1, 0.3))
    edges = (BOX - 0.5) * (0.1, 0.3)
    assert rectangle(viewer, viewer.add_shapes([edges]), layer) == (2, 3, 7, 9)


def test_rectangle_is_the_selected_one_else_the_last() -> None:
    viewer, layer = image((40, 40))
    shapes = viewer.add_shapes([BOX, BOX + 5, BOX + 10])
    assert rectangle(viewer, shapes, layer) == (12, 13, 18, 20)
    shapes.selected_data = {1}
    assert rectangle(viewer, shapes, layer) == (7, 8, 13, 15)
    assert rectangle(viewer, shapes, layer, 0) == (2, 3, 8, 10)
    with pytest.raises(ValueError, match="no shape 3"):
        rectangle(viewer, shapes, layer, 3)


def test_rectangle_goes_through_the_world() -> None:
    options = {"scale": (2, 0.5), "rotate": 30, "translate": (7, -3)}
    viewer, layer = image((40, 40), **options)
    world = [layer.data_to_world(vertex) for vertex in BOX]
    shapes = Shapes([np.array(world) / 4], scale=(4, 4))
    assert rectangle(viewer, shapes, layer) == (2, 3, 8, 10)
    # A rectangle of the world is a window around it in a rotated image.
    assert rectangle(viewer, Shapes([BOX]), layer) != (2, 3, 8, 10)
    assert is_upright(viewer, shapes, layer)
    assert not is_upright(viewer, Shapes([BOX]), layer)


def test_rectangle_on_another_slice_is_taken() -> None:
    viewer, layer = image((5, 20, 30))
    box = np.insert(BOX, 0, 4, axis=1)
    viewer.dims.current_step = (1, 0, 0)
    assert rectangle(viewer, viewer.add_shapes([box]), layer) == (2, 3, 8, 10)
    assert rectangle(viewer, Shapes([BOX]), layer) == (2, 3, 8, 10)


def test_rectangle_is_clipped_to_the_image() -> None:
    viewer, layer = image((5, 6))
    assert rectangle(viewer, viewer.add_shapes([BOX]), layer) == (2, 3, 5, 6)


@pytest.mark.parametrize(
    ("vertices", "message"),
    [
        ([], "^window: 'boxes' has no shape; draw a rectangle$"),
        ([[[3, 4], [3, 4], [3, 4], [3, 4]]], "has no area; draw a larger one$"),
        ([[[3, 4], [3, 9], [3, 9], [3, 4]]], "has no area; draw a larger one$"),
        ([BOX + 100], "lies outside 'photo'; draw it on the image$"),
    ],
    ids=["none", "point", "line", "outside"],
)
def test_rectangle_without_pixels_is_an_error(vertices: Any, message: str) -> None:
    viewer, layer = image((20, 30), name="photo")
    shapes = Shapes(vertices or None, ndim=2, name="boxes")
    with pytest.raises(ValueError, match=message):
        rectangle(viewer, shapes, layer)
