"""Names and colours, also when they change without a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils.colormaps.standardize_color import transform_color

from napari_s2clip import ClassEntry, ClassSet
from napari_s2clip.layers import KEY, apply_classes, is_edited, show_result
from napari_s2clip.layers.legend import Legend

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

Run = Callable[..., Any]

GREY = (*[128 / 255] * 3, 1)


def named(layer: Labels) -> dict[int, str]:
    return dict(zip(layer.features["index"], layer.features["class"], strict=True))


def colour(text: str) -> np.ndarray:
    return transform_color(text)[0]


@pytest.fixture
def shown(viewer: ViewerModel, image: Image, run: Run) -> Any:
    return show_result(viewer, image, run(image, [1, 1, 1, 2, 2, 2]))


def test_colours_of_new_layers_are_given_once(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    # Each map of colours is a map of all values of the dtype, and drawn.
    changed: list[str] = []

    def listen(event: Any) -> None:
        event.value.events.colormap.connect(lambda e: changed.append(e.source.name))

    viewer.layers.events.inserted.connect(listen)
    show_result(viewer, image, run(image, [1, 1, 1, 2, 2, 2]))
    assert changed == []


def test_rename_and_recolour_at_once(
    viewer: ViewerModel, image: Image, shown: Any
) -> None:
    shown["coarse"].data[0, 0] = 3  # edited
    shown["refined"].name = "mine"  # renamed
    shown["regions"].visible = False
    duplicate = viewer.add_labels(
        shown["refined"].data.copy(), metadata=shown["refined"].metadata
    )
    pixels = {stage: layer.data.copy() for stage, layer in shown.items()}
    selected = set(viewer.layers.selection)
    new = ClassSet(
        [ClassEntry("wolf", id=2, colour="#ff0000"), ClassEntry("cat", id=1)]
    )
    apply_classes(viewer, image, new)
    for stage in ("coarse", "refined"):
        assert named(shown[stage]) == {
            0: "background",
            2: "wolf",
            1: "cat",
            3: "removed: fox",
        }
        np.testing.assert_allclose(shown[stage].get_color(2), colour("red"))
        np.testing.assert_allclose(shown[stage].get_color(3), GREY)
    assert named(shown["regions"]) == {0: "no region", 1: "cat", 2: "wolf"}
    red, green, blue, _ = shown["regions"].get_color(2)
    assert red > 0.5
    assert green == blue < 0.5
    for stage, layer in shown.items():
        np.testing.assert_array_equal(layer.data, pixels[stage])
        assert layer.metadata[KEY]["classes"][0]["name"] == "wolf"
    assert set(viewer.layers.selection) == selected
    # A duplicate is the user's.
    assert duplicate.features.empty
    # Undo is as it was.
    shown["coarse"].undo()
    assert is_edited(shown["coarse"])


def test_a_class_that_comes_back_has_its_name_again(
    viewer: ViewerModel, image: Image, shown: Any
) -> None:
    fox = ClassEntry("fox", id=3)
    for classes, name in (
        (["cat", "dog"], "removed: fox"),
        (["cat", "dog"], "removed: fox"),
        (["cat", "dog", fox], "fox"),
    ):
        apply_classes(viewer, image, ClassSet(classes))
        assert named(shown["refined"])[3] == name
    assert shown["refined"].metadata[KEY]["removed"] == []


def test_a_run_without_a_class_keeps_the_name_of_its_pixels(
    viewer: ViewerModel, stack: Image, run: Run
) -> None:
    shown = show_result(viewer, stack, run(stack, 3))
    viewer.dims.current_step = (1, 0, 0)
    show_result(viewer, stack, run(stack, 1, names=("cat",)))
    assert named(shown["refined"]) == {
        0: "background",
        1: "cat",
        2: "removed: dog",
        3: "removed: fox",
    }
    assert named(shown["regions"]) == {0: "no region", 1: "removed: fox", 2: "cat"}


def test_colours_are_given_once(
    viewer: ViewerModel, image: Image, run: Run, shown: Any
) -> None:
    # A map that the user chose stays until a class changes.
    counts = []
    shown["refined"].events.colormap.connect(counts.append)
    show_result(viewer, image, run(image, 1))
    assert not counts
    apply_classes(viewer, image, ClassSet([f"class {i}" for i in range(200)]))
    assert len(counts) == 1


def test_more_colours_than_napari_draws() -> None:
    classes = ClassSet([f"class {i}" for i in range(3000)])
    colours = Legend.of(classes, {}).class_colours()
    assert len(colours) == 3000
    assert len(set(colours.values())) <= 1000


def test_the_image_may_be_gone(viewer: ViewerModel, image: Image, shown: Any) -> None:
    viewer.layers.remove(image)
    apply_classes(viewer, image, ClassSet(["lion", "dog", "fox"]))
    assert named(shown["refined"])[1] == "lion"
