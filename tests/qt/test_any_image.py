"""Runs on any image napari can show, through the widget; the models are fake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

if TYPE_CHECKING:
    from napari_s2clip._qt.scope_panel import ScopePanel


@pytest.fixture
def run_on(viewer: Any, widget: Any, finish: Any) -> Any:
    """Add an image, run on it and give its refined labels."""

    def run(data: Any, prepare: Any = lambda scope: None, **options: Any) -> Any:
        layer = viewer.add_image(data, name="image", **options)
        widget.image.choose(layer)
        prepare(widget.scope)
        widget.start()
        assert widget.run.running, widget.run.status.text()
        finish(widget)
        return next(lay for lay in viewer.layers if "refined" in lay.name)

    return run


def grey(*shape: int) -> Any:
    return np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)


def all_slices(scope: ScopePanel) -> None:
    for row in scope.axes:
        row.box.setCurrentIndex(row.box.findData("all"))


@pytest.mark.parametrize(
    ("data", "options", "calls"),
    [
        (grey(8, 12), {}, [(8, 12, 3)]),
        (grey(8, 12, 4), {"rgb": True}, [(8, 12, 3)]),
        (grey(8, 12).astype(np.uint16) * 77, {}, [(8, 12, 3)]),
        (grey(8, 12) / 7, {}, [(8, 12, 3)]),
        (grey(8, 12) > 40, {}, [(8, 12, 3)]),
        (da.from_array(grey(8, 12), chunks=4), {}, [(8, 12, 3)]),
    ],
    ids=["grey", "RGBA", "uint16", "float", "bool", "dask"],
)
def test_one_plane(
    run_on: Any, models: Any, data: Any, options: Any, calls: Any
) -> None:
    refined = run_on(data, **options)
    assert refined.data.shape == (8, 12)
    assert [c[1] for c in models.calls if c[0] == "encode"] == calls


def test_the_current_slice_of_a_stack(viewer: Any, run_on: Any, models: Any) -> None:
    refined = run_on(grey(5, 8, 12))
    assert refined.data.shape == (5, 8, 12)
    shown = viewer.dims.current_step[0]
    assert [bool(plane.any()) for plane in refined.data] == [
        i == shown for i in range(5)
    ]


def test_all_slices_of_all_axes(run_on: Any, models: Any) -> None:
    refined = run_on(grey(2, 3, 8, 12), all_slices)
    assert refined.data.shape == (2, 3, 8, 12)
    assert all(plane.any() for plane in refined.data.reshape(6, 8, 12))
    assert models.count("encode") == 6


def test_a_rerun_on_another_slice_goes_into_the_same_layers(
    viewer: Any, widget: Any, run_on: Any, finish: Any
) -> None:
    refined = run_on(grey(3, 8, 12))
    first = viewer.dims.current_step[0]
    other = (first + 1) % 3
    viewer.dims.set_current_step(0, other)
    widget.start()
    finish(widget)
    assert viewer.layers["image refined"] is refined
    assert refined.data[first].any()
    assert refined.data[other].any()
    regions = widget.review.review
    assert regions is not None
    assert len(regions) == 4  # two a slice


def test_a_level_of_a_pyramid(run_on: Any, viewer: Any) -> None:
    base = grey(64, 96)
    pyramid = [base, base[::2, ::2], base[::4, ::4]]

    def coarsest(scope: ScopePanel) -> None:
        scope.level.setCurrentIndex(scope.level.findData(2))

    refined = run_on(pyramid, coarsest, multiscale=True, scale=(0.5, 0.5))
    assert refined.name == "image (level 2) refined"
    assert refined.data.shape == (16, 24)
    np.testing.assert_allclose(refined.scale, (2.0, 2.0))
    # The same corner of the world.
    np.testing.assert_allclose(refined.translate, (0.75, 0.75))


def test_scaled_and_rotated(run_on: Any) -> None:
    refined = run_on(
        grey(8, 12),
        scale=(3, 2),
        rotate=30,
        translate=(5, 6),
        units=("µm", "µm"),
        axis_labels=("y", "x"),
    )
    np.testing.assert_allclose(refined.scale, (3, 2))
    np.testing.assert_allclose(refined.translate, (5, 6))
    assert [str(unit) for unit in refined.units] == ["micrometer", "micrometer"]
    assert refined.axis_labels == ("y", "x")
    image_corner = Image(
        grey(8, 12), scale=(3, 2), rotate=30, translate=(5, 6)
    ).data_to_world((7, 11))
    np.testing.assert_allclose(refined.data_to_world((7, 11)), image_corner)


def test_channels_become_red_green_and_blue(
    run_on: Any, models: Any, widget: Any
) -> None:
    data = np.zeros((4, 8, 12), np.uint8)

    def three(scope: ScopePanel) -> None:
        scope.channels.box.setCurrentIndex(scope.channels.box.findData(0))

    refined = run_on(data, three)
    assert refined.data.shape == (8, 12)
    assert refined.ndim == 2


def test_a_large_image_is_cut_into_tiles(run_on: Any, models: Any, widget: Any) -> None:
    def small(scope: ScopePanel) -> None:
        scope.tiles.tile.setValue(128)
        scope.tiles.overlap.setValue(16)

    refined = run_on(da.zeros((200, 300), chunks=64, dtype=np.uint8), small)
    assert refined.data.shape == (200, 300)
    assert models.count("encode") >= 1
    assert "tiles" in refined.metadata["napari_s2clip"]["provenance"]


def test_a_rectangle(viewer: Any, widget: Any, run_on: Any) -> None:
    viewer.add_shapes(np.array([[2.0, 3], [2, 9], [6, 9], [6, 3]]), name="box")

    def inside(scope: ScopePanel) -> None:
        scope.area.choose("rectangle")

    refined = run_on(grey(8, 12), inside)
    rows, columns = np.nonzero(refined.data)
    assert rows.min() >= 2
    assert columns.min() >= 3
    assert rows.max() <= 6
    assert columns.max() <= 9


def test_a_cancelled_run_over_slices_leaves_nothing(
    viewer: Any, widget: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    layer = viewer.add_image(grey(3, 8, 12), name="image")
    widget.image.choose(layer)
    all_slices(widget.scope)
    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    qtbot.waitUntil(lambda: "slice 1 of 3" in widget.run.status.text())
    widget.cancel()
    finish(widget)
    assert [lay.name for lay in viewer.layers] == ["photo", "image"]
    assert widget.run.status.text() == "Cancelled; nothing was changed."


def test_probability_images(viewer: Any, widget: Any, run_on: Any) -> None:
    widget.outputs.probabilities.setChecked(True)
    run_on(grey(8, 12))
    names = [layer.name for layer in viewer.layers]
    assert "image p(cat)" in names
    assert "image p(dog)" in names
    assert widget.image.layer() is viewer.layers["image"]


def test_labels_that_were_deleted_in_a_run_are_made_anew(
    viewer: Any, widget: Any, run_on: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    refined = run_on(grey(8, 12))
    models.hold = True
    models.waiting.clear()
    refined_name = refined.name
    viewer.layers["image"].data[:] = 3
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    viewer.layers.remove(refined)
    models.go.set()
    finish(widget)
    assert refined_name in [layer.name for layer in viewer.layers]
