from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps.standardize_color import transform_color

from napari_s2clip import ClassEntry, ClassSet, Segmentation
from napari_s2clip.layers import KEY, add_segmentation, class_names
from napari_s2clip.planes import take_plane

STAGES = ("coarse", "regions", "refined")
Make = Callable[..., Segmentation]


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def image(viewer: ViewerModel) -> Image:
    return viewer.add_image(np.zeros((8, 12), np.uint8), name="cell")


def test_three_layers_in_the_order_of_the_stages(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    result = make_result()
    added = add_segmentation(viewer, image, result)
    assert tuple(added) == STAGES
    names = [layer.name for layer in viewer.layers]
    assert names == ["cell", "cell coarse", "cell regions", "cell refined"]
    for stage in STAGES:
        np.testing.assert_array_equal(added[stage].data, getattr(result, stage))
    assert [added[stage].visible for stage in STAGES] == [False, False, True]


def test_one_colour_a_class_in_all_layers(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    result = make_result(names=("cat", "dog", "fox"))
    # Two regions of one class, and ids that are not those of the classes.
    result.region_table["class_id"] = [3, 3, 1]
    added = add_segmentation(viewer, image, result)
    colours = [transform_color(c)[0] for c in result.classes.colours]
    for stage in ("coarse", "refined"):
        for value, colour in enumerate(colours, 1):
            np.testing.assert_allclose(added[stage].get_color(value), colour)
    for region, class_id in zip((1, 2, 3), (3, 3, 1), strict=True):
        colour = added["regions"].get_color(region)
        np.testing.assert_allclose(colour, colours[class_id - 1])


def test_colours_and_names_follow_the_ids(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    entries = [ClassEntry("cat", id=3), "dog", ClassEntry("fox", id=7)]
    result = make_result(names=ClassSet(entries))
    added = add_segmentation(viewer, image, result)
    refined, regions = added["refined"], added["regions"]
    assert np.unique(refined.data).tolist() == [0, 1, 3, 7]
    assert refined.features["index"].tolist() == [0, 3, 1, 7]
    assert refined.features["class"].tolist() == ["background", "cat", "dog", "fox"]
    assert regions.features["class"].tolist() == ["cat", "dog", "fox"]
    for region, value in zip((1, 2, 3), (3, 1, 7), strict=True):
        colour = transform_color(result.classes.colour_of(value))[0]
        np.testing.assert_allclose(refined.get_color(value), colour)
        np.testing.assert_allclose(regions.get_color(region), colour)


def test_other_labels_can_be_painted_and_seen(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    added = add_segmentation(viewer, image, make_result())
    for layer in added.values():
        assert layer.get_color(77)[3] == 1
        assert layer.colormap.map(np.array([0]))[0, 3] == 0


def test_hover_tells_the_class(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    added = add_segmentation(viewer, image, make_result())

    def hover(stage: str, x: int) -> str:
        added[stage].visible = True
        status = added[stage].get_status((3, x), dims_displayed=[0, 1], world=True)
        return str(status["coordinates"])

    # Stripes of four columns: background, cat, dog.
    assert hover("refined", 1).endswith("class: background")
    assert hover("coarse", 5).endswith("class: cat")
    assert hover("refined", 9).endswith("class: dog")
    assert "class: cat, score: 0.877, sam_score: 0.912" in hover("regions", 5)
    assert "sam_score" not in hover("regions", 9)


def test_refined_is_selected_so_that_hover_shows_it(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    added = add_segmentation(viewer, image, make_result())
    assert viewer.layers.selection.active is added["refined"]


def test_work_on_another_layer_is_not_interrupted(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    other = viewer.add_labels(np.zeros((8, 12), int))
    add_segmentation(viewer, image, make_result())
    assert viewer.layers.selection == {other}
    assert viewer.layers.selection.active is other


def test_layers_tell_where_they_come_from(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    result = make_result(names=ClassSet(["cat | kitten"], ["sky"]))
    layer = add_segmentation(viewer, image, result)["regions"]
    entry = layer.metadata[KEY]
    assert (entry["stage"], entry["image_name"]) == ("regions", "cell")
    assert entry["classes"][0]["synonyms"] == ["kitten"]
    assert entry["background"] == ["sky"]
    assert entry["provenance"] == result.provenance
    assert entry["edited"] is False


def test_painting_does_not_reach_into_the_result(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    result = make_result()
    added = add_segmentation(viewer, image, result)
    added["refined"].data[:] = 9
    assert result.refined.max() == 2


def test_rerun_replaces_what_nobody_touched(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    first = add_segmentation(viewer, image, make_result())
    first["refined"].opacity = 0.25
    first["coarse"].visible = True
    second = add_segmentation(viewer, image, make_result(names=("fox",)))
    assert len(viewer.layers) == 4
    assert not set(first.values()) & set(viewer.layers)
    assert second["refined"].name == "cell refined"
    # How they looked stays.
    assert second["refined"].opacity == 0.25
    assert [second[stage].visible for stage in STAGES] == [True, False, True]
    assert viewer.layers.selection.active is second["refined"]


def test_rerun_keeps_the_order_of_the_list(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    add_segmentation(viewer, image, make_result())
    viewer.add_points(np.zeros((1, 2)), name="on top")
    viewer.layers.move(3, 1)  # refined under coarse
    names = [layer.name for layer in viewer.layers]
    add_segmentation(viewer, image, make_result())
    assert [layer.name for layer in viewer.layers] == names


def paint(layer: Labels) -> None:
    layer.paint((2, 2), 2)


def replace_data(layer: Labels) -> None:
    layer.data = np.zeros_like(layer.data)


def rename(layer: Labels) -> None:
    layer.name = "mine"


def fill(layer: Labels) -> None:
    layer.fill((2, 6), 2)


def write_into_the_array(layer: Labels) -> None:
    layer.data[0, 0] = 2  # as scripts and other plugins do; no event tells it


@pytest.mark.parametrize(
    "touch", [paint, fill, replace_data, rename, write_into_the_array]
)
def test_rerun_keeps_what_was_touched(
    viewer: ViewerModel,
    image: Image,
    make_result: Make,
    touch: Callable[[Labels], None],
) -> None:
    first = add_segmentation(viewer, image, make_result())
    touch(first["refined"])
    data = first["refined"].data.copy()
    second = add_segmentation(viewer, image, make_result(names=("fox",)))
    assert first["refined"] in viewer.layers
    np.testing.assert_array_equal(first["refined"].data, data)
    assert first["coarse"] not in viewer.layers
    assert second["refined"] is not first["refined"]
    assert second["refined"].visible
    numbered = "cell refined" if touch is rename else "cell refined [1]"
    assert second["refined"].name == numbered
    # A third run replaces the second, and still not the first.
    add_segmentation(viewer, image, make_result())
    assert first["refined"] in viewer.layers
    assert second["refined"] not in viewer.layers
    assert len(viewer.layers) == 5


def test_an_edit_that_was_undone_is_still_an_edit(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    first = add_segmentation(viewer, image, make_result())["refined"]
    paint(first)
    first.undo()
    add_segmentation(viewer, image, make_result())
    assert first in viewer.layers


def test_rerun_keeps_a_duplicate(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    first = add_segmentation(viewer, image, make_result())["refined"]
    data, options, _ = first.as_layer_data_tuple()
    copy = viewer.add_labels(data.copy(), **{**options, "name": "cell refined"})
    add_segmentation(viewer, image, make_result())
    assert copy in viewer.layers
    assert first not in viewer.layers


def test_each_image_has_its_own_layers(viewer: ViewerModel, make_result: Make) -> None:
    # Same name and size: the layer counts, not what it is called.
    images = [viewer.add_image(np.zeros((8, 12))) for _ in range(2)]
    images[1].name = images[0].name
    for image in images:
        add_segmentation(viewer, image, make_result())
    assert len(viewer.layers) == 8
    add_segmentation(viewer, images[1], make_result())
    assert len(viewer.layers) == 8


def test_each_slice_has_its_own_layers(viewer: ViewerModel, make_result: Make) -> None:
    image = viewer.add_image(np.zeros((3, 8, 12)), name="stack")
    for step in (0, 2):
        viewer.dims.current_step = (step, 0, 0)
        added = add_segmentation(viewer, image, make_result())
        assert added["refined"].name == f"stack slice {step} refined"
        assert added["refined"].data.shape == (1, 8, 12)
    assert len(viewer.layers) == 7


def test_result_lands_where_the_plane_was(
    viewer: ViewerModel, make_result: Make
) -> None:
    image = viewer.add_image(np.zeros((3, 8, 12)), scale=(5.0, 1.0, 1.0))
    viewer.dims.current_step = (1, 0, 0)
    plane = take_plane(viewer, image)
    viewer.dims.current_step = (2, 0, 0)
    image.scale = (9.0, 9.0, 9.0)
    added = add_segmentation(viewer, image, make_result(), plane=plane)
    np.testing.assert_array_equal(added["refined"].translate, (5.0, 0.0, 0.0))
    np.testing.assert_array_equal(added["refined"].scale, (5.0, 1.0, 1.0))


def test_image_may_be_gone(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    plane = take_plane(viewer, image)
    viewer.layers.remove(image)
    added = add_segmentation(viewer, image, make_result(), plane=plane)
    assert added["refined"].name == "cell refined"


def test_result_of_another_size_is_refused(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    with pytest.raises(ValueError, match=r"result: .*\(4, 4\).*'cell'.*\(8, 12\)"):
        add_segmentation(viewer, image, make_result((4, 4)))
    assert len(viewer.layers) == 1


def test_many_classes_and_regions_keep_their_labels(
    viewer: ViewerModel, make_result: Make
) -> None:
    names = tuple(f"class {i}" for i in range(400))
    image = viewer.add_image(np.zeros((2, 401)))
    added = add_segmentation(viewer, image, make_result((2, 401), names))
    assert added["refined"].data.max() == 400
    assert len(added["regions"].features) == 400


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ({}, ()),
        ({KEY: {"classes": ["cat", "dog | hound"]}}, ("cat", "dog | hound")),
        ({KEY: {"classes": "cat"}}, ()),
        ({KEY: {"classes": [{"name": "cat"}, 3]}}, ()),
        ({KEY: None}, ()),
    ],
)
def test_class_names_of_a_layer(
    metadata: dict[str, Any], names: tuple[str, ...]
) -> None:
    layer = Image(np.zeros((3, 3)), metadata=metadata)
    assert class_names(layer) == names
