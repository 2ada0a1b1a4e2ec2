from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.utils.key_bindings import coerce_keybinding
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_s2clip import ClassEntry, ClassSet
from napari_s2clip._qt.canvas_keys import CanvasKeys
from napari_s2clip._qt.review_keys import KEYS
from napari_s2clip._qt.review_panel import ReviewPanel
from napari_s2clip._qt.review_spotlight import FRAME, _canvas_size, _zoom
from napari_s2clip._qt.review_words import none_open

from .review_scene import CAT, DOG, FOX, Output, make_output

if TYPE_CHECKING:
    from napari.layers import Shapes

# In the order in which the scene's regions are looked at: the mask of 1 was refused.
REFUSED, WIDE, SURE = 1, 2, 3


@pytest.fixture
def viewer(request: pytest.FixtureRequest) -> Any:
    """What a viewer knows; its window, which takes seconds, comes with `dock`."""
    if "dock" in request.fixturenames:
        return request.getfixturevalue("make_napari_viewer")(show=True)
    return ViewerModel()


@pytest.fixture
def output(viewer: Any) -> Output:
    return make_output(viewer)


@pytest.fixture
def dock(viewer: Any, panel: ReviewPanel, qtbot: Any) -> Any:
    """The panel in a dock of a window that is shown."""
    panel.hide()
    dock = viewer.window.add_dock_widget(panel, name="Review")
    panel.show()
    qtbot.waitUntil(panel.isVisible)
    return dock


@pytest.fixture
def panel(viewer: Any, output: Output, qtbot: Any) -> ReviewPanel:
    """The panel in a window of its own."""
    panel = ReviewPanel(viewer)
    qtbot.addWidget(panel)
    panel.show()
    panel.set_output(output)
    return panel


def camera(viewer: Any) -> Any:
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def frame(viewer: Any) -> Shapes | None:
    return next((each for each in viewer.layers if each.name == FRAME), None)


def count(output: Output, value: int) -> int:
    return int((output.refined.data == value).sum())


def test_uncertain_first_and_nothing_selected(viewer: Any, panel: ReviewPanel) -> None:
    assert panel.table.regions.regions().tolist() == [REFUSED, WIDE, SURE]
    assert panel.current is None
    assert frame(viewer) is None
    assert panel.progress.text() == "0 of 3 reviewed"
    assert panel.status.text() == "Select a region, or press Next (G)."
    enabled = {act for act, button in panel.buttons.items() if button.isEnabled()}
    assert enabled == {"next"}
    panel.accept()
    assert panel.review.reviewed == 0


def test_selecting_a_row_goes_to_the_region(
    viewer: Any, panel: ReviewPanel, output: Output
) -> None:
    layers = list(viewer.layers)
    viewer.layers.selection.active = output.coarse
    before = output.refined.data.copy()
    panel.table.selectRow(1)
    assert panel.current == WIDE
    # The middle of rows 40 to 51 and columns 50 to 61.
    assert tuple(camera(viewer).center)[-2:] == (45.5, 55.5)
    (corners,) = frame(viewer).data
    assert corners.min(0).tolist() == [39.5, 49.5]
    assert corners.max(0).tolist() == [51.5, 61.5]
    # Nothing else has changed.
    np.testing.assert_array_equal(output.refined.data, before)
    assert viewer.layers.selection.active is output.coarse
    assert list(viewer.layers) == [*layers, frame(viewer)]
    panel.table.selectRow(2)
    assert len(viewer.layers) == len(layers) + 1


def click(panel: ReviewPanel, qtbot: Any, act: str) -> None:
    qtbot.mouseClick(panel.buttons[act], Qt.MouseButton.LeftButton)


def press_in_panel(panel: ReviewPanel, qtbot: Any, act: str) -> None:
    press(panel.table, qtbot, act)


def press(widget: Any, qtbot: Any, act: str) -> None:
    *shift, letter = KEYS[act].split("-")
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else None
    widget.window().activateWindow()
    widget.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is not None)
    key = getattr(Qt.Key, f"Key_{letter}")
    if modifier is None:
        qtbot.keyClick(widget, key)
    else:
        qtbot.keyClick(widget, key, modifier)


