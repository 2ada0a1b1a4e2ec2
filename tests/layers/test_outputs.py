"""What panels get to work on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_s2clip import ClassSet
from napari_s2clip.layers import apply_classes, outputs_of, show_result
from napari_s2clip.targets import TARGET_COLUMNS

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

Run = Callable[..., Any]


def check(output: Any) -> None:
    """Every region of the maps is in the table, with the class that it has."""
    table = output.region_table.set_index("region")
    assert table.index.is_unique
    regions = output.regions.data
    for region in np.unique(regions[regions > 0]):
        assert region in table.index
        assert (
            output.regions.features.set_index("index")["class"][region]
            == (table.loc[region, "class_name"])
        )
    owners, refined = np.asarray(output.owners), output.refined.data
    for region in np.unique(owners[owners > 0]):
        assert set(refined[owners == region]) == {table.loc[region, "class_id"]}


def test_regions_of_all_slices(viewer: ViewerModel, stack: Image, run: Run) -> None:
    assert outputs_of(viewer, stack) == []
    for step, row in ((0, [0, 0, 1, 1, 2, 2]), (2, [3, 3, 1, 1, 0, 0])):
        viewer.dims.current_step = (step, 0, 0)
        show_result(viewer, stack, run(stack, row))
    (output,) = outputs_of(viewer, stack)
    check(output)
    table = output.region_table
    assert list(table.columns) == list(TARGET_COLUMNS)
    assert {name: str(kind) for name, kind in table.dtypes.items()} == TARGET_COLUMNS
    assert table["region"].tolist() == [1, 2, 3, 4]
    assert table["position"].tolist() == [(0,), (0,), (2,), (2,)]
    assert table["plane"].tolist() == [0, 0, 1, 1]
    # A new run of slice 2 keeps slice 0.
    show_result(viewer, stack, run(stack, 3))
    (output,) = outputs_of(viewer, stack)
    check(output)
    assert output.region_table["region"].tolist() == [1, 2, 5]
    np.testing.assert_array_equal(np.unique(output.regions.data), [0, 1, 2, 5])


def test_undo_brings_regions_back_that_have_their_names(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    regions = show_result(viewer, image, run(image, [1, 1, 1, 2, 2, 2]))["regions"]
    colours = [regions.get_color(value) for value in (1, 2)]
    show_result(viewer, image, run(image, [3, 3, 3, 3, 3, 1]))
    assert np.unique(regions.data).tolist() == [3, 4]
    regions.undo()
    names = regions.features.set_index("index")["class"]
    assert [names[value] for value in (1, 2)] == ["cat", "dog"]
    np.testing.assert_array_equal([regions.get_color(v) for v in (1, 2)], colours)


def test_the_same_regions_keep_their_ids(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    shown = show_result(viewer, image, run(image, [1, 1, 1, 2, 2, 2]))
    for amend in (False, True, True):
        result = run(image, [1, 1, 1, 2, 2, 2])
        result.refined[:] = 3  # as when only refinement is tuned
        show_result(viewer, image, result, amend=amend)
        assert np.unique(shown["regions"].data).tolist() == [1, 2]
        (output,) = outputs_of(viewer, image)
        assert output.region_table["region"].tolist() == [1, 2]


def test_amended_regions_are_forgotten(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    shown = show_result(viewer, image, run(image, [1, 1, 1, 2, 2, 2]))
    for number in range(5):
        row = [1 + number % 3, 1, 2, 3, 3, number % 2]
        show_result(viewer, image, run(image, row), amend=number > 0)
        (output,) = outputs_of(viewer, image)
        check(output)
        assert output.region_table["region"].min() == 3
    # 0, the two that undo brings back, and the three that are there.
    assert shown["regions"].features["index"].tolist() == [0, 3, 4, 5, 1, 2]


def test_windows_of_one_slice(viewer: ViewerModel, image: Image, run: Run) -> None:
    show_result(viewer, image, run(image, 1, window=(0, 0, 2, 6)))
    show_result(viewer, image, run(image, 2, window=(2, 0, 4, 3)))
    # Over half of the first and all of the second.
    show_result(viewer, image, run(image, 3, window=(1, 0, 4, 6)))
    (output,) = outputs_of(viewer, image)
    check(output)
    np.testing.assert_array_equal(
        output.refined.data[:, 0], [1, 3, 3, 3], err_msg="refined"
    )
    assert output.region_table["region"].tolist() == [1, 3]
    row = output.region_table.iloc[1]
    assert (row["x_min"], row["y_min"], row["y_max"]) == (0, 1, 4)


def test_a_kept_layer_is_a_set_of_its_own(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    first = show_result(viewer, image, run(image, 1))
    first["refined"].data[0, 0] = 2
    second = show_result(viewer, image, run(image, 2))
    new, old = outputs_of(viewer, image)
    assert (new.coarse, new.regions, new.refined) == tuple(second.values())
    assert (old.coarse, old.regions, old.refined) == (None, None, first["refined"])
    assert old.layers == (first["refined"],)
    check(new)
    # What the old set knows is what was true of it.
    assert old.region_table["class_name"].tolist() == ["cat"]
    np.testing.assert_array_equal(old.owners, np.ones((4, 6)))


def test_merged_edits_belong_to_no_region(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    shown = show_result(viewer, image, run(image, 1))
    shown["refined"].data[0, :2] = 3
    show_result(viewer, image, run(image, 2), edited="merge")
    (output,) = outputs_of(viewer, image)
    check(output)
    np.testing.assert_array_equal(output.owners[0], [0, 0, 2, 2, 2, 2])


def test_one_stage_alone(viewer: ViewerModel, image: Image, run: Run) -> None:
    show_result(viewer, image, run(image, 1))
    shown = show_result(viewer, image, run(image, 2), stages=("refined",))
    assert list(shown) == ["refined"]
    (output,) = outputs_of(viewer, image)
    assert (output.coarse.data == 1).all()
    assert (output.refined.data == 2).all()
    assert output.region_table["region"].tolist() == [2]


def test_what_was_deleted_is_gone(viewer: ViewerModel, image: Image, run: Run) -> None:
    shown = show_result(viewer, image, run(image, 1))
    viewer.layers.remove(shown["refined"])
    (output,) = outputs_of(viewer, image)
    assert (output.refined, output.owners) == (None, None)
    assert output.region_table["region"].tolist() == [1]
    viewer.layers.clear()
    assert outputs_of(viewer, image) == []


@pytest.mark.parametrize("names", [("cat",), ("cat", "wolf", "fox")])
def test_the_table_has_the_names_of_now(
    viewer: ViewerModel, image: Image, run: Run, names: tuple[str, ...]
) -> None:
    show_result(viewer, image, run(image, [1, 1, 1, 2, 2, 2]))
    apply_classes(viewer, image, ClassSet(names))
    (output,) = outputs_of(viewer, image)
    assert output.classes.names == names
    second = "wolf" if len(names) > 1 else "dog"
    assert output.region_table["class_name"].tolist() == ["cat", second]


def test_levels_of_a_pyramid(viewer: ViewerModel, run: Run) -> None:
    pyramid = [np.zeros((8, 12), np.uint8), np.zeros((4, 6), np.uint8)]
    image = viewer.add_image(pyramid, multiscale=True, name="slide")
    show_result(viewer, image, run(image, 1))
    shown = show_result(viewer, image, run(image, 2, level=1))
    assert [layer.name for layer in viewer.layers] == [
        "slide",
        "slide coarse",
        "slide regions",
        "slide refined",
        "slide (level 1) coarse",
        "slide (level 1) regions",
        "slide (level 1) refined",
    ]
    np.testing.assert_array_equal(shown["refined"].scale, (2, 2))
    assert [o.refined.data.shape for o in outputs_of(viewer, image)] == [
        (4, 6),
        (8, 12),
    ]
    # The set of the last run comes first.
    show_result(viewer, image, run(image, 3))
    outputs = outputs_of(viewer, image)
    assert [len(output.layers) for output in outputs] == [3, 3]
    assert [o.refined.data.shape for o in outputs] == [(8, 12), (4, 6)]


def test_a_renamed_layer_is_a_set_of_its_own(
    viewer: ViewerModel, image: Image, run: Run
) -> None:
    first = show_result(viewer, image, run(image, 1))["refined"]
    first.name = "mine"
    second = show_result(viewer, image, run(image, 2))
    new, old = outputs_of(viewer, image)
    assert new.layers == tuple(second.values())
    assert old.layers == (first,)


def test_a_run_may_find_an_older_layer_untouched(
    viewer: ViewerModel, stack: Image, run: Run
) -> None:
    first = show_result(viewer, stack, run(stack, 1))["refined"]
    first.data[0, 0, 0] = 2
    second = show_result(viewer, stack, run(stack, 2))["refined"]
    viewer.dims.current_step = (1, 0, 0)
    second.data[1, 0, 0] = 3
    # Slice 1 was edited in the newer layer only.
    shown = show_result(viewer, stack, run(stack, 1))
    assert shown["refined"] is first
    new, old = outputs_of(viewer, stack)
    assert new.layers == tuple(shown.values())
    assert old.layers == (second,)
