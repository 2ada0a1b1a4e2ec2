"""Runs that follow one another: in place, with undo, and never over an edit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_s2clip.edits import Edit
from napari_s2clip.layers import apply_edit, is_edited, outputs_of, show_result
from napari_s2clip.layers import history as history_module
from napari_s2clip.maps import new_map
from napari_s2clip.planes import Channels

if TYPE_CHECKING:
    from napari.layers import Image, Labels

STAGES = ("coarse", "regions", "refined")
Run = Callable[..., Any]


def names(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers]


@pytest.fixture
def two(run: Run, viewer: ViewerModel, image: Image) -> Any:
    """Left and right halves; the second run swaps the classes of the lower rows."""
    first = np.repeat([[1, 1, 1, 2, 2, 2]], 4, 0)
    second = first.copy()
    second[2:] = 3 - second[2:]
    return run(image, first), run(image, second)


def test_rerun_changes_untouched_layers_in_place(
    viewer: ViewerModel, image: Image, two: Any
) -> None:
    first = show_result(viewer, image, two[0])
    look = {
        "visible": False,
        "opacity": 0.25,
        "blending": "additive",
        "contour": 2,
        "selected_label": 2,
    }
    for name, value in look.items():
        setattr(first["refined"], name, value)
    first["coarse"].visible = True
    second = show_result(viewer, image, two[1])
    assert second == first
    assert names(viewer) == ["cell", "cell coarse", "cell regions", "cell refined"]
    for stage in ("coarse", "refined"):
        np.testing.assert_array_equal(second[stage].data, two[1].refined[0])
    assert {n: getattr(second["refined"], n) for n in look} == look
    assert second["coarse"].visible
    assert second.notes == ()


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("stage", STAGES)  # two of them are hidden
def test_rerun_is_one_undo_step(
    viewer: ViewerModel,
    image: Image,
    two: Any,
    stage: str,
    boxes: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The history holds boxes where napari lets us, else places and labels of pixels.
    if not boxes:
        monkeypatch.setattr(history_module, "AMEND_BYTES", 0)
    labels = show_result(viewer, image, two[0])[stage]
    before = labels.data.copy()
    show_result(viewer, image, two[1])
    after = labels.data.copy()
    assert (before != after).any()
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)
    labels.undo()  # nothing more
    np.testing.assert_array_equal(labels.data, before)
    labels.redo()
    np.testing.assert_array_equal(labels.data, after)


def test_undo_after_a_rerun_goes_back_through_what_the_user_painted(
    viewer: ViewerModel, stack: Image, run: Run
) -> None:
    labels = show_result(viewer, stack, run(stack, 1))["refined"]
    viewer.dims.current_step = (1, 0, 0)
    labels.paint((1, 2, 2), 3)
    painted = labels.data.copy()
    viewer.dims.current_step = (0, 0, 0)
    # The slice of the run is not the one that was painted.
    assert show_result(viewer, stack, run(stack, 2))["refined"] is labels
    np.testing.assert_array_equal(labels.data[1], painted[1])
    assert (labels.data[0] == 2).all()
    labels.undo()
    np.testing.assert_array_equal(labels.data, painted)
    labels.undo()
    assert not labels.data[1].any()
    labels.redo()
    labels.redo()
    np.testing.assert_array_equal(labels.data[1], painted[1])
    assert (labels.data[0] == 2).all()


def test_a_rerun_with_the_same_result_makes_no_step(
    viewer: ViewerModel, image: Image, two: Any
) -> None:
    shown = show_result(viewer, image, two[0])
    shown["refined"].paint((0, 0), 3)
    shown["refined"].undo()
    show_result(viewer, image, two[0])
    shown["refined"].redo()  # would be gone after a step
    assert shown["refined"].data[0, 0] == 3


def paint(layer: Labels) -> None:
    layer.paint((2, 2), 2)


def fill(layer: Labels) -> None:
    layer.fill((2, 2), 3)


def replace_data(layer: Labels) -> None:
    layer.data = np.zeros_like(layer.data)


def write_into_the_array(layer: Labels) -> None:
    layer.data[0, 0] = 3  # as scripts and other plugins do; no event tells it


def edit(layer: Labels) -> None:
    apply_edit(layer, Edit((np.array([0]), np.array([1])), 3))


def erase_what_a_run_wrote(layer: Labels) -> None:
    layer.fill((0, 0), 0)
    layer.fill((0, 5), 0)


@pytest.mark.parametrize(
    "touch",
    [paint, fill, replace_data, write_into_the_array, edit, erase_what_a_run_wrote],
)
def test_rerun_never_overwrites_an_edit(
    viewer: ViewerModel, image: Image, two: Any, touch: Callable[[Labels], None]
) -> None:
    first = show_result(viewer, image, two[0])
    touch(first["refined"])
    assert is_edited(first["refined"])
    data = first["refined"].data.copy()
    second = show_result(viewer, image, two[1])
    np.testing.assert_array_equal(first["refined"].data, data)
    assert names(viewer)[1:] == [
        "cell coarse",
        "cell regions",
        "cell refined",
        "cell refined [1]",
    ]
    assert second["refined"] is viewer.layers[-1]
    assert second["coarse"] is first["coarse"]
    assert second.notes == (
        "cell refined was edited and is kept, hidden: see cell refined [1]",
    )
    # What is shown and selected is the new one.
    assert [first["refined"].visible, second["refined"].visible] == [False, True]
    assert viewer.layers.selection == {second["refined"]}
    # A third run goes on with the second, and still not with the first.
    first["refined"].visible = True  # to compare
    third = show_result(viewer, image, two[0])
    assert third["refined"] is second["refined"]
    assert third.notes == ()
    assert first["refined"].visible
    np.testing.assert_array_equal(first["refined"].data, data)
    assert len(viewer.layers) == 5


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("stage", STAGES)
def test_a_kept_layer_makes_room_for_its_successor(
    viewer: ViewerModel, image: Image, two: Any, stage: str, shown: bool
) -> None:
    old = show_result(viewer, image, two[0])[stage]
    old.visible = shown
    viewer.layers.selection.active = old
    old.data[2, 2] = 3
    new = show_result(viewer, image, two[1])[stage]
    assert new is not old
    assert not old.visible
    assert new.visible is (shown or stage == "refined")
    assert viewer.layers.selection == {new}
    assert viewer.layers.selection.active is new


def test_work_beside_a_successor_is_not_interrupted(
    viewer: ViewerModel, image: Image, two: Any
) -> None:
    points = viewer.add_points(np.zeros((1, 2)))
    old = show_result(viewer, image, two[0])["refined"]
    paint(old)
    viewer.layers.selection.active = points
    show_result(viewer, image, two[1])
    assert viewer.layers.selection == {points}
    assert not old.visible


def test_a_successor_on_another_level_of_a_pyramid(
    viewer: ViewerModel, run: Run
) -> None:
    pyramid = [np.zeros((8, 12), np.uint8), np.zeros((4, 6), np.uint8)]
    image = viewer.add_image(pyramid, multiscale=True, name="slide")
    mine = show_result(viewer, image, run(image, 3))["refined"]
    mine.name = "mine"  # the user's: whoever renames a layer looks after it
    fine = show_result(viewer, image, run(image, 1))["refined"]
    shown = show_result(viewer, image, run(image, 2, level=1))
    coarse = shown["refined"]
    assert shown.notes == ("slide refined is hidden: see slide (level 1) refined",)
    viewer.layers.selection.active = coarse
    for new, old, value in ((coarse, fine, None), (fine, coarse, 2), (coarse, fine, 1)):
        if value:  # back to a layer that was hidden so
            level = int(new is coarse)
            show_result(viewer, image, run(image, value, level=level))
        assert [new.visible, old.visible, mine.visible] == [True, False, True]
        assert viewer.layers.selection.active is new
    # What the user hides stays so.
    coarse.visible = False
    assert show_result(viewer, image, run(image, 3, level=1)).notes == ()
    assert [coarse.visible, fine.visible] == [False, False]


def test_a_successor_with_other_channels(viewer: ViewerModel, run: Run) -> None:
    image = viewer.add_image(np.zeros((3, 4, 6), np.uint8), name="cell")
    old = show_result(viewer, image, run(image, 1))["refined"]
    new = show_result(viewer, image, run(image, 2, channels=Channels(0, 0, 1, 2)))
    assert new["refined"].data.shape == (4, 6)
    assert new.notes == ("cell refined is hidden: see cell refined [1]",)
    assert [old.visible, new["refined"].visible] == [False, True]


def test_a_renamed_layer_is_the_user_s(
    viewer: ViewerModel, image: Image, two: Any
) -> None:
    first = show_result(viewer, image, two[0])["refined"]
    first.name = "mine"
    second = show_result(viewer, image, two[1])["refined"]
    assert names(viewer)[-2:] == ["mine", "cell refined"]
    np.testing.assert_array_equal(first.data, two[0].refined[0])
    np.testing.assert_array_equal(second.data, two[1].refined[0])


def test_a_duplicate_is_the_user_s(viewer: ViewerModel, image: Image, two: Any) -> None:
    first = show_result(viewer, image, two[0])["refined"]
    data, options, _ = first.as_layer_data_tuple()
    viewer.layers.remove(first)
    copy = viewer.add_labels(data.copy(), **{**options, "name": "cell refined"})
    second = show_result(viewer, image, two[1])["refined"]
    assert second is not copy
    assert is_edited(copy)
    np.testing.assert_array_equal(copy.data, two[0].refined[0])


def test_a_deleted_layer_comes_back_in_its_place(
    viewer: ViewerModel, image: Image, two: Any
) -> None:
    first = show_result(viewer, image, two[0])
    viewer.layers.remove(first["regions"])
    viewer.add_points(np.zeros((1, 2)), name="on top")
    show_result(viewer, image, two[1])
    assert names(viewer)[1:4] == ["cell coarse", "cell regions", "cell refined"]


@pytest.mark.parametrize("rename", [False, True])
def test_layers_follow_the_image(
    viewer: ViewerModel, image: Image, two: Any, run: Run, rename: bool
) -> None:
    first = show_result(viewer, image, two[0])
    image.scale = (3.0, 3.0)
    first["coarse"].translate = (1.0, 1.0)
    if rename:
        image.name = "nucleus"
    second = show_result(viewer, image, run(image, 1))
    assert second == first
    np.testing.assert_array_equal(second["refined"].scale, (3.0, 3.0))
    # Nobody moved the image: a layer that was moved stays where it is.
    np.testing.assert_array_equal(second["coarse"].translate, (1.0, 1.0))
    assert second["refined"].name == ("nucleus refined" if rename else "cell refined")


def test_an_edit_that_was_undone_is_none(
    viewer: ViewerModel, image: Image, two: Any
) -> None:
    labels = show_result(viewer, image, two[0])["refined"]
    paint(labels)
    labels.undo()
    assert not is_edited(labels)
    assert show_result(viewer, image, two[1])["refined"] is labels


def test_undo_beside_a_later_run_is_no_edit(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    labels = show_result(viewer, image, run(image, 1))["refined"]
    show_result(viewer, image, run(image, 2, window=(0, 0, 2, 6)))
    labels.undo()
    show_result(viewer, image, run(image, 3, window=(2, 0, 4, 6)))
    np.testing.assert_array_equal(labels.data[:, 0], [1, 1, 3, 3])
    assert not is_edited(labels)


def test_a_run_that_was_undone_is_no_edit(
    viewer: ViewerModel, image: Image, two: Any, run: Run
) -> None:
    labels = show_result(viewer, image, two[0])["refined"]
    show_result(viewer, image, two[1])
    labels.undo()
    assert not is_edited(labels)
    assert show_result(viewer, image, run(image, 3))["refined"] is labels
    assert (labels.data == 3).all()


@pytest.mark.parametrize("run_touched", [False, True])
def test_only_edits_where_the_run_writes_count(
    viewer: ViewerModel, stack: Image, run: Run, run_touched: bool
) -> None:
    both = run(stack, 1, 2, ranges=((0, 0, 1),))
    first = show_result(viewer, stack, both)["refined"]
    first.data[int(not run_touched), 0, 0] = 3
    again = show_result(viewer, stack, run(stack, 3))["refined"]
    assert (again is first) is not run_touched
    if run_touched:
        # The new layer holds what the run covered.
        assert [plane.max() for plane in again.data] == [3, 0, 0]
    else:
        assert first.data[1, 0, 0] == 3
        assert (first.data[0] == 3).all()


def test_merge_writes_only_into_pixels_that_were_not_edited(
    viewer: ViewerModel, image: Image, two: Any, run: Run
) -> None:
    labels = show_result(viewer, image, two[0])["refined"]
    labels.data[3, :2] = 3
    labels.data[0, 5] = 0
    before = labels.data.copy()
    shown = show_result(viewer, image, two[1], edited="merge")
    assert shown["refined"] is labels
    expected = two[1].refined[0].copy()
    expected[3, :2], expected[0, 5] = 3, 0
    np.testing.assert_array_equal(labels.data, expected)
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)
    labels.redo()
    # A run that happens to find what the user painted does not make it its own.
    show_result(viewer, image, run(image, 3), edited="merge")
    show_result(viewer, image, run(image, 1), edited="merge")
    expected = np.ones((4, 6))
    expected[3, :2], expected[0, 5] = 3, 0
    np.testing.assert_array_equal(labels.data, expected)


def test_merge_leaves_labels_alone_that_the_user_preserves(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    labels = show_result(viewer, image, run(image, [0, 0, 0, 1, 1, 1]))["refined"]
    labels.preserve_labels = True
    show_result(viewer, image, run(image, 2), edited="merge")
    np.testing.assert_array_equal(labels.data[0], [2, 2, 2, 1, 1, 1])
    assert not is_edited(labels)
    # Without edits to merge with, a run updates its own layer.
    show_result(viewer, image, run(image, 3))
    assert (labels.data == 3).all()


def test_amended_runs_are_one_undo_step(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    shown = show_result(viewer, image, run(image, [0, 1, 1, 2, 2, 0]))
    before = {stage: shown[stage].data.copy() for stage in STAGES}
    wanted = [[1, 1, 1, 2, 2, 0], [1, 1, 2, 2, 0, 0], [2, 2, 2, 2, 2, 3]]
    for number, row in enumerate(wanted):
        show_result(viewer, image, run(image, row), amend=number > 0)
        np.testing.assert_array_equal(shown["refined"].data[0], row)
    for stage in STAGES:
        after = shown[stage].data.copy()
        shown[stage].undo()
        np.testing.assert_array_equal(shown[stage].data, before[stage])
        shown[stage].undo()
        np.testing.assert_array_equal(shown[stage].data, before[stage])
        shown[stage].redo()
        np.testing.assert_array_equal(shown[stage].data, after)
    assert not is_edited(shown["refined"])


def test_amend_back_to_the_start_leaves_no_step(
    viewer: ViewerModel, image: Image, two: Any, run: Run
) -> None:
    labels = show_result(viewer, image, two[0])["refined"]
    show_result(viewer, image, two[1])
    for values, amend in ((3, False), (two[1].refined[0], True)):
        show_result(viewer, image, run(image, values), amend=amend)
    labels.undo()
    np.testing.assert_array_equal(labels.data, two[0].refined[0])


def test_amend_after_a_run_that_changed_nothing_adds_a_step(
    viewer: ViewerModel, image: Image, two: Any, run: Run
) -> None:
    labels = show_result(viewer, image, two[0])["refined"]
    show_result(viewer, image, two[1])
    show_result(viewer, image, two[1])  # the drag begins where nothing changes
    show_result(viewer, image, run(image, 3), amend=True)
    show_result(viewer, image, run(image, 1), amend=True)
    labels.undo()
    np.testing.assert_array_equal(labels.data, two[1].refined[0])
    labels.undo()
    np.testing.assert_array_equal(labels.data, two[0].refined[0])


def test_amend_of_the_run_that_made_the_layers_adds_a_step(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    shown = show_result(viewer, image, run(image, [1, 1, 1, 2, 2, 2]))
    for row in ([3, 3, 1, 1, 2, 2], [2, 2, 2, 3, 3, 3]):
        assert show_result(viewer, image, run(image, row), amend=True) == shown
    for stage in STAGES:
        shown[stage].undo()
        assert not is_edited(shown[stage])
    np.testing.assert_array_equal(shown["refined"].data[0], [1, 1, 1, 2, 2, 2])
    classes = shown["regions"].features.set_index("index")["class"]
    assert [classes[r] for r in np.unique(shown["regions"].data)] == ["cat", "dog"]


def test_amend_does_not_reach_across_what_the_user_did(
    viewer: ViewerModel, stack: Image, run: Run
) -> None:
    labels = show_result(viewer, stack, run(stack, 1))["refined"]
    show_result(viewer, stack, run(stack, 2))
    viewer.dims.current_step = (1, 0, 0)
    labels.paint((1, 2, 2), 3)
    painted = labels.data.copy()
    viewer.dims.current_step = (0, 0, 0)
    show_result(viewer, stack, run(stack, 3), amend=True)
    labels.undo()
    np.testing.assert_array_equal(labels.data, painted)
    # Undo took our step away: there is none to amend.
    show_result(viewer, stack, run(stack, 1), amend=True)
    labels.undo()
    np.testing.assert_array_equal(labels.data, painted)
    # Another slice is another step.
    show_result(viewer, stack, run(stack, 3))
    viewer.dims.current_step = (2, 0, 0)
    show_result(viewer, stack, run(stack, 2), amend=True)
    labels.undo()
    assert (labels.data[0] == 3).all()


@pytest.mark.parametrize("unknown", ["no history", "other steps"])
def test_amend_works_where_napari_s_history_is_another(
    viewer: ViewerModel,
    image: Image,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    unknown: str,
) -> None:
    labels = show_result(viewer, image, run(image, 1))["refined"]
    show_result(viewer, image, run(image, 2))
    if unknown == "no history":
        monkeypatch.setattr(history_module.Step, "is_last", lambda *_: False)
    else:
        monkeypatch.setattr(history_module, "AMEND_BYTES", 0)
    show_result(viewer, image, run(image, 3), amend=True)
    assert (labels.data == 3).all()
    labels.undo()
    # A step was added at worst.
    assert (labels.data == (2 if unknown == "no history" else 1)).all()


def test_napari_shows_us_the_last_step(
    viewer: ViewerModel, image: Image, two: Any
) -> None:
    # `Step.is_last` reads a name that napari does not promise. Without it every
    # amended run would be an undo step of its own.
    labels = show_result(viewer, image, two[0])["refined"]
    items: list[Any] = []
    labels.events.paint.connect(lambda event: items.append(event.value))
    paint(labels)
    assert labels._undo_history[-1] is items[-1]


@pytest.mark.parametrize("edited", ["keep", "merge"])
@pytest.mark.parametrize("touched", [False, True])
def test_a_change_too_large_for_the_history(
    viewer: ViewerModel,
    stack: Image,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    touched: bool,
    edited: Any,
) -> None:
    first = show_result(viewer, stack, run(stack, 1))["refined"]
    first.opacity = 0.25
    if touched:
        first.data[1, 0, 0] = 3
    data = first.data.copy()
    monkeypatch.setattr(history_module, "STEP_BYTES", 100)
    shown = show_result(viewer, stack, run(stack, 2), edited=edited)
    new = shown["refined"]
    assert new is not first
    assert (new.data[0] == 2).all()
    assert "stack refined: the change was too large to be undone" in shown.notes
    assert (first in viewer.layers) is touched
    new.undo()
    assert (new.data[0] == 2).all()
    if touched:
        np.testing.assert_array_equal(first.data, data)
        assert new.data[1, 0, 0] == (3 if edited == "merge" else 0)
        assert is_edited(new) is (edited == "merge")
    else:
        assert new.opacity == 0.25
        assert new.name == "stack refined"
    # And the next one is in place again.
    monkeypatch.undo()
    assert show_result(viewer, stack, run(stack, 3))["refined"] is new


def test_all_steps_together_are_bounded(
    viewer: ViewerModel, image: Image, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 24 pixels of uint16 in a plane take 24 × (2 × 8 + 2 × 2) bytes.
    monkeypatch.setattr(history_module, "HISTORY_BYTES", 2 * 480)
    first = show_result(viewer, image, run(image, 1))["refined"]
    for value in (2, 3):
        assert show_result(viewer, image, run(image, value))["refined"] is first
    assert show_result(viewer, image, run(image, 1))["refined"] is not first


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"edited": "lose"}, "edited: 'lose' is unknown; give 'keep' or 'merge'"),
        ({"stages": ["fine"]}, "stages: 'fine' is unknown; give coarse, regions"),
    ],
)
def test_unknown_options(
    viewer: ViewerModel, image: Image, two: Any, option: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        show_result(viewer, image, two[0], **option)


def test_two_viewers(image: Image, two: Any, run: Run) -> None:
    viewers = [ViewerModel(), ViewerModel()]
    shown = [show_result(v, image, two[0]) for v in viewers]
    show_result(viewers[0], image, two[1])
    np.testing.assert_array_equal(shown[1]["refined"].data, two[0].refined[0])
    assert [len(v.layers) for v in viewers] == [3, 3]


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_s2clip.layers.run.new_map", partial(new_map, limit=0))


@pytest.mark.usefixtures("on_disk")
def test_maps_on_disk(viewer: ViewerModel, stack: Image, run: Run) -> None:
    shown = show_result(viewer, stack, run(stack, [1, 1, 1, 2, 2, 2]))
    labels = shown["refined"]
    assert not isinstance(labels.data, np.ndarray)
    before = np.asarray(labels.data)
    for number, row in enumerate(([2, 1, 1, 2, 2, 1], [3, 3, 1, 2, 2, 0])):
        assert show_result(viewer, stack, run(stack, row), amend=number > 0) == shown
        np.testing.assert_array_equal(labels.data[0, 0], row)
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)
    labels.redo()
    labels.paint((0, 1, 1), 2)
    merged = show_result(viewer, stack, run(stack, 1), edited="merge")
    assert merged["refined"] is labels
    assert labels.data[0, 1, 1] == 2
    assert is_edited(labels)
    assert show_result(viewer, stack, run(stack, 2))["refined"] is not labels


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (0, 2, 1)])
def test_planes_across_the_stack(
    viewer: ViewerModel, stack: Image, run: Run, order: tuple[int, ...]
) -> None:
    viewer.dims.order = order
    viewer.dims.current_step = (1, 1, 1)
    hidden = order[0]
    shown = show_result(viewer, stack, run(stack, 1))
    expected = np.zeros((3, 4, 6))
    np.moveaxis(expected, hidden, 0)[1] = 1
    for labels in shown.values():
        np.testing.assert_array_equal(labels.data, expected)
    for number, value in enumerate((2, 3)):
        show_result(viewer, stack, run(stack, value), amend=number > 0)
    np.testing.assert_array_equal(shown["refined"].data, 3 * expected)
    shown["refined"].undo()
    np.testing.assert_array_equal(shown["refined"].data, expected)


@pytest.mark.parametrize("stage", STAGES)
def test_runs_while_another_slice_or_volume_is_shown(
    viewer: ViewerModel, stack: Image, run: Run, stage: str
) -> None:
    results = [run(stack, value) for value in (1, 2, 3)]
    labels = show_result(viewer, stack, results[0])[stage]
    before = labels.data.copy()
    viewer.dims.current_step = (2, 0, 0)
    show_result(viewer, stack, results[1])
    viewer.dims.ndisplay = 3
    show_result(viewer, stack, results[2], amend=True)
    assert labels.data[0].any()
    assert not labels.data[1:].any()
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)


def test_a_window_can_draw_itself_between_parts(
    viewer: ViewerModel, image: Image, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_s2clip.layers.write.SIDE", 2)
    calls: list[int] = []
    counts = []
    for value in (1, 2):
        calls.clear()
        show_result(viewer, image, run(image, value), between=lambda: calls.append(1))
        counts.append(len(calls))
    # Six parts: three maps and the owners, and the shares of two of them; in the rerun
    # also the search for edits in three layers.
    assert counts[0] >= 6 * 6
    assert counts[1] >= 9 * 6


def test_what_is_hidden_is_not_read(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    shown = show_result(viewer, image, run(image, 1))
    assert shown["regions"]._slice.empty
    assert not shown["refined"]._slice.empty


def test_what_is_being_made_is_no_output_yet(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(len(outputs_of(viewer, image)))

    show_result(viewer, image, run(image, 1), between=look)
    assert seen[0] == 0
    assert len(outputs_of(viewer, image)) == 1