def decide_all(panel: ReviewPanel, output: Output, do: Callable[[str], None]) -> None:
    """Every act once, in a story that ends without an open region."""
    review = panel.review
    do("next")
    assert panel.current == REFUSED
    do("accept")
    assert review.state(REFUSED).status == "accepted"
    # The next open one is selected.
    assert panel.current == WIDE
    assert panel.status.text() == "Region 1 accepted: 0 pixels changed."
    do("coarse")
    assert (count(output, DOG), panel.current) == (12 * 12, SURE)
    panel.table.choose(WIDE)
    # What was said was about another region.
    assert panel.status.text() == ""
    do("refined")
    assert count(output, DOG) == 16 * 16
    assert panel.current == SURE
    do("next")
    assert panel.status.text() == "Region 3 is the last open one of this list."
    do("reject")
    assert count(output, CAT) == 10 * 20
    assert panel.progress.text() == "3 of 3 reviewed"
    assert panel.status.text() == (
        "Region 3 rejected: 100 pixels changed. All 3 regions are reviewed."
    )
    do("undo")
    assert (count(output, CAT), panel.current) == (10 * 20 + 100, SURE)
    assert panel.status.text() == "Undone: region 3."
    do("redo")
    assert count(output, CAT) == 10 * 20
    do("undo")
    panel.class_box.setCurrentIndex(panel.class_box.findText("fox"))
    do("reassign")
    assert (count(output, FOX), count(output, CAT)) == (100, 200)
    do("next")
    assert panel.status.text() == "All 3 regions are reviewed."


@pytest.mark.parametrize("how", [click, press_in_panel])
def test_every_button_and_key(
    panel: ReviewPanel, output: Output, qtbot: Any, how: Callable[..., None]
) -> None:
    decide_all(panel, output, lambda act: how(panel, qtbot, act))


def test_every_key_on_the_canvas(
    viewer: Any, panel: ReviewPanel, output: Output, dock: Any, qtbot: Any
) -> None:
    canvas = viewer.window._qt_viewer.canvas.native
    decide_all(panel, output, lambda act: press(canvas, qtbot, act))
    # And napari's own.
    viewer.layers.selection.active = output.refined
    qtbot.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (count(output, FOX), panel.review.reviewed) == (0, 2)


@pytest.mark.parametrize(
    ("total", "open_", "shown", "text"),
    [
        (0, 0, 0, "The last run found no region; add classes or lower the thresholds."),
        (1, 0, 1, "The only region is reviewed."),
        (1200, 0, 0, "All 1,200 regions are reviewed."),
        (12, 1, 0, "No region passes the filter; 1 other is open."),
        (12, 3, 4, "All regions of this list are reviewed; 3 others are open."),
    ],
)
def test_it_is_said_why_there_is_no_next_one(
    total: int, open_: int, shown: int, text: str
) -> None:
    assert none_open(total, open_, shown) == text


def test_without_regions_next_says_what_to_do(
    panel: ReviewPanel, output: Output
) -> None:
    panel.set_output(None)
    panel.next()
    assert panel.status.text() == "Segment an image first; its regions appear here."
    output.region_table = output.region_table[:0]
    panel.set_output(output)
    assert panel.status.text() == none_open(0, 0, 0)
    panel.say("")
    panel.next()
    assert panel.status.text() == none_open(0, 0, 0)


def test_no_button_moves_when_something_is_said(panel: ReviewPanel, qtbot: Any) -> None:
    places = {}
    for text in ("One line.", "", "Two lines, as they are longer than the dock. " * 2):
        panel.resize(300, 480)
        panel.say(text)
        qtbot.wait(1)
        places[text] = [button.y() for button in panel.buttons.values()]
    assert len({tuple(tops) for tops in places.values()}) == 1


