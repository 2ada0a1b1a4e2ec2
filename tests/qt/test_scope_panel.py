"""The rows that say which part of an image is segmented."""

from __future__ import annotations

import threading
from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_s2clip._qt.scope_panel import ScopePanel
from napari_s2clip.planes import Channels, Scope, take_target
from napari_s2clip.tiles import Tiling

BOX = np.array([[2, 3], [2, 9], [7, 9], [7, 3]], float)


@pytest.fixture
def viewer() -> ViewerModel:
    """All that a viewer knows, without its window, which takes seconds."""
    return ViewerModel()


@pytest.fixture
def panel(viewer: ViewerModel, qtbot: Any) -> ScopePanel:
    panel = ScopePanel(viewer)
    qtbot.addWidget(panel)
    return panel


def use(panel: ScopePanel, viewer: Any, data: Any, **options: Any) -> Image:
    layer = viewer.add_image(data, **options)
    panel.set_layer(layer)
    return layer


def rows(panel: ScopePanel) -> set[str]:
    """Labels of the rows that are there."""
    form = panel._form
    texts = set()
    for number in range(form.rowCount()):
        label = form.itemAt(number, form.ItemRole.LabelRole)
        if label is not None and form.isRowVisible(number):
            texts.add(label.widget().text().replace("&", ""))
    return texts


def choose(box: Any, value: Any) -> None:
    index = box.findData(value)
    assert index >= 0, value
    box.setCurrentIndex(index)


STACK = np.zeros((4, 3, 200, 300), np.uint16)


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (np.zeros((200, 300), np.uint8), {}, {"Area", "Contrast", "Tiles", "Overlap"}),
        (np.zeros((90, 80, 3), np.uint8), {"rgb": True}, {"Area", "Contrast"}),
        (
            np.zeros((5, 90, 80, 3), np.uint8),
            {"rgb": True, "axis_labels": ("t", "y", "x")},
            {"Area", "Contrast", "Axis t"},
        ),
        (
            STACK,
            {"axis_labels": tuple("tcyx")},
            {"Area", "Contrast", "Tiles", "Overlap", "Axis t", "Axis c", "Channels"},
        ),
        (
            [np.zeros((400, 600), np.uint8), np.zeros((200, 300), np.uint8)],
            {"multiscale": True},
            {"Area", "Contrast", "Tiles", "Overlap", "Level"},
        ),
        (
            np.zeros((1, 200, 300), np.uint8),
            {},
            {"Area", "Contrast", "Tiles", "Overlap"},
        ),
    ],
    ids=["grey", "rgb", "rgb stack", "channels", "pyramid", "one slice"],
)
def test_rows_are_those_of_the_image(
    panel: ScopePanel, viewer: Any, data: Any, options: Any, expected: set[str]
) -> None:
    layer = use(panel, viewer, data, **options)
    assert rows(panel) == expected
    assert panel.scope(viewer, layer) == Scope()


def test_without_an_image_nothing_can_be_chosen(panel: ScopePanel) -> None:
    assert not panel.isEnabled()


def test_slices_are_the_current_one_all_or_a_range(
    panel: ScopePanel, viewer: Any
) -> None:
    layer = use(panel, viewer, STACK, axis_labels=tuple("tzyx"))
    t, z = panel.axes
    choose(t.box, "range")
    t.first.setValue(1)
    t.last.setValue(2)
    choose(z.box, "all")
    assert panel.scope(viewer, layer).ranges == ((0, 1, 2), (1, 0, 2))
    # The last slice is never before the first.
    t.first.setValue(3)
    assert panel.scope(viewer, layer).ranges == ((0, 3, 3), (1, 0, 2))
    choose(t.box, "current")
    assert panel.scope(viewer, layer).ranges == ((1, 0, 2),)
    assert "axis z" in z.box.toolTip()


