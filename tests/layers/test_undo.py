"""What panels get to work on after napari's own undo and redo."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_s2clip.edits import Edit
from napari_s2clip.layers import apply_edit, is_edited, outputs_of, show_result
from napari_s2clip.layers import said as said_module
from napari_s2clip.layers.baseline import VERSIONS

from .test_outputs import check

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

Run = Callable[..., Any]
ROWS = [[1, 1, 1, 2, 2, 2], [3, 3, 1, 1, 2, 2], [2, 2, 2, 2, 3, 3]]


def classes(output: Any) -> list[int]:
    return output.region_table["class_id"].tolist()


def dot(labels: Labels, value: int = 2, at: int = 0) -> None:
    apply_edit(labels, Edit((np.array([3]), np.array([at])), value))


@pytest.fixture
def three(viewer: ViewerModel, image: Image, run: Run) -> Any:
    """The layers after three runs."""
    for number, row in enumerate(ROWS):
        result = run(image, row)
        result.provenance["run"] = number
        shown = show_result(viewer, image, result)
    return shown


@pytest.mark.parametrize("back", [0, 1, 2])
@pytest.mark.parametrize("history", [True, False])
def test_outputs_follow_undo_and_redo(
    viewer: ViewerModel,
    image: Image,
    three: Any,
    back: int,
    history: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not history:  # napari may call it otherwise: then equal labels tell
        monkeypatch.setattr(said_module, "_undone_by", lambda labels: None)
    last = outputs_of(viewer, image)[0]
    assert last.current
    for labels in three.values():
        for _ in range(back):
            labels.undo()
    assert last.current is (back == 0)
    (output,) = outputs_of(viewer, image)
    assert output.current
    check(output)
    np.testing.assert_array_equal(output.refined.data[0], ROWS[2 - back])
    assert (np.asarray(output.owners) > 0).all()
    assert output.layers == last.layers
    assert output.provenance["run"] == 2 - back
    for labels in three.values():
        for _ in range(back):
            labels.redo()
    assert last.current
    (again,) = outputs_of(viewer, image)
    assert again.region_table.equals(last.region_table)
    np.testing.assert_array_equal(again.owners, last.owners)


@pytest.mark.parametrize("stage", ["refined", "regions"])
def test_maps_that_undo_took_apart_are_not_one_set(
    viewer: ViewerModel, image: Image, three: Any, stage: str
) -> None:
    three[stage].undo()
    (output,) = outputs_of(viewer, image)
    assert output.regions is None
    table = output.region_table.set_index("region")["class_id"]
    expected = output.refined.data
    np.testing.assert_array_equal(np.vectorize(table.get)(output.owners), expected)
    three[stage].redo()
    assert outputs_of(viewer, image)[0].regions is three["regions"]


@pytest.mark.parametrize("stages", [("refined",), ("coarse", "regions", "refined")])
@pytest.mark.parametrize("window", [None, (0, 0, 2, 6)])
def test_a_run_after_undo(
    viewer: ViewerModel, image: Image, three: Any, run: Run, stages: Any, window: Any
) -> None:
    before = set(outputs_of(viewer, image)[0].region_table["region"])
    for stage in stages:
        three[stage].undo()
    shown = show_result(viewer, image, run(image, 3, window=window))
    assert shown == three
    (output,) = outputs_of(viewer, image)
    table = output.region_table.set_index("region")["class_id"]
    np.testing.assert_array_equal(
        np.vectorize(table.get)(output.owners), output.refined.data
    )
    if output.regions is not None:
        check(output)
    assert (output.regions is None) is (window is not None and len(stages) == 1)
    assert not before & set(output.region_table["region"])
    # And back to what undo had gone back to.
    for stage in three:
        three[stage].undo()
    back = outputs_of(viewer, image)[0]
    np.testing.assert_array_equal(back.refined.data[0], ROWS[1])
    assert classes(back) == [1, 2, 3]


def test_the_same_result_after_undo_leaves_redo_alone(
    viewer: ViewerModel, image: Image, three: Any, run: Run
) -> None:
    for labels in three.values():
        labels.undo()
    for stage in ("coarse", "refined"):
        result = run(image, ROWS[1])
        show_result(viewer, image, result, stages=(stage,))
    assert classes(outputs_of(viewer, image)[0]) == [1, 2, 3]
    three["refined"].redo()
    (output,) = outputs_of(viewer, image)
    np.testing.assert_array_equal(output.refined.data[0], ROWS[2])
    assert classes(output) == [2, 3]


def test_amended_runs_are_one_result(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    for number, row in enumerate([*ROWS, ROWS[1]]):
        shown = show_result(viewer, image, run(image, row), amend=number > 1)
    for row in (ROWS[1], ROWS[0]):
        (output,) = outputs_of(viewer, image)
        check(output)
        np.testing.assert_array_equal(output.refined.data[0], row)
        for labels in shown.values():
            labels.undo()


def test_painting_belongs_to_the_result_below_it(
    viewer: ViewerModel, image: Image, three: Any, run: Run
) -> None:
    refined = three["refined"]
    refined.undo()
    dot(refined)
    (output,) = outputs_of(viewer, image)
    assert classes(output) == [1, 2, 3]
    # The edit is the dot alone, so that only it stays.
    show_result(viewer, image, run(image, 3), edited="merge")
    expected = np.full((4, 6), 3)
    expected[3, 0] = 2
    np.testing.assert_array_equal(refined.data, expected)
    refined.undo()
    assert classes(outputs_of(viewer, image)[0]) == [1, 2, 3]
    refined.undo()
    assert not is_edited(refined)
    refined.undo()
    assert classes(outputs_of(viewer, image)[0]) == [1, 2]


def test_undo_further_than_is_remembered_is_said(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    for number in range(VERSIONS + 2):
        shown = show_result(viewer, image, run(image, ROWS[number % 3]))
    refined = shown["refined"]
    known = []
    for _ in range(VERSIONS + 2):
        (output,) = outputs_of(viewer, image)
        known.append(output.owners is not None)
        assert (len(output.region_table) > 0) is known[-1]
        refined.undo()
    assert known == [True] * (VERSIONS - 1) + [False] * 3
    # A new run is known again.
    show_result(viewer, image, run(image, 3))
    check(outputs_of(viewer, image)[0])


def test_a_run_stays_below_a_hundred_strokes(
    viewer: ViewerModel, image: Image, three: Any
) -> None:
    refined = three["refined"]
    for number in range(105):
        dot(refined, 1 + number % 2, at=1)
    assert classes(outputs_of(viewer, image)[0]) == [2, 3]
    for _ in range(105):  # as far as napari goes
        refined.undo()
    assert classes(outputs_of(viewer, image)[0]) == [2, 3]


@pytest.mark.parametrize("hidden", [False, True])
def test_another_array_belongs_to_the_result_that_was_there(
    viewer: ViewerModel, image: Image, three: Any, hidden: bool
) -> None:
    refined = three["refined"]
    refined.visible = not hidden
    refined.undo()
    outputs_of(viewer, image)
    refined.data = refined.data.copy()
    assert classes(outputs_of(viewer, image)[0]) == [1, 2, 3]


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1)])
def test_slices_in_another_direction_have_layers_of_their_own(
    viewer: ViewerModel, stack: Image, run: Run, order: tuple[int, ...]
) -> None:
    flat = show_result(viewer, stack, run(stack, 1))
    assert outputs_of(viewer, stack)[0].axes == (1, 2)
    viewer.dims.order = order
    upright = show_result(viewer, stack, run(stack, 2))
    assert upright["refined"] is not flat["refined"]
    new, old = outputs_of(viewer, stack)
    assert new.axes == tuple(sorted(order[1:]))
    assert old.axes == (1, 2)
    for output, value in ((new, 2), (old, 1)):
        check(output)
        assert set(np.unique(output.refined.data)) == {0, value}
    # Back, each goes on with its own.
    viewer.dims.order = (0, 1, 2)
    assert show_result(viewer, stack, run(stack, 3)) == flat


def test_a_transposed_canvas_shows_the_same_slices(
    viewer: ViewerModel, stack: Image, run: Run
) -> None:
    flat = show_result(viewer, stack, run(stack, 1))
    viewer.dims.transpose()
    assert show_result(viewer, stack, run(stack, 2)) == flat
    assert outputs_of(viewer, stack)[0].axes == (1, 2)
