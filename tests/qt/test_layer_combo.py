from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_s2clip._qt.layer_combo import ImageCombo


@pytest.fixture
def combo(viewer: Any, qtbot: Any) -> ImageCombo:
    combo = ImageCombo(viewer)
    qtbot.addWidget(combo)
    for event in ("inserted", "removed", "reordered", "renamed"):
        getattr(viewer.layers.events, event).connect(lambda: combo.refresh())
    return combo


def titles(combo: ImageCombo) -> list[str]:
    return [combo.itemText(i) for i in range(combo.count())]


def test_only_images_are_listed_the_newest_first(viewer: Any, combo: Any) -> None:
    viewer.add_labels(np.zeros((8, 12), int))
    viewer.add_image(np.zeros((4, 4)), name="second")
    assert titles(combo) == ["second", "photo"]


def test_choice_stays_through_insert_rename_and_reorder(
    viewer: Any, combo: ImageCombo, qtbot: Any
) -> None:
    photo = viewer.layers["photo"]
    assert combo.layer() is photo
    with qtbot.assertNotEmitted(combo.layer_changed):
        viewer.add_image(np.zeros((4, 4)), name="second")
        photo.name = "renamed"
        viewer.layers.move(0, 2)
    assert combo.layer() is photo
    assert combo.currentText() == "renamed"


def test_removed_choice_falls_back_on_another(
    viewer: Any, combo: ImageCombo, qtbot: Any
) -> None:
    second = viewer.add_image(np.zeros((4, 4)), name="second")
    with qtbot.waitSignal(combo.layer_changed):
        viewer.layers.remove("photo")
    assert combo.layer() is second


def test_without_images_it_says_what_to_do(viewer: Any, combo: ImageCombo) -> None:
    viewer.layers.clear()
    assert combo.layer() is None
    assert titles(combo) == ["Open an image first"]
    assert not combo.isEnabled()


def test_images_of_one_name_are_told_apart(viewer: Any, combo: ImageCombo) -> None:
    second = viewer.add_image(np.zeros((4, 4)), name="photo")
    combo.choose(second)
    assert combo.layer() is second
