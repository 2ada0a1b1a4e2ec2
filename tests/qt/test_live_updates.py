"""Changes of the controls after a run: shown at once, from what is there."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from napari.utils import progress

from napari_s2clip.layers import is_edited


@pytest.fixture
def ran(viewer: Any, widget: Any, models: Any, finish: Any) -> Any:
    """The widget after a run."""
    widget.start()
    finish(widget)
    models.calls.clear()
    return widget


@pytest.fixture
def rest(qtbot: Any) -> Any:
    """Wait until no update is under way or due."""

    def wait(widget: Any, models: Any, count: int) -> None:
        qtbot.waitUntil(lambda: models.count("segment") >= count, timeout=10_000)
        qtbot.waitUntil(lambda: widget.settled, timeout=10_000)

    return wait


def test_a_threshold_acts_without_encoding(ran: Any, models: Any, rest: Any) -> None:
    ran.tune.editors["coarse_threshold"].value = 0.5
    # Once for what can be seen before SAM answers, once for all.
    rest(ran, models, 2)
    assert [models.count(c) for c in ("load", "encode", "segment")] == [0, 0, 2]
    assert "of 2 classes found" in ran.run.status.text()


def test_many_changes_are_one_update(ran: Any, models: Any, rest: Any) -> None:
    for value in (0.3, 0.35, 0.4, 0.45):
        ran.tune.editors["iou_threshold"].value = value
    rest(ran, models, 2)
    assert models.count("segment") == 2
    assert ran.live.shown.settings.iou_threshold == 0.45


def test_a_class_more_needs_no_encoding(
    viewer: Any, ran: Any, models: Any, rest: Any
) -> None:
    ran.classes.paste("fox")
    rest(ran, models, 2)
    assert models.calls[-1] == ("segment", ("cat", "dog", "fox"), ())
    assert models.count("encode") == 0
    assert viewer.layers["photo refined"].data.max() == 3


def test_without_sam_there_is_no_draft(ran: Any, models: Any, rest: Any) -> None:
    ran.tune.editors["refine"].value = False
    rest(ran, models, 1)
    assert models.count("segment") == 1


def test_where_sam_is_quick_there_is_no_draft(ran: Any, models: Any, rest: Any) -> None:
    models.refined_in = 0.01
    ran.tune.editors["coarse_threshold"].value = 0.5
    rest(ran, models, 2)  # the last refinement was slow
    ran.tune.editors["coarse_threshold"].value = 0.6
    rest(ran, models, 3)
    assert models.count("segment") == 3
    assert "in 0.3 s" in ran.run.status.text()


def test_switched_off_nothing_happens_until_it_is_on(
    ran: Any, models: Any, rest: Any, qtbot: Any
) -> None:
    ran.tune.live.setChecked(False)
    ran.tune.editors["coarse_threshold"].value = 0.5
    qtbot.wait(300)
    assert models.calls == []
    ran.tune.live.setChecked(True)
    rest(ran, models, 2)


def test_before_the_first_run_nothing_happens(
    widget: Any, models: Any, qtbot: Any
) -> None:
    widget.tune.editors["coarse_threshold"].value = 0.5
    qtbot.wait(300)
    assert models.calls == []
    assert not widget.runs.busy


def test_settings_that_exclude_each_other_are_said(
    ran: Any, models: Any, qtbot: Any
) -> None:
    ran.tune.editors["prompt_box"].value = False
    ran.tune.editors["prompt_point"].value = False
    qtbot.waitUntil(lambda: "both are off" in ran.run.status.text())


def test_models_that_others_use_are_left_to_them(
    ran: Any, models: Any, qtbot: Any
) -> None:
    before = ran.run.status.text()
    assert ran.runs.keep_for("Others work.")
    ran.live.update()  # nothing has changed
    assert ran.run.status.text() == before
    ran.tune.editors["coarse_threshold"].value = 0.5
    qtbot.waitUntil(lambda: ran.run.status.text() == "Others work.")
    assert models.calls == []
    ran.runs.give_back()


def test_models_that_were_let_go_are_said(ran: Any, models: Any, qtbot: Any) -> None:
    ran.engine.release()
    ran.tune.editors["coarse_threshold"].value = 0.5
    words = "The models are no longer in memory; press Run."
    qtbot.waitUntil(lambda: ran.run.status.text() == words)
    assert models.count("encode") == 0


def test_an_image_that_changed_is_not_encoded_by_an_update(
    viewer: Any, ran: Any, models: Any, qtbot: Any
) -> None:
    viewer.layers["photo"].data[0, 0] = 255
    ran.tune.editors["coarse_threshold"].value = 0.5
    words = "This part of the image is not in memory; press Run."
    qtbot.waitUntil(lambda: ran.run.status.text() == words)
    assert models.count("encode") == 0


def test_an_update_leaves_edits_and_makes_no_layers(
    viewer: Any, ran: Any, models: Any, rest: Any
) -> None:
    refined = viewer.layers["photo refined"]
    refined.brush_size = 1
    refined.paint((2, 2), 2)
    assert is_edited(refined)
    layers = list(viewer.layers)
    ran.classes.paste("fox")
    rest(ran, models, 2)
    assert list(viewer.layers) == layers
    assert refined.data[2, 2] == 2
    assert refined.data.max() == 3


def test_a_rename_asks_for_nothing_else(
    viewer: Any, ran: Any, models: Any, qtbot: Any
) -> None:
    table = ran.classes.model.table
    ran.classes.model.apply(lambda: table.rename(0, "kitten"))
    qtbot.wait(300)
    assert models.calls == []
    features = viewer.layers["photo refined"].features
    assert features["class"].tolist() == ["background", "kitten", "dog"]


def test_updates_act_on_the_chosen_image(
    viewer: Any, ran: Any, models: Any, qtbot: Any
) -> None:
    before = viewer.layers["photo refined"].data.copy()
    other = viewer.add_image(np.zeros((8, 12), np.uint8), name="other")
    assert ran.image.layer() is other  # what was opened last
    ran.classes.set_lines("tree")
    ran.tune.editors["coarse_threshold"].value = 0.5
    qtbot.wait(300)
    assert models.calls == []
    np.testing.assert_array_equal(viewer.layers["photo refined"].data, before)
    # And an image with labels brings its classes back.
    ran.image.choose(viewer.layers["photo"])
    assert ran.classes.class_set().names == ("cat", "dog")


def test_updates_act_on_the_slice_that_is_shown(
    viewer: Any, ran: Any, models: Any, finish: Any, rest: Any
) -> None:
    stack = viewer.add_image(
        np.arange(192, dtype=np.uint8).reshape(2, 8, 12), name="stack"
    )
    ran.classes.set_lines("cat\ndog")
    for slice_ in (0, 1):
        viewer.dims.set_current_step(0, slice_)
        ran.start()
        finish(ran)
    viewer.dims.set_current_step(0, 0)
    models.calls.clear()
    refined = viewer.layers["stack refined"]
    before = refined.data.copy()
    ran.classes.paste("fox")
    rest(ran, models, 2)
    assert refined.data[0].max() == 3
    np.testing.assert_array_equal(refined.data[1], before[1])
    assert models.count("encode") == 0
    assert ran.image.layer() is stack


def test_a_cancelled_update_leaves_regions_and_their_table_alike(
    viewer: Any, ran: Any, models: Any, qtbot: Any
) -> None:
    regions = viewer.layers["photo regions"].data.copy()
    request = ran.live.shown
    ran.runs.progressed.connect(lambda *_: ran.runs.cancel())
    ran.classes.paste("fox")
    qtbot.waitUntil(lambda: models.count("segment") >= 1, timeout=10_000)
    qtbot.waitUntil(lambda: ran.settled, timeout=10_000)
    if ran.live.shown is request:
        np.testing.assert_array_equal(viewer.layers["photo regions"].data, regions)
        assert ran.run.status.text().startswith("Cancelled")


def test_layers_that_are_left_are_gone_on_with(viewer: Any, ran: Any) -> None:
    viewer.layers.remove(viewer.layers["photo refined"])
    assert ran.review.review is None
    assert ran.hover.text() != "dog"


def test_edits_stay_and_the_rest_is_filled(
    viewer: Any, ran: Any, models: Any, finish: Any
) -> None:
    ran.outputs.choose("merge", probabilities=False)
    refined = viewer.layers["photo refined"]
    refined.brush_size = 1
    refined.paint((2, 2), 2)
    ran.classes.set_lines("cat\ndog\nfox")
    ran.start()
    finish(ran)
    assert refined.data[2, 2] == 2
    assert refined.data.max() == 3
    refined.undo()
    assert refined.data.max() == 2
    assert refined.data[2, 2] == 2


def test_a_drag_is_one_step_of_undo(
    viewer: Any, ran: Any, models: Any, rest: Any, finish: Any
) -> None:
    # A rerun in place is a step of its own.
    ran.classes.set_lines("cat\ndog\nelk")
    ran.start()
    finish(ran)
    models.calls.clear()
    refined, coarse = viewer.layers["photo refined"], viewer.layers["photo coarse"]
    before = refined.data.copy()
    for count, name in ((2, "fox"), (4, "owl")):
        ran.classes.paste(name)
        rest(ran, models, count)
    assert refined.data.max() == coarse.data.max() == 5
    for layer in (refined, coarse):
        layer.undo()
        np.testing.assert_array_equal(layer.data, before)


def test_a_change_after_a_rest_is_a_step_of_its_own(
    viewer: Any, ran: Any, models: Any, rest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_s2clip._qt.results._DRAG", -1)
    refined = viewer.layers["photo refined"]
    for count, name in ((2, "fox"), (4, "owl")):
        ran.classes.paste(name)
        rest(ran, models, count)
    assert refined.data.max() == 4
    refined.undo()
    assert refined.data.max() == 3
    refined.undo()
    assert refined.data.max() == 2


def test_names_and_colours_act_without_a_run(
    viewer: Any, ran: Any, models: Any
) -> None:
    ran.tune.live.setChecked(False)
    table = ran.classes.model.table
    ran.classes.model.apply(lambda: table.recolour(0, "#112233"))
    refined = viewer.layers["photo refined"]
    assert refined.colormap.map(1)[:3] == pytest.approx(
        np.array([0x11, 0x22, 0x33]) / 255, abs=0.01
    )
    assert models.calls == []


def test_counts_follow_a_brush(viewer: Any, ran: Any, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not ran.counts.pending, timeout=10_000)
    refined = viewer.layers["photo refined"]
    seen: list[dict[int, int]] = []
    ran.counts.counted.connect(seen.append)
    refined.data_setitem((np.array([0, 0]), np.array([0, 1])), 2)
    qtbot.waitUntil(lambda: bool(seen), timeout=10_000)
    assert seen[-1][2] == (refined.data == 2).sum()
    refined.undo()
    qtbot.waitUntil(lambda: len(seen) > 1, timeout=10_000)
    assert seen[-1][2] == (refined.data == 2).sum()


def test_what_lies_under_the_mouse(viewer: Any, ran: Any, qtbot: Any) -> None:
    viewer.cursor.position = (4.0, 11.0)
    qtbot.waitUntil(lambda: ran.hover.text().startswith("dog: region 2, p 0.88"))
    viewer.cursor.position = (4.0, 0.0)
    qtbot.waitUntil(lambda: ran.hover.text() == "background")
    viewer.cursor.position = (-40.0, 0.0)
    qtbot.waitUntil(lambda: ran.hover.text() == "")


def test_panels_follow_the_layer_s_own_undo(
    viewer: Any, ran: Any, finish: Any, qtbot: Any
) -> None:
    ran.classes.set_lines("cat\ndog\nfox")
    ran.start()
    finish(ran)
    viewer.cursor.position = (4.0, 11.0)
    qtbot.waitUntil(lambda: ran.hover.text().startswith("fox: region "))
    assert len(ran.review.review) == 3
    for stage in ("coarse", "regions", "refined"):
        viewer.layers[f"photo {stage}"].visible = True
        viewer.layers[f"photo {stage}"].undo()
    assert len(ran.review.review) == 2
    viewer.cursor.position = (4.0, 10.0)
    qtbot.waitUntil(lambda: ran.hover.text().startswith("dog: region 2, p 0.88"))
    for stage in ("coarse", "regions", "refined"):
        viewer.layers[f"photo {stage}"].redo()
    assert len(ran.review.review) == 3


def test_a_run_that_was_cancelled_while_it_waited_leaves_no_bar(
    ran: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(progress._all_instances)
    go = threading.Event()

    def hold(request: Any, report: Any, cancel: Any) -> None:
        go.wait(10)
        cancel.raise_if_cancelled()

    monkeypatch.setattr(ran.engine, "segment", hold)
    ran.tune.editors["coarse_threshold"].value = 0.5
    qtbot.waitUntil(lambda: ran.runs.busy)
    ran.start()
    assert set(progress._all_instances) > before
    ran.cancel()
    go.set()
    qtbot.waitUntil(lambda: ran.settled)
    assert set(progress._all_instances) <= before