def test_keys_are_nobody_elses(viewer: Any) -> None:
    from napari._app_model import get_app_model
    from napari.components import viewer_model
    from napari.layers import NAMES
    from napari.utils.shortcuts import default_shortcuts

    taken = {key for keys in default_shortcuts.values() for key in keys}
    taken |= {entry.keybinding for entry in get_app_model().keybindings}
    import napari.layers

    kinds = [getattr(napari.layers, name.capitalize()) for name in NAMES]
    for kind in [*kinds, type(viewer), viewer_model.ViewerModel]:
        for ancestor in kind.__mro__:
            taken |= set(getattr(ancestor, "class_keymap", {}))
    names = {str(key) for key in taken}
    assert {"E", "M", "Ctrl+Z", "V", "Shift+A"} <= names
    ours = {str(coerce_keybinding(key)) for key in KEYS.values()}
    assert len(ours) == len(KEYS)
    assert not ours & names


def test_tooltips_tell_the_keys(panel: ReviewPanel) -> None:
    assert set(panel.buttons) == set(KEYS)
    for act, button in panel.buttons.items():
        assert f"({KEYS[act].replace('-', '+')};" in button.toolTip()


def bound(viewer: Any) -> set[str]:
    return {str(key) for key in viewer.keymap}


def test_keys_are_there_while_the_panel_is(
    viewer: Any, panel: ReviewPanel, dock: Any
) -> None:
    ours = {str(coerce_keybinding(key)) for key in KEYS.values()}
    assert ours <= bound(viewer)
    # Another panel that comes and goes takes none of them along.
    other = viewer.window.add_dock_widget(ReviewPanel(viewer), name="Other")
    viewer.window.remove_dock_widget(other)
    panel.table.selectRow(0)
    viewer.keymap[coerce_keybinding("K")](viewer)
    assert panel.review.state(REFUSED).status == "accepted"
    panel.table.selectRow(0)
    dock.hide()
    assert not ours & bound(viewer)
    assert frame(viewer) is None
    dock.show()
    assert ours <= bound(viewer)
    # The region is still selected, and the camera stays where it is.
    assert panel.current == REFUSED
    assert frame(viewer) is not None
    viewer.window.remove_dock_widget(dock)
    QApplication.processEvents()
    assert not ours & bound(viewer)
    assert frame(viewer) is None


def test_keys_go_with_a_panel_that_is_deleted(
    viewer: Any, output: Output, qtbot: Any
) -> None:
    panel = ReviewPanel(viewer)
    panel.show()
    panel.set_output(output)
    panel.table.selectRow(0)
    assert frame(viewer) is not None
    panel.deleteLater()
    qtbot.waitUntil(lambda: not isalive(panel))
    assert not bound(viewer)
    assert frame(viewer) is None
    # What happens to the layers is no longer its concern.
    viewer.layers.clear()


def test_keys_of_others_come_back() -> None:
    class Viewer:
        def __init__(self) -> None:
            self.keymap: dict[Any, Any] = {}

        def bind_key(self, key: Any, function: Any, *, overwrite: bool) -> Any:
            before = self.keymap.pop(key, None)
            if function is not None:
                self.keymap[key] = function
            return before

    viewer, key = Viewer(), coerce_keybinding("K")
    viewer.keymap[key] = users = object()
    first, second = (CanvasKeys(viewer, {"K": print}) for _ in range(2))
    first.bind()
    first.bind()
    second.bind()
    # Closed in the order they were opened, and the user's key is there again.
    first.unbind()
    assert viewer.keymap[key].alive
    second.unbind()
    assert viewer.keymap == {key: users}
    # What somebody took meanwhile stays theirs.
    first.bind()
    viewer.keymap[key] = newer = object()
    first.unbind()
    assert viewer.keymap == {key: newer}


def test_an_act_is_one_step_of_the_layer(panel: ReviewPanel, output: Output) -> None:
    before = output.refined.data.copy()
    steps = []
    output.refined.events.paint.connect(lambda event: steps.append(event.value))
    panel.table.selectRow(1)
    panel.reject()
    panel.table.selectRow(1)
    panel.take_shape("coarse")
    assert len(steps) == 2
    output.refined.undo()
    output.refined.undo()
    np.testing.assert_array_equal(output.refined.data, before)