def test_axis_of_channels_has_no_slices(panel: ScopePanel, viewer: Any) -> None:
    layer = use(panel, viewer, STACK, axis_labels=tuple("tcyx"))
    choose(panel.axes[1].box, "all")
    choose(panel.channels.box, 1)
    assert "Axis c" not in rows(panel)
    scope = panel.scope(viewer, layer)
    assert scope == Scope(channels=Channels(1, 0, 1, 2))
    for box in panel.channels.colours:
        box.setCurrentIndex(2)
    assert panel.scope(viewer, layer).channels == Channels(1, 2, 2, 2)
    choose(panel.channels.box, None)
    assert "Axis c" in rows(panel)
    assert panel.scope(viewer, layer).ranges == ((1, 0, 2),)


def test_rows_follow_the_axes_that_are_shown(panel: ScopePanel, viewer: Any) -> None:
    use(panel, viewer, STACK, axis_labels=tuple("tzyx"))
    viewer.dims.order = (2, 0, 1, 3)
    assert [row.name for row in panel.axes] == ["axis t", "axis y"]


def test_rows_follow_the_data(panel: ScopePanel, viewer: Any) -> None:
    layer = use(panel, viewer, np.zeros((7, 200, 300), np.uint8))
    assert "First axis" in rows(panel)  # without a label
    choose(panel.axes[0].box, "all")
    layer.data = np.zeros((9, 200, 300), np.uint8)
    assert panel.axes[0].count == 9


