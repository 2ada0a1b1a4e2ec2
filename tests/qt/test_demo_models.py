"""The widget with the models that are built in: nothing here is fake."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_s2clip.models.sam import SamModel
from napari_s2clip.pipeline import S2CLIP
from napari_s2clip.sample_data import demo_scene

from .heartbeat import Heartbeat

LONGEST = 1.5
"""Generous, in seconds: other programs may use the computer. See docs/benchmarks.md."""


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was encoded."""
    calls: list[str] = []
    for owner in (S2CLIP, SamModel):
        original = owner.encode

        def encode(
            self: Any, *given: Any, _original: Any = original, **options: Any
        ) -> Any:
            calls.append(type(self).__name__)
            return _original(self, *given, **options)

        monkeypatch.setattr(owner, "encode", encode)
    return calls


@pytest.fixture
def scene(make_napari_viewer: Any) -> Any:
    """A viewer with the demo scene and the widget."""
    from napari_s2clip._qt.widget import S2CLIPWidget

    viewer = make_napari_viewer()
    ((data, options, _),) = demo_scene()
    viewer.add_image(data, **options)
    widget = S2CLIPWidget(napari_viewer=viewer)
    viewer.window.add_dock_widget(widget, name="S2CLIP")
    widget.models.where.choose("cpu", "fp32")
    return viewer, widget


def test_from_the_first_run_to_a_corrected_label(
    scene: Any, encoders: list[str], finish: Any, qtbot: Any
) -> None:
    viewer, widget = scene
    # As it is once the dock has been looked at.
    widget.engine.warm_up()
    qtbot.waitUntil(lambda: widget.engine.warm, timeout=120_000)
    with Heartbeat() as heart:
        widget.start()
        finish(widget)
    assert heart.longest < LONGEST
    assert sorted(encoders) == ["S2CLIP", "SamModel"]
    refined = viewer.layers["demo scene refined"]
    assert set(np.unique(refined.data)) >= {1, 2, 3, 4, 5}
    regions = viewer.layers["demo scene regions"].data.copy()

    # A threshold: no encoder is asked.
    encoders.clear()
    with Heartbeat() as heart:
        widget.tune.editors["coarse_threshold"].value = 0.99
        qtbot.waitUntil(
            lambda: (
                not np.array_equal(viewer.layers["demo scene regions"].data, regions)
            ),
            timeout=20_000,
        )
        qtbot.waitUntil(lambda: widget.settled, timeout=20_000)
    assert heart.longest < LONGEST
    assert encoders == []

    # A click: SAM has seen the image already, or sees it once.
    before = refined.data.copy()
    widget.pages.setCurrentWidget(widget.pages.correct_page)
    widget.prompts.start()
    qtbot.waitUntil(lambda: not widget.prompts.prompted.asker.busy, timeout=60_000)
    encoders.clear()
    for x, y in ((100.0, 60.0), (110.0, 55.0)):
        found = widget.prompts.prompted.found
        widget.prompts.prompted.clicked.emit(x, y, True)
        qtbot.waitUntil(
            lambda found=found: widget.prompts.prompted.found not in (None, found),
            timeout=20_000,
        )
    assert encoders == []
    widget.prompts.form.overwrite.setChecked(True)
    widget.prompts.form.classes.setCurrentIndex(1)
    widget.prompts.commit()
    assert (refined.data != before).any()
    refined.undo()
    np.testing.assert_array_equal(refined.data, before)