def test_the_layers_own_undo_is_followed(panel: ReviewPanel, output: Output) -> None:
    panel.table.selectRow(1)
    panel.reject()
    output.refined.undo()
    assert count(output, DOG) == 256
    assert panel.review.state(WIDE).status == "open"
    assert panel.progress.text() == "0 of 3 reviewed"
    assert panel.status.text() == "Followed the layer's own undo: region 2."
    output.refined.redo()
    assert count(output, DOG) == 0
    assert panel.review.state(WIDE).status == "rejected"
    # And back by the panel, with the same step.
    panel.undo()
    assert (count(output, DOG), panel.review.reviewed) == (256, 0)
    panel.undo()
    assert count(output, DOG) == 256


def test_undo_does_not_touch_what_was_painted_since(
    panel: ReviewPanel, output: Output
) -> None:
    panel.table.selectRow(1)
    panel.reject()
    output.refined.data_setitem((np.array([45, 0]), np.array([55, 0])), FOX)
    panel.undo()
    assert (count(output, DOG), count(output, FOX)) == (255, 2)
    # That was a step of its own; the painting is the one before it.
    output.refined.undo()
    assert (count(output, DOG), count(output, FOX)) == (0, 2)
    assert panel.review.state(WIDE).status == "rejected"
    output.refined.undo()
    assert count(output, FOX) == 0
    panel.undo()
    assert count(output, DOG) == 256


def test_acts_on_a_layer_that_was_never_shown(viewer: Any, panel: ReviewPanel) -> None:
    output = make_output(viewer, visible=False)
    panel.set_output(output)
    panel.table.choose(WIDE)
    panel.reject()
    assert count(output, DOG) == 0
    output.refined.undo()
    assert count(output, DOG) == 256
    assert not output.refined.visible


def test_undo_of_a_hidden_layer(panel: ReviewPanel, output: Output) -> None:
    """A layer that is not shown has no event at all."""
    panel.table.selectRow(1)
    panel.reject()
    output.refined.visible = False
    output.refined.undo()
    panel.undo()
    assert (count(output, DOG), panel.review.reviewed) == (256, 0)


def test_acts_go_through_what_the_caller_gave(
    viewer: Any, output: Output, qtbot: Any
) -> None:
    written = []

    def refuse(layer: Any, edit: Any) -> None:
        written.append((layer, len(edit.index[0])))
        raise RuntimeError("no space left")

    panel = ReviewPanel(viewer, refuse)
    qtbot.addWidget(panel)
    panel.set_output(output)
    panel.table.selectRow(0)
    panel.accept()
    assert written == []
    panel.table.selectRow(1)
    with pytest.raises(RuntimeError, match="no space left"):
        panel.reject()
    assert written == [(output.refined, 256)]
    # What could not be written was not decided.
    assert panel.review.reviewed == 1


def test_over_other_classes_unless_labels_are_preserved(
    panel: ReviewPanel, output: Output
) -> None:
    output.refined.data[50, 60] = FOX
    panel.overwrite.setChecked(True)
    output.refined.preserve_labels = True
    panel.table.choose(WIDE)
    panel.take_shape("coarse")
    assert output.refined.data[50, 60] == FOX
    output.refined.preserve_labels = False
    panel.table.choose(WIDE)
    panel.take_shape("coarse")
    assert output.refined.data[50, 60] == DOG


def test_a_rejected_region_cannot_be_accepted(panel: ReviewPanel) -> None:
    panel.table.choose(WIDE)
    panel.reject()
    panel.table.choose(WIDE)
    assert not panel.buttons["accept"].isEnabled()
    panel.accept()
    assert panel.status.text().startswith("Region 2 was rejected and has no pixels;")