def test_levels_are_named_by_their_size(panel: ScopePanel, viewer: Any) -> None:
    levels = [np.zeros((400 // n, 600 // n), np.uint8) for n in (1, 2, 4)]
    layer = use(panel, viewer, levels, multiscale=True)
    texts = [panel.level.itemText(i) for i in range(panel.level.count())]
    assert texts == [
        "Automatic",
        "0: 600 × 400 px",
        "1: 300 × 200 px",
        "2: 150 × 100 px",
    ]
    choose(panel.level, 2)
    assert panel.scope(viewer, layer).level == 2


def test_what_is_in_sight(panel: ScopePanel, viewer: Any, qtbot: Any) -> None:
    layer = use(panel, viewer, np.zeros((2000, 3000), np.uint8))
    choose(panel.area.box, "sight")
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    camera.center, camera.zoom = (0, 1000, 1500), 10
    qtbot.wait(50)
    top, left, bottom, right = panel.scope(viewer, layer).window
    assert (top + bottom) / 2 == pytest.approx(1000, abs=1)
    assert (left + right) / 2 == pytest.approx(1500, abs=1)
    assert bottom - top < 200
    camera.center = (0, 9000, 9000)
    with pytest.raises(ValueError, match="is in sight"):
        panel.scope(viewer, layer)


def test_rectangle_of_a_shapes_layer(panel: ScopePanel, viewer: Any) -> None:
    layer = use(panel, viewer, np.zeros((40, 50), np.uint8))
    choose(panel.area.box, "rectangle")
    with pytest.raises(ValueError, match="there is no Shapes layer; draw a rectangle"):
        panel.scope(viewer, layer)
    viewer.add_shapes([BOX])
    assert panel.scope(viewer, layer).window == (2, 3, 8, 10)
    viewer.layers.remove(viewer.layers[-1])
    assert panel.area.shapes.layer() is None


def test_it_is_said_where_more_than_the_shape_is_segmented(
    panel: ScopePanel, viewer: Any
) -> None:
    note = panel.area.note
    use(panel, viewer, np.zeros((40, 50), np.uint8))
    shapes = viewer.add_shapes([BOX])
    shapes.add_ellipses(BOX + 10)
    assert note.isHidden()
    choose(panel.area.box, "rectangle")
    assert note.text() == "The upright rectangle around the shape is segmented."
    assert not note.isHidden()
    shapes.selected_data = {0}
    assert note.isHidden()
    shapes.add_polygons(np.array([[2, 5], [7, 3], [4, 9]]))
    shapes.selected_data = {2}
    assert not note.isHidden()
    choose(panel.area.box, "whole")
    assert note.isHidden()


def test_button_makes_a_layer_that_is_ready_to_draw(
    panel: ScopePanel, viewer: Any, qtbot: Any
) -> None:
    layer = use(
        panel,
        viewer,
        np.zeros((3, 40, 50), np.uint8),
        scale=(1, 0.5, 2),
        translate=(0, 9, 9),
        name="cells",
    )
    choose(panel.area.box, "rectangle")
    qtbot.mouseClick(panel.area.draw, Qt.MouseButton.LeftButton)
    shapes = viewer.layers.selection.active
    assert isinstance(shapes, Shapes)
    assert (shapes.name, shapes.mode) == ("cells area", "add_rectangle")
    assert panel.area.shapes.layer() is shapes
    with pytest.raises(ValueError, match=r"^window: 'cells area' has no shape"):
        panel.scope(viewer, layer)
    # Pixels of the image are pixels of the layer.
    shapes.add_rectangles(np.insert(BOX, 0, 1, axis=1))
    assert panel.scope(viewer, layer).window == (2, 3, 8, 10)


def test_tiles_and_contrast(panel: ScopePanel, viewer: Any, qtbot: Any) -> None:
    layer = use(panel, viewer, np.zeros((2000, 2000), np.uint8))
    assert panel.tiling == Tiling()
    with qtbot.waitSignal(panel.changed):
        panel.tiles.tile.setValue(200)
    assert panel.tiling == Tiling(200, 100)  # no more than half
    choose(panel.contrast, "percentile")
    assert panel.scope(viewer, layer).contrast == "percentile"


def test_every_change_is_told(panel: ScopePanel, viewer: Any, qtbot: Any) -> None:
    use(panel, viewer, STACK, axis_labels=tuple("tcyx"))
    for box, value in (
        (panel.area.box, "sight"),
        (panel.axes[0].box, "all"),
        (panel.channels.box, 1),
        (panel.contrast, "percentile"),
    ):
        with qtbot.waitSignal(panel.changed):
            choose(box, value)


def test_state_is_plain_and_comes_back(
    panel: ScopePanel, viewer: Any, qtbot: Any
) -> None:
    choose(panel.area.box, "sight")
    choose(panel.contrast, "percentile")
    panel.tiles.choose(Tiling(512, 64))
    state = panel.state()
    assert state == {
        "area": "sight",
        "contrast": "percentile",
        "tile": 512,
        "overlap": 64,
    }
    other = ScopePanel(viewer)
    qtbot.addWidget(other)
    other.restore(state)
    assert other.state() == state
    other.restore({"area": 3, "contrast": None, "tile": "x", "overlap": 9999})
    assert other.state() == state


def test_preview_shows_what_the_models_see(
    panel: ScopePanel, viewer: Any, qtbot: Any
) -> None:
    data = np.zeros((200, 300), np.uint16)
    data[:, 150:] = 1000
    use(panel, viewer, data, contrast_limits=(0, 2000), name="cells")
    qtbot.mouseClick(panel.preview, Qt.MouseButton.LeftButton)
    assert panel.dialog is not None
    qtbot.waitSignal(panel.dialog.shown).wait()
    image = panel.dialog.picture.pixmap().toImage()
    left = image.pixelColor(2, image.height() // 2).red()
    right = image.pixelColor(image.width() - 3, image.height() // 2).red()
    assert (left, right) == (0, 128)
    assert "300 × 200 px" in panel.dialog.text.text()
    assert "Contrast limits 0 to 2000." in panel.dialog.text.text()


def test_preview_of_a_large_plane_is_its_first_tile(
    panel: ScopePanel, viewer: Any, qtbot: Any
) -> None:
    data = da.zeros((8192, 8192), chunks=1024, dtype=np.uint8)
    use(panel, viewer, data, contrast_limits=(0, 255))
    panel.preview.click()
    qtbot.waitSignal(panel.dialog.shown).wait()
    text = panel.dialog.text.text()
    assert text.startswith("The first tile, 1024 × 1024 px, of 8192 × 8192 px.")


def test_slow_preview_does_not_hold_the_window(
    panel: ScopePanel, viewer: Any, qtbot: Any
) -> None:
    slow, go = threading.Event(), threading.Event()

    def block() -> np.ndarray:
        if slow.is_set():
            go.wait(20)
        return np.zeros((64, 64), np.uint8)

    data = da.map_blocks(block, chunks=((64,), (64,)), dtype=np.uint8)
    use(panel, viewer, data, contrast_limits=(0, 255))
    slow.set()
    panel.preview.click()
    assert panel.dialog.text.text() == "Reading the image…"
    with qtbot.waitSignal(panel.dialog.shown):
        go.set()
    assert "64 × 64 px" in panel.dialog.text.text()


def test_preview_says_what_is_wrong(
    panel: ScopePanel, viewer: Any, qtbot: Any, said: list[str]
) -> None:
    gone = threading.Event()

    def block() -> np.ndarray:
        if gone.is_set():
            raise OSError("the disk is gone")
        return np.zeros((64, 64), np.uint8)

    data = da.map_blocks(block, chunks=((64,), (64,)), dtype=np.uint8)
    use(panel, viewer, data, contrast_limits=(0, 255))
    choose(panel.area.box, "rectangle")
    panel.preview.click()
    assert said == ["Area: there is no Shapes layer; draw a rectangle"]
    assert panel.dialog is None
    choose(panel.area.box, "whole")
    gone.set()
    panel.preview.click()
    qtbot.waitSignal(panel.dialog.shown).wait()
    assert panel.dialog.text.text() == "the disk is gone"


def test_everything_has_a_tooltip_and_is_reached_by_keyboard(
    panel: ScopePanel, viewer: Any
) -> None:
    use(panel, viewer, STACK)
    controls = [
        *(panel.area.box, panel.area.shapes, panel.area.draw, panel.level),
        *(panel.axes[0].box, panel.axes[0].first, panel.axes[0].last),
        *(panel.channels.box, *panel.channels.colours, panel.contrast),
        *(panel.tiles.tile, panel.tiles.overlap, panel.preview),
    ]
    for control in controls:
        assert control.toolTip(), control
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control
    order, at = [], panel.area.box
    for _ in range(60):
        order.append(at)
        at = at.nextInFocusChain()
    positions = [order.index(control) for control in controls if control in order]
    first_four = [order.index(c) for c in (panel.area.box, panel.axes[0].box)]
    assert first_four == sorted(first_four)
    assert len(positions) == len(controls)


def test_row_labels_lead_to_their_rows(panel: ScopePanel, viewer: Any) -> None:
    use(panel, viewer, STACK)
    form = panel._form
    for row in (panel.area, panel.channels, panel.tiles, panel.tiles.overlap):
        label = form.labelForField(row)
        assert isinstance(label.buddy(), QWidget)
        assert "&" in label.text()


def test_closed_panel_hears_no_more(viewer: Any, qtbot: Any) -> None:
    panel = ScopePanel(viewer)
    layer = use(panel, viewer, STACK)
    panel.deleteLater()
    qtbot.wait(20)
    viewer.dims.order = (1, 0, 2, 3)
    layer.data = STACK[:2]
    viewer.add_shapes([BOX])


def test_scope_of_the_panel_is_one_that_a_run_takes(
    panel: ScopePanel, viewer: Any
) -> None:
    layer = use(panel, viewer, STACK, axis_labels=tuple("ctyx"), scale=(1, 2, 3, 4))
    choose(panel.channels.box, 0)
    choose(panel.axes[1].box, "all")
    target = take_target(viewer, layer, panel.scope(viewer, layer))
    assert len(target.planes) == 3
    assert target.shape == (3, 200, 300)
