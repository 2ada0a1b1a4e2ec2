"""The page of thresholds, with its real controls."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_s2clip._qt.tune_panel import TunePanel
from napari_s2clip.settings import Settings


@pytest.fixture
def panel(show: Any) -> TunePanel:
    panel = TunePanel()
    show(panel, 300, 600)
    return panel


def shown(panel: TunePanel) -> set[str]:
    return {name for name, e in panel.editors.items() if e.widget.isVisible()}


def test_it_begins_with_the_defaults(panel: TunePanel) -> None:
    assert panel.values == {}
    assert panel.settings() == Settings()


def test_every_knob_after_the_encoding_has_a_control(panel: TunePanel) -> None:
    stages = ("classify", "regions", "refine")
    knobs = {name for stage in stages for name in Settings().of_stage(stage)}
    assert set(panel.editors) == knobs - {"attention_threshold"}


CHANGES = {
    "logit_scale": 55.0,
    "probability_threshold": 0.35,
    "probability_refiner": "pamr",
    "pamr_iterations": 4,
    "feature_surgery": False,
    "feedback": False,
    "feedback_scale": 3.0,
    "feedback_share": 0.5,
    "feedback_threshold": 0.1,
    "coarse_threshold": 0.55,
    "min_region_area": 12,
    "connected_components": False,
    "refine": False,
    "refine_mode": "trident",
    "prompt_box": False,
    "prompt_point": False,
    "mask_prompt": "logit",
    "iou_threshold": 0.95,
    "refine_background": True,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_a_setting(panel: TunePanel, qtbot: Any, name: str) -> None:
    method = {"feature_surgery": "clip-surgery"}.get(name, "s2clip")
    panel.set_method("resclip" if name.startswith("feedback") else method)
    with qtbot.waitSignal(panel.changed):
        panel.editors[name].value = CHANGES[name]
    assert panel.values == {name: CHANGES[name]}
    assert getattr(panel.settings(), name) == CHANGES[name]


def test_the_slider_follows_the_keyboard(panel: TunePanel, qtbot: Any) -> None:
    focus = panel.editors["coarse_threshold"].focus
    slider = focus.findChild(type(focus)) or focus
    slider.setFocus()
    before = panel.editors["coarse_threshold"].value
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert panel.editors["coarse_threshold"].value == pytest.approx(before + 0.01)


def test_reset_gives_every_default_in_one_change(panel: TunePanel, qtbot: Any) -> None:
    panel.set_values({"iou_threshold": 0.5, "logit_scale": 12.0, "levels": (1,)})
    assert panel.values == {"iou_threshold": 0.5, "logit_scale": 12.0}
    seen: list[bool] = []
    panel.changed.connect(lambda: seen.append(True))
    qtbot.mouseClick(panel.reset_button, Qt.MouseButton.LeftButton)
    assert panel.values == {}
    assert seen == [True]


def test_a_method_shows_what_acts_on_it(panel: TunePanel) -> None:
    assert "feedback_scale" not in shown(panel)
    panel.set_method("resclip")
    assert "feedback_scale" in shown(panel)
    panel.editors["feedback_scale"].value = 1.0
    panel.set_method("s2clip")
    # What cannot be seen does not act.
    assert panel.values == {}
    assert panel.settings().method == "s2clip"


def test_what_is_switched_off_is_grey(panel: TunePanel) -> None:
    def grey() -> set[str]:
        return {n for n, e in panel.editors.items() if not e.widget.isEnabled()}

    assert grey() == {"pamr_iterations"}
    panel.editors["probability_refiner"].value = "pamr"
    assert grey() == set()
    panel.editors["refine"].value = False
    assert grey() == {
        *("refine_mode", "prompt_box", "prompt_point", "mask_prompt"),
        *("iou_threshold", "refine_background"),
    }


def test_settings_that_exclude_each_other_are_one_line(panel: TunePanel) -> None:
    panel.editors["prompt_box"].value = False
    panel.editors["prompt_point"].value = False
    with pytest.raises(ValueError, match=r"^prompt_box, prompt_point: both are off"):
        panel.settings()


def test_every_control_says_what_it_is(panel: TunePanel) -> None:
    for name, editor in panel.editors.items():
        assert editor.focus.toolTip(), name
        assert editor.focus.accessibleName(), name
    buddies = {label.buddy() for label in panel.findChildren(QLabel)}
    assert {e.focus for e in panel.editors.values() if e.title} <= buddies