def test_filters(viewer: Any, panel: ReviewPanel) -> None:
    shown = panel.table.regions.regions
    panel.class_filter.setCurrentIndex(panel.class_filter.findText("cat"))
    assert shown().tolist() == [REFUSED, SURE]
    panel.min_area.setValue(101)
    assert shown().tolist() == [REFUSED]
    panel.min_area.setValue(0)
    panel.open_only.setChecked(True)
    panel.next()
    panel.accept()
    assert shown().tolist() == [SURE]
    assert panel.current == SURE
    panel.accept()
    assert shown().tolist() == []
    # What is not in the list is not selected.
    assert panel.current is None
    assert frame(viewer) is None
    panel.undo()
    assert shown().tolist() == [SURE]
    assert panel.current == SURE
    panel.class_filter.setCurrentIndex(0)
    assert panel.current == SURE


def test_sorting_keeps_the_selection_and_the_camera(
    viewer: Any, panel: ReviewPanel
) -> None:
    panel.table.choose(WIDE)
    camera(viewer).center = (0, 1, 2)
    panel.table.sortByColumn(5, Qt.SortOrder.AscendingOrder)
    assert panel.table.regions.regions().tolist() == [SURE, WIDE, REFUSED]
    assert panel.current == panel.table.current() == WIDE
    assert tuple(camera(viewer).center)[-2:] == (1, 2)
    assert frame(viewer) is not None


@pytest.mark.parametrize(
    ("zoom", "extent", "expected"),
    [
        (1, (100, 200), 1),  # seen well
        (1, (600, 40), 0.8),  # as high as the canvas: whole, with a margin
        (2, (40, 2000), 0.32),  # far wider
        (500, (12, 12), 16),  # no pixel larger than that
        (0.1, (100, 200), 1.6),  # a dot: 320 of 800
        (0.5, (12, 12), 16),
        (40, (1, 1), 40),  # already larger; nothing to gain from less
    ],
)
def test_a_region_is_seen_well_and_whole(
    zoom: float, extent: tuple[float, float], expected: float
) -> None:
    found = _zoom(zoom, np.array(extent, float), (600, 800), 1)
    assert found == pytest.approx(expected)


def test_a_region_as_wide_as_the_image_is_shown_whole(
    viewer: Any, panel: ReviewPanel, output: Output
) -> None:
    table = output.region_table.copy()
    table.loc[1, ["x_min", "x_max"]] = 0, 80
    output.region_table = table
    panel.set_output(output)
    _, width = _canvas_size(viewer)
    for zoom in (width / 80, 10 * width):
        camera(viewer).zoom = zoom
        camera(viewer).center = (0, 0, 0)
        panel.table.choose(None)
        panel.table.choose(WIDE)
        assert camera(viewer).zoom * 80 <= 0.81 * width
        assert tuple(camera(viewer).center)[-2:] == (45.5, 39.5)


def test_the_right_slice_of_a_stack(
    viewer: Any, panel: ReviewPanel, qtbot: Any
) -> None:
    viewer.layers.clear()
    output = make_output(viewer, planes=4, scale=(5, 1, 1), translate=(10, 0, 0))
    panel.set_output(output)
    panel.table.choose(3 * 2 + WIDE)
    assert viewer.dims.point[0] == pytest.approx(2 * 5 + 10)
    (corners,) = frame(viewer).data
    assert corners[:, 0].tolist() == [2, 2, 2, 2]
    panel.reject()
    assert (output.refined.data == DOG).sum(axis=(1, 2)).tolist() == [256, 256, 0, 256]
    viewer.dims.set_point(0, 10)
    panel.undo()
    assert (output.refined.data == DOG).sum() == 4 * 256
    assert viewer.dims.point[0] == pytest.approx(20)


def test_scaled_rotated_and_moved(viewer: Any, panel: ReviewPanel) -> None:
    viewer.layers.clear()
    placement = {"scale": (2, 3), "rotate": 90, "translate": (7, 1000)}
    output = make_output(viewer, **placement, units=("um", "um"))
    panel.set_output(output)
    panel.table.choose(WIDE)
    # The middle lies 2 · 45.5 and 3 · 55.5 from the origin, turned by a right angle.
    expected = output.refined.data_to_world((45.5, 55.5))
    np.testing.assert_allclose(np.abs(np.array(expected) - (7, 1000)), (166.5, 91))
    np.testing.assert_allclose(camera(viewer).center[-2:], expected)
    shown = frame(viewer)
    for name in ("scale", "rotate", "translate", "units"):
        np.testing.assert_array_equal(
            getattr(shown, name), getattr(output.refined, name)
        )


