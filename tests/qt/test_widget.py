"""The widget in a real window; the models are fake, the threads are not."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from napari.utils import progress
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QScrollArea

from napari_s2clip.layers import KEY
from napari_s2clip.models.errors import WeightsNotFound

NEW = ["photo coarse", "photo regions", "photo refined"]


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_run_adds_three_layers(
    viewer: Any, widget: Any, models: Any, finish: Any
) -> None:
    widget.classes.background.setText("sky; road")
    widget.run.button.click()
    assert widget.run.button.text() == "Cancel"
    finish(widget)
    assert names(viewer) == ["photo", *NEW]
    assert models.calls == [
        ("load", "demo", "auto"),
        ("encode", (8, 12, 3)),
        ("segment", ("cat", "dog"), ("sky", "road")),
    ]
    assert widget.run.button.text() == "Run"
    # The machine adds a little to the 0.8 s of the models.
    assert re.fullmatch(
        r"photo: 2 regions, 2 of 2 classes found in \d+\.\d s\.",
        widget.run.status.text(),
    )
    full = r"found in \d+\.\d s, by S2CLIP on CPU in fp32\."
    assert re.search(full, widget.run.status.toolTip())


def test_another_method_encodes_again(
    viewer: Any, widget: Any, models: Any, finish: Any
) -> None:
    box = widget.models.method_box
    for title in ("S2CLIP", "NACLIP", "NACLIP"):
        box.setCurrentIndex(box.findText(title))
        widget.start()
        finish(widget)
    assert models.methods == ["s2clip", "naclip"]
    assert " by NACLIP on CPU " in widget.run.status.toolTip()
    assert [models.count(c) for c in ("load", "encode", "segment")] == [1, 2, 3]


def test_second_run_reuses_models_and_features(
    viewer: Any, widget: Any, models: Any, finish: Any, have: Any
) -> None:
    widget.start()
    finish(widget)
    widget.classes.set_lines("fox")
    widget.start()
    finish(widget)
    assert [models.count(c) for c in ("load", "encode", "segment")] == [1, 1, 2]
    assert names(viewer) == ["photo", *NEW]
    # Painted into the image, without any notice: it is encoded again.
    viewer.layers["photo"].data[0, 0] = 255
    widget.start()
    finish(widget)
    assert [models.count(c) for c in ("load", "encode", "segment")] == [1, 2, 3]
    have()
    widget.models.reload()
    widget.models.choose("fast")
    widget.start()
    finish(widget)
    # The old models make room for the new ones.
    assert models.calls[-4:-1] == [
        ("release",),
        ("load", "fast", "auto"),
        ("encode", (8, 12, 3)),
    ]


def test_window_stays_alive_and_shows_progress(
    viewer: Any, widget: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    models.hold = True
    widget.run.button.click()
    qtbot.waitUntil(lambda: widget.run.status.text() == "window 6 of 10")
    assert widget.run.bar.value() == 150
    # The viewer works meanwhile.
    viewer.add_points(np.zeros((1, 2)))
    models.go.set()
    finish(widget)
    assert names(viewer) == ["photo", *NEW, "Points"]


def test_cancel(
    viewer: Any, widget: Any, models: Any, finish: Any, qtbot: Any, said: list[str]
) -> None:
    models.hold = True
    widget.run.button.click()
    qtbot.waitUntil(models.waiting.is_set)
    widget.run.button.click()
    assert widget.run.button.text() == "Cancelling…"
    assert not widget.run.button.isEnabled()
    finish(widget)
    assert names(viewer) == ["photo"]
    assert widget.run.status.text() == "Cancelled; nothing was changed."
    assert said == []
    # And the next run works.
    models.hold = False
    widget.run.button.click()
    finish(widget)
    assert names(viewer) == ["photo", *NEW]


def test_result_lands_on_the_image_of_the_run(
    viewer: Any, widget: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    photo = viewer.layers["photo"]
    photo.scale = (3.0, 3.0)
    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    other = viewer.add_image(np.zeros((8, 12)), name="other")
    widget.image.choose(other)
    photo.name = "renamed"
    models.go.set()
    finish(widget)
    refined = viewer.layers["renamed refined"]
    assert refined.metadata[KEY]["image"] == str(photo.unique_id)
    np.testing.assert_array_equal(refined.scale, (3.0, 3.0))


def test_image_may_be_removed_in_a_run(
    viewer: Any, widget: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    viewer.layers.clear()
    models.go.set()
    finish(widget)
    assert names(viewer) == NEW
    assert "the image was removed during the run" in widget.run.status.text()


def test_napari_s_activity_dock_follows_the_run(
    viewer: Any, widget: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    bars: set[Any] = progress._all_instances
    before = set(bars)
    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    (bar,) = bars - before
    assert bar.desc.startswith("S2CLIP: photo")
    qtbot.waitUntil(lambda: bar.n == 30)  # half of the second of five stages
    models.go.set()
    finish(widget)
    assert not bars - before


@pytest.mark.parametrize("leave", ["cancel", "close"])
def test_no_bar_is_left_in_the_activity_dock(
    widget: Any, models: Any, finish: Any, qtbot: Any, leave: str
) -> None:
    before = set(progress._all_instances)
    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    getattr(widget, leave)()
    finish(widget)
    assert progress._all_instances <= before


def test_a_run_that_napari_stops_leaves_the_widget_usable(
    viewer: Any, widget: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    from napari.qt.threading import FunctionWorker

    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    FunctionWorker.await_workers(10_000)  # asks all workers to quit
    finish(widget)
    assert widget.run.button.text() == "Run"
    assert names(viewer) == ["photo"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "classes is empty"), ("cat\ncat", "named twice"), ("| kitten", "is blank")],
)
def test_wrong_classes_start_no_thread(
    widget: Any, models: Any, said: list[str], text: str, message: str
) -> None:
    widget.classes.set_lines(text)
    widget.run.button.click()
    assert not widget.run.running
    assert len(said) == 1
    assert message in said[0]
    assert models.calls == []


def test_without_an_image_it_says_so(
    viewer: Any, widget: Any, models: Any, said: list[str]
) -> None:
    viewer.layers.clear()
    widget.run.button.click()
    assert said == ["There is no image to segment; open one first."]
    assert not widget.run.running


@pytest.mark.parametrize(
    "error", [ValueError("weights: do this"), FileNotFoundError("weights: do this")]
)
def test_errors_are_one_sentence(
    viewer: Any,
    widget: Any,
    models: Any,
    finish: Any,
    said: list[str],
    error: Exception,
) -> None:
    models.error = error
    widget.start()
    finish(widget)
    assert said == ["weights: do this"]
    assert widget.run.status.text() == "weights: do this"
    assert names(viewer) == ["photo"]
    assert widget.run.button.text() == "Run"


def test_missing_weights_are_said_without_what_the_window_cannot_do(
    widget: Any, models: Any, finish: Any, said: list[str]
) -> None:
    models.error = WeightsNotFound("Put it into a folder.", "Or use --weights.")
    widget.start()
    finish(widget)
    assert said == ["Put it into a folder."]


def in_sight(widget: Any, part: Any) -> bool:
    """Whether the whole of a part is in the widget, and shown."""
    top = part.mapTo(widget, QPoint(0, 0)).y()
    inside = top >= 0 and top + part.height() <= widget.height()
    return bool(inside and part.isVisible())


@pytest.fixture
def low(viewer: Any, models: Any, qtbot: Any) -> Any:
    """The widget alone, as high as the dock of a window of 560 px."""
    from napari_s2clip._qt.widget import S2CLIPWidget

    widget = S2CLIPWidget(napari_viewer=viewer)
    qtbot.addWidget(widget)
    widget.classes.set_lines("cat\ndog")
    widget.resize(276, 495)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


@pytest.mark.parametrize("fails", [False, True])
def test_in_a_low_window_nothing_is_out_of_sight(
    low: Any, models: Any, finish: Any, qtbot: Any, fails: bool
) -> None:
    assert in_sight(low, low.run.button)
    if fails:
        models.error = ValueError("a sentence about what to do " * 6)
    low.start()
    finish(low)
    for part in (low.run.button, low.run.status, low.classes.view):
        qtbot.waitUntil(lambda part=part: in_sight(low, part), timeout=5_000)
    assert low.classes.view.height() >= 90


@pytest.mark.parametrize("page", range(5))
def test_where_a_page_scrolls_the_button_and_the_words_stay(
    low: Any, finish: Any, qtbot: Any, page: int
) -> None:
    low.resize(276, 300)
    low.pages.setCurrentIndex(page)
    low.start()
    finish(low)
    for part in (low.run.button, low.run.status, low.annotations.button):
        qtbot.waitUntil(lambda part=part: in_sight(low, part), timeout=5_000)


def test_full_memory_is_one_sentence(
    widget: Any, models: Any, finish: Any, said: list[str]
) -> None:
    import torch

    models.error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate …")
    widget.start()
    finish(widget)
    assert len(said) == 1
    assert said[0].startswith("auto: the memory of the device is full; choose the CPU")


def test_an_error_that_no_one_foresaw_is_shown_once(
    widget: Any, models: Any, finish: Any, said: list[str]
) -> None:
    models.error = ZeroDivisionError("a mistake")
    widget.start()
    finish(widget)
    assert said == ["a mistake"]
    assert widget.run.button.text() == "Run"


def test_slice_is_said(viewer: Any, widget: Any, finish: Any) -> None:
    stack = viewer.add_image(np.zeros((3, 8, 12), np.uint8), name="stack")
    widget.image.choose(stack)
    viewer.dims.current_step = (2, 0, 0)
    widget.start()
    assert "2 (of 0 to 2) along the first axis" in widget.run.status.text()
    finish(widget)
    assert "only one slice was segmented" in widget.run.status.text()
    assert [p.any() for p in viewer.layers["stack refined"].data] == [0, 0, 1]


def test_names_of_the_image_fill_an_empty_list(viewer: Any, widget: Any) -> None:
    widget.classes.set_lines("")
    layer = viewer.add_image(
        np.zeros((4, 4)), metadata={KEY: {"classes": ["red circle", "grass"]}}
    )
    widget.image.choose(layer)
    assert widget.classes.class_set().names == ("red circle", "grass")


def test_removing_the_dock_cancels(
    viewer: Any, widget: Any, models: Any, qtbot: Any, said: list[str]
) -> None:
    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    token = widget.runs._cancel
    viewer.window.remove_dock_widget(widget)
    assert token.cancelled
    qtbot.waitUntil(lambda: not widget.run.running, timeout=10_000)
    assert names(viewer) == ["photo"]
    assert said == []


def test_deleting_the_widget_cancels(
    viewer: Any, widget: Any, models: Any, qtbot: Any, said: list[str]
) -> None:
    from napari.qt.threading import FunctionWorker

    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    token = widget.runs._cancel
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    qtbot.wait(50)
    assert token.cancelled
    FunctionWorker.await_workers(10_000)
    qtbot.wait(50)
    # napari still knows the widget's method; it must not hurt.
    viewer.add_image(np.zeros((3, 3)), name="later")
    assert names(viewer) == ["photo", "later"]
    assert said == []


def test_closing_the_window_cancels(
    make_napari_viewer: Any, models: Any, qtbot: Any
) -> None:
    from napari_s2clip._qt.widget import S2CLIPWidget

    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((8, 12), np.uint8))
    widget = S2CLIPWidget(napari_viewer=viewer)
    viewer.window.add_dock_widget(widget, name="S2CLIP")
    widget.classes.set_lines("cat")
    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    token = widget.runs._cancel
    viewer.close()
    assert token.cancelled


def test_napari_opens_it_from_the_manifest(
    npe2pm: Any, make_napari_viewer: Any
) -> None:
    with npe2pm.tmp_plugin(package="napari-s2clip"):
        viewer = make_napari_viewer()
        viewer.open_sample("napari-s2clip", "photograph")
        _, widget = viewer.window.add_plugin_dock_widget("napari-s2clip", "S2CLIP")
        assert widget.image.layer() is viewer.layers["photograph"]
        assert "cat" in widget.classes.class_set().names
        # napari keeps the list fresh.
        viewer.open_sample("napari-s2clip", "demo_scene")
        viewer.layers["photograph"].name = "Chelsea"
    box = widget.image
    assert [box.itemText(i) for i in range(box.count())] == ["demo scene", "Chelsea"]


def test_nothing_is_wider_than_the_dock(viewer: Any, widget: Any) -> None:
    viewer.layers["photo"].name = "a very long name of an image " * 4
    widget.run.show_running("A sentence that is longer than the dock is wide. " * 4)
    inside = widget.findChild(QScrollArea).widget()
    assert inside.minimumSizeHint().width() <= widget.minimumWidth()
    message = "Put the file into /home/someone" + "/a-rather-long-folder" * 5
    widget.run.show_idle(message)
    assert inside.minimumSizeHint().width() <= widget.minimumWidth()
    assert widget.run.status.toolTip() == message
    # And where the window is low, the pages scroll.
    assert widget.minimumSizeHint().height() < 260


def test_importing_the_widget_does_not_load_torch() -> None:
    code = (
        "import sys, napari_s2clip._qt.widget; "
        "sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
