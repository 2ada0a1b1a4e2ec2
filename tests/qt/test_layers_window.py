"""Results in a real window: painted by mouse and undone by key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_s2clip.layers import add_segmentation, is_edited

from ..conftest import make_result


@pytest.fixture
def shown(viewer: Any) -> Any:
    return add_segmentation(viewer, viewer.layers["photo"], make_result())


def press(viewer: Any, qtbot: Any, key: Any, modifier: Any) -> None:
    canvas = viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(canvas, key, modifier)


CTRL = Qt.KeyboardModifier.ControlModifier
BOTH = CTRL | Qt.KeyboardModifier.ShiftModifier


@pytest.mark.parametrize("stage", ["coarse", "regions", "refined"])
def test_undo_by_key_takes_a_rerun_back(
    viewer: Any, qtbot: Any, shown: Any, stage: str
) -> None:
    labels, before = shown[stage], shown[stage].data.copy()
    result = make_result(names=("cat", "dog", "fox"))
    assert add_segmentation(viewer, viewer.layers["photo"], result) == shown
    after = labels.data.copy()
    assert (after != before).any()
    viewer.layers.selection.active = labels
    press(viewer, qtbot, Qt.Key.Key_Z, CTRL)
    np.testing.assert_array_equal(labels.data, before)
    press(viewer, qtbot, Qt.Key.Key_Z, BOTH)
    np.testing.assert_array_equal(labels.data, after)


def test_painting_is_kept_and_can_still_be_undone(
    viewer: Any, qtbot: Any, shown: Any
) -> None:
    labels = shown["refined"]
    labels.mode = "paint"
    labels.paint((2, 2), 2)
    painted = labels.data.copy()
    again = add_segmentation(
        viewer, viewer.layers["photo"], make_result(names=("fox",))
    )
    assert again["refined"] is not labels
    np.testing.assert_array_equal(labels.data, painted)
    viewer.layers.selection.active = labels
    press(viewer, qtbot, Qt.Key.Key_Z, CTRL)
    np.testing.assert_array_equal(labels.data, make_result().refined)
    assert not is_edited(labels)


@pytest.mark.parametrize("hidden", [False, True])
def test_the_canvas_shows_a_rerun(make_napari_viewer: Any, hidden: bool) -> None:
    viewer = make_napari_viewer(show=True)
    photo = viewer.add_image(np.full((8, 12), 90, np.uint8), name="photo")
    labels = add_segmentation(viewer, photo, make_result())["refined"]
    pictures = []
    for number, names in enumerate((("cat", "dog", "fox"), ("cat",))):
        labels.visible = not hidden
        result = make_result(names=names)
        add_segmentation(viewer, photo, result)
        labels.visible = True
        pictures.append(viewer.screenshot(flash=False))
        # Draws everything anew.
        labels.visible = False
        assert (viewer.screenshot(flash=False) != pictures[number]).any()
        labels.visible = True
        np.testing.assert_array_equal(viewer.screenshot(flash=False), pictures[number])
    assert (pictures[0] != pictures[1]).any()


def test_two_windows(viewer: Any, make_napari_viewer: Any, shown: Any) -> None:
    other = make_napari_viewer()
    image = other.add_image(np.zeros((8, 12)), name="photo")
    add_segmentation(other, image, make_result(names=("fox",)))
    assert [layer.name for layer in other.layers] == [
        layer.name for layer in viewer.layers
    ]
    np.testing.assert_array_equal(shown["refined"].data, make_result().refined)
