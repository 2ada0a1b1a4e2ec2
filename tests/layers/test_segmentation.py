from __future__ import annotations

import colorsys
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.colormaps.standardize_color import transform_color

from napari_s2clip import ClassEntry, ClassSet, Segmentation
from napari_s2clip.layers import KEY, add_segmentation, class_names
from napari_s2clip.planes import take_plane, take_target

STAGES = ("coarse", "regions", "refined")
Make = Callable[..., Segmentation]


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def image(viewer: ViewerModel) -> Image:
    return viewer.add_image(np.zeros((8, 12), np.uint8), name="cell")


def hue(colour: Any) -> float:
    return colorsys.rgb_to_hls(*(float(v) for v in colour[:3]))[0]


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
    # Neighbours of one class are told apart by shades of its colour.
    first, second, third = (added["regions"].get_color(r) for r in (1, 2, 3))
    np.testing.assert_allclose(first, colours[2])
    assert not np.allclose(second, colours[2])
    assert hue(second) == pytest.approx(hue(colours[2]), abs=0.01)
    assert hue(third) == pytest.approx(hue(colours[0]), abs=0.01)


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
    assert regions.features["class"].tolist() == ["no region", "cat", "dog", "fox"]
    for region, value in zip((1, 2, 3), (3, 1, 7), strict=True):
        colour = transform_color(result.classes.colour_of(value))[0]
        np.testing.assert_allclose(refined.get_color(value), colour)
        shade = regions.get_color(region)
        assert hue(shade) == pytest.approx(hue(colour), abs=0.01)


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
    assert hover("refined", 1).endswith("class: background, share: 33.3 %")
    assert hover("coarse", 5).endswith("class: cat, share: 33.3 %")
    assert hover("refined", 9).endswith("class: dog, share: 33.3 %")
    assert hover("regions", 1).endswith("class: no region")
    assert "class: cat, probability: 0.877, sam_score: 0.912" in hover("regions", 5)
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
    # Plain data: it can be written into any file.
    assert json.loads(json.dumps(entry))["runs"] == [
        {
            "positions": [[]],
            "axes": [0, 1],
            "window": [0, 0, 8, 12],
            "provenance": result.provenance,
        }
    ]


def test_painting_does_not_reach_into_the_result(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    result = make_result()
    added = add_segmentation(viewer, image, result)
    added["refined"].data[:] = 9
    assert result.refined.max() == 2


def test_rerun_keeps_the_order_of_the_list(
    viewer: ViewerModel, image: Image, make_result: Make
) -> None:
    add_segmentation(viewer, image, make_result())
    viewer.add_points(np.zeros((1, 2)), name="on top")
    viewer.layers.move(3, 1)  # refined under coarse
    names = [layer.name for layer in viewer.layers]
    add_segmentation(viewer, image, make_result())
    assert [layer.name for layer in viewer.layers] == names


def test_each_image_has_its_own_layers(viewer: ViewerModel, make_result: Make) -> None:
    # Same name and size: the layer counts, not what it is called.
    images = [viewer.add_image(np.zeros((8, 12))) for _ in range(2)]
    images[1].name = images[0].name
    for image in images:
        add_segmentation(viewer, image, make_result())
    assert len(viewer.layers) == 8
    add_segmentation(viewer, images[1], make_result())
    assert len(viewer.layers) == 8


def test_slices_share_their_layers(viewer: ViewerModel, make_result: Make) -> None:
    image = viewer.add_image(np.zeros((3, 8, 12)), name="stack")
    for step, names in ((0, ("cat",)), (2, ("cat", "dog"))):
        viewer.dims.current_step = (step, 0, 0)
        added = add_segmentation(viewer, image, make_result(names=names))
    assert [layer.name for layer in viewer.layers][1:] == [
        f"stack {stage}" for stage in STAGES
    ]
    assert added["refined"].data.shape == (3, 8, 12)
    assert [plane.max() for plane in added["refined"].data] == [1, 0, 2]


def test_result_lands_where_the_run_was(viewer: ViewerModel, make_result: Make) -> None:
    image = viewer.add_image(np.zeros((3, 8, 12)), scale=(5.0, 1.0, 1.0))
    viewer.dims.current_step = (1, 0, 0)
    target = take_target(viewer, image)
    viewer.dims.current_step = (2, 0, 0)
    image.scale = (9.0, 9.0, 9.0)
    refined = add_segmentation(viewer, image, make_result(), target=target)["refined"]
    assert [plane.any() for plane in refined.data] == [False, True, False]
    np.testing.assert_array_equal(refined.scale, (5.0, 1.0, 1.0))


def test_a_plane_alone_says_which_slice(viewer: ViewerModel, make_result: Make) -> None:
    image = viewer.add_image(np.zeros((3, 8, 12)))
    viewer.dims.current_step = (1, 0, 0)
    plane = take_plane(viewer, image)
    viewer.dims.current_step = (2, 0, 0)
    refined = add_segmentation(viewer, image, make_result(), plane=plane)["refined"]
    assert [p.any() for p in refined.data] == [False, True, False]
    image.data = np.ones((3, 8, 12))
    with pytest.raises(ValueError, match=r"plane: .* give the target"):
        add_segmentation(viewer, image, make_result(), plane=plane)


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
    assert len(added["regions"].features) == 401


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
