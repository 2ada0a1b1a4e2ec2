"""All pages of the dock work together; the models are fake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
)

from napari_s2clip.user_memory import UserMemory

if TYPE_CHECKING:
    from ..conftest import FakeModels


@pytest.fixture
def ran(viewer: Any, widget: Any, models: Any, finish: Any) -> Any:
    """The widget after a run, in a window that is shown."""
    viewer.show()
    widget.start()
    finish(widget)
    return widget


def test_review_works_on_the_refined_layer(viewer: Any, ran: Any, qtbot: Any) -> None:
    ran.pages.setCurrentWidget(ran.pages.review_page)
    refined = viewer.layers["photo refined"]
    before = refined.data.copy()
    ran.review.next()
    region = ran.review.current
    assert region is not None
    qtbot.mouseClick(ran.review.buttons["reject"], Qt.MouseButton.LeftButton)
    assert (refined.data != before).any()
    assert ran.annotations.unsaved
    refined.undo()
    np.testing.assert_array_equal(refined.data, before)


def test_prompts_go_into_the_refined_layer_and_the_classes_follow(
    viewer: Any, ran: Any
) -> None:
    ran.pages.setCurrentWidget(ran.pages.correct_page)
    ran.prompts.start()
    assert ran.prompts.active
    names = [ran.prompts.form.classes.itemText(i) for i in range(3)]
    assert names[:2] == ["cat", "dog"]
    assert any("S2CLIP" in layer.name for layer in viewer.layers)
    ran.pages.setCurrentWidget(ran.pages.segment_page)
    assert not ran.prompts.active
    assert not any("S2CLIP" in layer.name for layer in viewer.layers)


def test_another_image_brings_its_own_layers(
    viewer: Any, ran: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    other = viewer.add_image(np.full((8, 12, 3), 200, np.uint8), rgb=True, name="other")
    ran.image.choose(other)
    assert ran.review.review is None
    ran.image.choose(viewer.layers["photo"])
    assert ran.review.review is not None
    assert len(ran.review.review) == 2


def test_two_viewers_do_not_meet(
    make_napari_viewer: Any, viewer: Any, widget: Any, models: FakeModels, finish: Any
) -> None:
    from napari_s2clip._qt.widget import S2CLIPWidget

    second = make_napari_viewer()
    second.add_image(np.full((8, 12, 3), 30, np.uint8), rgb=True, name="photo")
    other = S2CLIPWidget(napari_viewer=second)
    second.window.add_dock_widget(other, name="S2CLIP")
    other.classes.set_lines("owl")
    widget.start()
    other.start()
    finish(widget)
    finish(other)
    assert viewer.layers["photo refined"].data.max() == 2
    assert second.layers["photo refined"].data.max() == 1
    assert other.classes.class_set().names == ("owl",)


def test_what_was_used_comes_back(
    viewer: Any, ran: Any, make_napari_viewer: Any
) -> None:
    from napari_s2clip._qt.widget import S2CLIPWidget

    ran.tune.editors["iou_threshold"].value = 0.55
    ran.tune.live.setChecked(False)
    ran.models.choose_method("naclip")
    ran.outputs.choose("merge", probabilities=True)
    ran.pages.setCurrentWidget(ran.pages.tune_page)
    viewer.window.remove_dock_widget(ran)
    second = make_napari_viewer()
    again = S2CLIPWidget(napari_viewer=second)
    second.window.add_dock_widget(again, name="S2CLIP")
    assert again.classes.class_set().names == ("cat", "dog")
    assert again.tune.settings().iou_threshold == 0.55
    assert again.models.method == again.tune.settings().method == "naclip"
    assert not again.tune.live.isChecked()
    assert again.outputs.edited == "merge"
    assert again.outputs.probabilities.isChecked()
    assert again.pages.currentWidget() is again.pages.tune_page


def test_every_folder_has_its_own(
    viewer: Any, widget: Any, tmp_path: Path, models: Any, finish: Any
) -> None:
    from skimage.io import imsave

    layers = {}
    for name, classes in (("cells", "nucleus"), ("birds", "owl\nheron")):
        folder = tmp_path / name
        folder.mkdir()
        imsave(folder / "a.png", np.full((8, 12, 3), 9, np.uint8), check_contrast=False)
        (layers[name],) = viewer.open(str(folder / "a.png"))
        widget.image.choose(layers[name])
        widget.classes.set_lines(classes)
        widget.start()
        finish(widget)
    widget.image.choose(layers["cells"])
    assert widget.classes.class_set().names == ("nucleus",)
    widget.image.choose(layers["birds"])
    assert widget.classes.class_set().names == ("owl", "heron")


def test_it_remembers_nothing_if_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, ran: Any, viewer: Any
) -> None:
    UserMemory().forget()
    monkeypatch.setenv("NAPARI_S2CLIP_REMEMBER", "0")
    ran.tune.editors["iou_threshold"].value = 0.55
    viewer.window.remove_dock_widget(ran)
    assert UserMemory().recall() == (None, "")


def test_annotations_come_back_with_classes_and_review(
    viewer: Any,
    widget: Any,
    models: Any,
    finish: Any,
    tmp_path: Path,
    make_napari_viewer: Any,
    qtbot: Any,
) -> None:
    from skimage.io import imsave

    from napari_s2clip._qt.widget import S2CLIPWidget

    path = tmp_path / "photo.png"
    imsave(path, np.full((8, 12, 3), 9, np.uint8), check_contrast=False)
    (layer,) = viewer.open(str(path))
    widget.image.choose(layer)
    widget.start()
    finish(widget)
    widget.review.next()
    widget.review.accept()
    refined = viewer.layers[-1]
    assert refined.name == "photo refined [1]" or "refined" in refined.name
    widget.annotations.save()
    qtbot.waitUntil(lambda: not widget.annotations.busy, timeout=20_000)
    assert (tmp_path / "photo.png.s2clip").is_dir()
    kept = refined.data.copy()
    viewer.window.remove_dock_widget(widget)

    second = make_napari_viewer()
    again = S2CLIPWidget(napari_viewer=second)
    second.window.add_dock_widget(again, name="S2CLIP")
    second.open(str(path))
    qtbot.waitUntil(lambda: len(second.layers) == 4, timeout=20_000)
    np.testing.assert_array_equal(second.layers[-1].data, kept)
    assert again.classes.class_set().names == ("cat", "dog")
    assert again.review.review is not None
    assert again.review.state() == widget.review.state()


def test_the_pages_say_what_they_are(widget: Any) -> None:
    for index in range(widget.pages.count()):
        assert widget.pages.tabText(index)
        assert widget.pages.tabToolTip(index)


def mnemonics(widget: Any) -> list[str]:
    """Letters that act with Alt while a page is shown."""
    texts = [
        part.text()
        for kind in (QLabel, QAbstractButton)
        for part in widget.findChildren(kind)
        if part.isVisibleTo(widget) and "<" not in part.text()
    ]
    return [m for text in texts for m in re.findall(r"&(\w)", text.casefold())]


def test_every_key_with_alt_is_one_control(viewer: Any, ran: Any) -> None:
    menus = "fvlpwh"  # of napari's menu bar
    ran.scope.set_layer(viewer.add_image(np.zeros((3, 4, 8, 12)), name="stack"))
    for index in range(ran.pages.count()):
        ran.pages.setCurrentIndex(index)
        letters = mnemonics(ran)
        assert len(letters) == len(set(letters)), ran.pages.tabText(index)
        assert not set(letters) & set(menus), ran.pages.tabText(index)


def test_every_control_says_what_it_does(viewer: Any, ran: Any) -> None:
    mute = []
    for kind in (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit):
        for part in ran.findChildren(kind):
            said = part.toolTip() or part.parentWidget().toolTip()
            # Arrows of Qt's own, where tabs or cells have no room.
            own = part.objectName().startswith(("qt_", "Scroll"))
            if not said and not own and part.isVisibleTo(ran):
                mute.append(getattr(part, "text", part.objectName)())
    assert mute == []