def test_layers_in_other_units(viewer: Any, panel: ReviewPanel) -> None:
    viewer.layers.clear()
    viewer.add_image(
        np.zeros((40, 40)), scale=(1000, 1000), units=("nm", "nm"), name="nm"
    )
    output = make_output(viewer, units=("um", "um"))
    panel.set_output(output)
    panel.table.choose(WIDE)
    units = getattr(viewer.layers, "units", None)
    if units is None or units[0] == output.refined.units[0]:
        pytest.skip("this napari shows them in µm")
    assert tuple(camera(viewer).center)[-2:] == pytest.approx((45_500, 55_500))


def test_the_layer_is_removed(viewer: Any, panel: ReviewPanel, output: Output) -> None:
    panel.table.choose(WIDE)
    viewer.layers.remove(output.refined)
    assert panel.status.text() == (
        "The layer refined was removed; segment the image again to review its regions."
    )
    assert frame(viewer) is None
    assert panel.current is None
    assert not any(button.isEnabled() for button in panel.buttons.values())
    for act in ("accept", "reject", "reassign", "undo", "redo", "next"):
        getattr(panel, act)()
    panel.take_shape("coarse")
    output.refined.undo()
    viewer.layers.clear()


def test_the_frame_is_removed_by_hand(viewer: Any, panel: ReviewPanel) -> None:
    panel.table.choose(WIDE)
    viewer.layers.remove(frame(viewer))
    panel.table.choose(SURE)
    assert frame(viewer) is not None


def test_the_layer_gets_another_array(panel: ReviewPanel, output: Output) -> None:
    panel.table.choose(WIDE)
    output.refined.data = output.refined.data.copy()
    panel.reject()
    assert count(output, DOG) == 0
    output.refined.data = output.refined.data[:30]
    assert "segment the image again" in panel.status.text()
    assert panel.review is None


@pytest.mark.parametrize(
    ("lost", "text"),
    [
        ("refined", "There is no refined layer to correct;"),
        ("owners", "These regions cannot be reviewed: it is not known which region"),
    ],
)
def test_what_is_missing_is_said(
    panel: ReviewPanel, output: Output, lost: str, text: str
) -> None:
    setattr(output, lost, None)
    output.region_table = output.region_table.assign(area=7)
    panel.set_output(output)
    assert panel.status.text().startswith(text)
    assert panel.table.regions.rowCount() == 0
    panel.set_output(None)
    assert panel.status.text().startswith("Segment an image first")


def test_without_coarse_regions_there_is_no_coarse_shape(
    panel: ReviewPanel, output: Output
) -> None:
    output.regions = None
    output.region_table = output.region_table.assign(area=7)
    panel.set_output(output)
    panel.table.choose(WIDE)
    assert not panel.buttons["coarse"].isEnabled()
    panel.take_shape("coarse")
    assert panel.review.reviewed == 0


def test_another_image_and_back(
    viewer: Any, panel: ReviewPanel, output: Output
) -> None:
    panel.table.choose(WIDE)
    panel.reject()
    other = make_output(viewer)
    panel.set_output(other)
    assert (panel.review.reviewed, panel.current) == (0, None)
    # The same table in another object, and a class that has another name now.
    output.region_table = output.region_table.assign(class_name="something")
    panel.set_output(output)
    assert panel.review.reviewed == 1
    panel.undo()
    assert (count(output, DOG), count(other, DOG)) == (256, 256)


