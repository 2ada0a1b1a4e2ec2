"""Sentences that a user of the dock meets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_s2clip import Settings
from napari_s2clip._qt.control_names import in_the_dock
from napari_s2clip._qt.engine import Done
from napari_s2clip._qt.texts import summary
from napari_s2clip.planes import Scope, take_target
from napari_s2clip.targets import TargetResult

from ..conftest import make_result


def message(**settings: Any) -> str:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Settings.model_validate(settings)
    return str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("window: nothing of 'a' is in sight", "Area: nothing of 'a' is in sight"),
        ("ranges: axis z has 3 slices", "Slices: axis z has 3 slices"),
        ("short_side: 90 px", "Short side: 90 px"),
        (
            message(prompt_box=False, prompt_point=False),
            (
                "Prompt with boxes, Prompt with points: both are off; SAM needs one of "
                "them, or switch off Refine with SAM"
            ),
        ),
        # Not a parameter: a layer, a path, a sentence.
        ("photo: it has no labels", "photo: it has no labels"),
        ("C:\\a: not there", "C:\\a: not there"),
        ("There is no image.", "There is no image."),
    ],
)
def test_messages_name_the_control(given: str, said: str) -> None:
    assert in_the_dock(given) == said


def test_in_a_run_window_is_a_setting() -> None:
    text = "window: 8 px is smaller than one patch"
    assert in_the_dock(text, settings=True).startswith("Window: 8 px")


def done(viewer: Any, loading: float = 0.0, notes: Any = ()) -> Done:
    target = take_target(viewer, viewer.layers["photo"], Scope())
    result = TargetResult.of(make_result(names=("cat", "dog", "fox")), target)
    table = result.region_table
    result.region_table = table[table["class_id"] != 2]
    result.seconds = {"encode": 2.0, "refine": 1.0}
    result.provenance["input_notes"] = list(notes)
    return Done(result, loading)


def test_classes_that_were_found_are_counted(viewer: Any) -> None:
    short, full = summary(done(viewer), "photo", gone=False)
    assert short == "photo: 2 regions, 2 of 3 classes found in 3.0 s."
    assert full == (
        "photo: 2 regions, 2 of 3 classes found in 3.0 s, by S2CLIP on CPU in fp32."
    )


def test_the_time_includes_the_models(viewer: Any) -> None:
    short, full = summary(done(viewer, 9.0), "photo", gone=False)
    assert short.endswith("found in 12.0 s.")
    assert "in 12.0 s, 9.0 s of it to load the models, by " in full


def test_a_long_summary_is_two_lines(viewer: Any) -> None:
    kept = "photo refined was edited and is kept, hidden: see photo refined [1]"
    end = done(viewer, notes=["short_side: 90 px was used", "alpha composited"])
    short, full = summary(end, "photo", False, [kept])
    _, second = short.split("\n")
    assert len(second) <= 80
    # Names of layers stay as they are.
    assert second == f"{kept}; Short …"
    assert full.splitlines()[1:] == [
        f"• {kept}",
        "• Short side: 90 px was used",
        "• alpha composited",
    ]


def test_the_run_panel_has_the_rest_as_a_tooltip(widget: Any, finish: Any) -> None:
    widget.start()
    finish(widget)
    shown, more = widget.run.status.text(), widget.run.status.toolTip()
    assert more.startswith(shown.rstrip("."))
    assert len(more) > len(shown)


def test_an_axis_without_a_label_has_words(viewer: Any) -> None:
    stack = viewer.add_image(np.zeros((3, 8, 12), np.uint8), name="stack")
    target = take_target(viewer, stack)
    assert "(of 0 to 2) along the first axis" in target.notes[0]
    stack.axis_labels = ("z", "y", "x")
    assert "(of 0 to 2) along axis z" in take_target(viewer, stack).notes[0]
