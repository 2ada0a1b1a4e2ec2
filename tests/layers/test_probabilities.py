"""Images of the probability of each class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_s2clip import ClassEntry, ClassSet
from napari_s2clip.layers import apply_classes, show_result

from .test_legend import colour

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

Run = Callable[..., Any]


def test_probabilities_of_classes(viewer: ViewerModel, stack: Image, run: Run) -> None:
    rows = [1, 1, 1, 2, 2, 0]
    show_result(
        viewer, stack, run(stack, rows, names=("cat", "dog"), probabilities=True)
    )
    names = [layer.name for layer in viewer.layers]
    assert names == [
        "stack",
        "stack p(cat)",
        "stack p(dog)",
        "stack coarse",
        "stack regions",
        "stack refined",
    ]
    cat = viewer.layers["stack p(cat)"]
    assert (cat.visible, tuple(cat.contrast_limits)) == (False, (0, 1))
    assert cat.data.shape == (3, 4, 6)
    np.testing.assert_array_equal(cat.data[0, 0], [1, 1, 1, 0, 0, 0])
    cat.opacity = 0.5
    # Another slice, other classes, and one that was renamed.
    viewer.layers["stack p(dog)"].name = "mine"
    viewer.dims.current_step = (1, 0, 0)
    show_result(
        viewer, stack, run(stack, rows, names=("cat", "cow"), probabilities=True)
    )
    assert viewer.layers["stack p(cat)"] is cat
    assert cat.opacity == 0.5
    np.testing.assert_array_equal(cat.data[:, 0, 0], [1, 1, 0])
    assert "mine" in viewer.layers
    assert not viewer.layers["stack p(cow)"].data[0].any()
    apply_classes(viewer, stack, ClassSet([ClassEntry("lion", colour="#ff0000")]))
    assert cat.name == "stack p(lion)"
    np.testing.assert_allclose(cat.colormap.map([1.0])[0], colour("red"))
    # Those of a class that a run does not have are no more true.
    show_result(viewer, stack, run(stack, 1, names=("cat",), probabilities=True))
    assert "stack p(cow)" not in viewer.layers


@pytest.fixture
def cat(viewer: ViewerModel, image: Image, run: Run) -> Image:
    """Of an earlier run."""
    show_result(viewer, image, run(image, 1, names=("cat",), probabilities=True))
    return viewer.layers["cell p(cat)"]


def test_without_probabilities_those_of_an_earlier_run_go(
    viewer: ViewerModel, image: Image, run: Run, cat: Image
) -> None:
    cat.visible = True  # how it looks is no change
    shown = show_result(viewer, image, run(image, 2))
    assert cat not in viewer.layers
    assert shown.notes == ("1 probability image of an earlier run removed",)
    # They come back with the next run that has some.
    show_result(viewer, image, run(image, 1, names=("cat",), probabilities=True))
    assert (viewer.layers["cell p(cat)"].data == 1).all()


def test_without_probabilities_what_the_user_made_of_them_stays(
    viewer: ViewerModel, image: Image, run: Run, cat: Image
) -> None:
    cat.visible = True
    cat.data = cat.data / 2
    shown = show_result(viewer, image, run(image, 2))
    assert cat in viewer.layers
    assert not cat.visible
    assert shown.notes == ("cell p(cat) was changed and is outdated: it is hidden",)
    cat.name, cat.visible = "mine", True
    assert show_result(viewer, image, run(image, 3)).notes == ()
    assert cat.visible


def test_without_probabilities_other_slices_keep_theirs(
    viewer: ViewerModel, stack: Image, run: Run
) -> None:
    both = run(stack, 1, 1, ranges=((0, 0, 1),), names=("cat",), probabilities=True)
    show_result(viewer, stack, both)
    cat = viewer.layers["stack p(cat)"]
    show_result(viewer, stack, run(stack, 1))
    np.testing.assert_array_equal(cat.data[:, 0, 0], [0, 1, 0])
    viewer.dims.current_step = (1, 0, 0)
    show_result(viewer, stack, run(stack, 1, window=(0, 0, 2, 6)))
    np.testing.assert_array_equal(cat.data[1, :, 0], [0, 0, 1, 1])
    assert cat in viewer.layers
    # What was left of slice 1 lies in a box that is covered now.
    show_result(viewer, stack, run(stack, 1))
    assert cat not in viewer.layers