def test_decisions_stay_after_new_runs_on_the_image(
    viewer: Any, panel: ReviewPanel
) -> None:
    def run(image: str) -> Output:
        return make_output(viewer, metadata={"napari_s2clip": {"image": image}})

    panel.set_output(run("a"))
    panel.table.choose(SURE)
    panel.accept()
    # With other settings the region is another one.
    other = run("a")
    table = other.region_table.copy()
    table.loc[SURE - 1, "area"] -= 1
    other.region_table = table
    panel.set_output(other)
    assert panel.review.reviewed == 0
    panel.set_output(run("b"))
    assert panel.review.reviewed == 0
    again = run("a")
    panel.set_output(again)
    assert panel.review.state(SURE).status == "accepted"
    # In place, with other ids.
    again.region_table = again.region_table.assign(region=[3, 2, 1])
    again.regions.data[:] = np.array([0, 3, 2, 1])[again.regions.data]
    again.owners[:] = np.array([0, 3, 2, 1])[again.owners]
    panel.set_output(again)
    assert panel.review.decided.keys() == {1}
    # Also when the layers that it was decided on are gone.
    viewer.layers.clear()
    panel.set_output(run("a"))
    assert panel.review.decided.keys() == {SURE}


def test_names_and_colours_follow(panel: ReviewPanel) -> None:
    panel.class_box.setCurrentIndex(1)
    panel.set_classes(
        ClassSet([ClassEntry("hound", id=DOG, colour="#102030"), "tiger"])
    )
    model = panel.table.regions

    def cell(row: int, role: Any = Qt.ItemDataRole.DisplayRole) -> Any:
        return model.data(model.index(row, 2), role)

    assert [cell(row) for row in range(3)] == ["tiger", "hound", "tiger"]
    assert cell(1, Qt.ItemDataRole.DecorationRole).name() == "#102030"
    assert panel.class_box.currentText() == "hound"
    panel.set_classes(ClassSet([ClassEntry("hound", id=DOG)]))
    assert cell(0) == "label 1"
    assert panel.class_filter.count() == 2


def test_the_state_is_kept_and_restored(
    viewer: Any, panel: ReviewPanel, output: Output, qtbot: Any
) -> None:
    panel.table.choose(WIDE)
    with qtbot.waitSignal(panel.changed):
        panel.reject()
    state = panel.state()
    other = ReviewPanel(viewer)
    qtbot.addWidget(other)
    assert other.state() == {}
    assert other.restore({}) == []
    assert len(other.restore(state)) == 1
    other.set_output(output)
    with qtbot.waitSignal(other.changed):
        assert other.restore(state) == []
    assert other.progress.text() == "1 of 3 reviewed"
    state["regions"][0]["area"] = 7
    fresh = ReviewPanel(viewer)
    qtbot.addWidget(fresh)
    fresh.set_output(output)
    assert len(fresh.restore(state)) == 1
    assert fresh.status.text().startswith("1 decision did not fit. Region 2 is another")
    with pytest.raises(ValueError, match="version 9"):
        fresh.restore({"version": 9, "regions": []})


def test_it_fits_into_a_narrow_dock_and_a_low_window(panel: ReviewPanel) -> None:
    hint = panel.minimumSizeHint()
    assert hint.width() <= 230
    assert hint.height() <= 480


def test_everything_is_reached_by_the_keyboard_and_explained(
    panel: ReviewPanel,
) -> None:
    panel.table.choose(WIDE)
    controls = {
        *panel.buttons.values(),
        *(panel.class_filter, panel.open_only, panel.min_area, panel.table),
        *(panel.class_box, panel.overwrite),
    }
    assert all(control.toolTip() for control in controls)
    reached, at = set(), panel
    for _ in range(40):
        at = at.nextInFocusChain()
        if at.focusPolicy() & Qt.FocusPolicy.TabFocus:
            reached.add(at)
    assert controls <= reached


def test_labels_on_disk(viewer: Any, panel: ReviewPanel, tmp_path: Any) -> None:
    viewer.layers.clear()
    output = make_output(viewer)
    array = zarr.create_array(
        tmp_path / "refined", shape=(60, 80), chunks=(16, 16), dtype="u2"
    )
    array[:] = output.refined.data
    output.refined = viewer.add_labels(array, name="on disk")
    panel.set_output(output)
    panel.table.choose(WIDE)
    panel.reject()
    assert (array[:] == DOG).sum() == 0
    output.refined.undo()
    assert (array[:] == DOG).sum() == 256
    assert panel.review.state(WIDE).status == "open"
    panel.redo()
    assert (array[:] == DOG).sum() == 0
