"""Layers as labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.layers import Image as ImageLayer
from napari.layers import Labels
from npe2 import PluginManager

from napari_s2clip import ClassSet
from napari_s2clip.image import Levels
from napari_s2clip.layers import (
    apply_classes,
    image_of,
    objects_of,
    outputs_of,
    show_result,
    training_data,
)
from napari_s2clip.layers.label_names import kinds_of, names_of
from napari_s2clip.review import Review

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Image

CLASSES = ClassSet(["cat", "dog", "fox"])


def items(*args: Any, **options: Any) -> list[Any]:
    return list(training_data(*args, **options))


@pytest.fixture
def shown(viewer: ViewerModel, image: Image, run: Callable[..., Any]) -> Any:
    return show_result(viewer, image, run(image, [1, 1, 0, 2, 2, 0]))


def test_the_refined_layer_has_regions_scores_and_the_image(
    viewer: ViewerModel, image: Image, shown: Any
) -> None:
    (item,) = items(viewer, shown["refined"], image)
    assert item.name == "cell"
    assert item.classes == CLASSES
    np.testing.assert_array_equal(item.image, image.data)
    np.testing.assert_array_equal(item.labels, np.tile([1, 1, 0, 2, 2, 0], (4, 1)))
    np.testing.assert_array_equal(item.instances, np.tile([1, 1, 0, 2, 2, 0], (4, 1)))
    assert item.instance_classes == {1: 1, 2: 2}
    assert item.attributes[1] == {
        "mean_probability": 0.5,
        "sam_score": 0.75,
        "score": 0.375,
    }
    assert item.provenance["model"] == "fake"
    assert item.edited is False
    assert item.reviewed is None
    assert item.ignore is None
    assert item.levels == Levels(((0, 255),))


def test_objects_agree_with_edits(
    viewer: ViewerModel, image: Image, shown: Any
) -> None:
    refined = shown["refined"]
    refined.data_setitem((np.array([0, 1]), np.array([2, 5])), 1)  # at 1, and alone
    refined.data_setitem((np.array([0]), np.array([4])), 3)  # of region 2
    data = training_data(viewer, refined, image)
    (item,) = data
    assert item.edited is True
    assert item.instances[0].tolist() == [1, 1, 1, 2, 3, 0]
    assert item.instances[1].tolist() == [1, 1, 0, 2, 2, 0]
    assert item.instance_classes == {1: 1, 2: 2, 3: 3}
    found, of = item.objects()
    assert found[1, 5] == 4
    assert of[4] == 1
    assert data.skipped == []
    # What is painted while they are gone through does not matter.
    refined.data_setitem((np.array([3]), np.array([0])), 2)
    (again,) = data
    np.testing.assert_array_equal(again.labels, item.labels)


def test_all_our_layers_give_the_same_objects(
    viewer: ViewerModel, image: Image, shown: Any
) -> None:
    kinds = {
        "refined": ("regions", "connected", "ids"),
        "coarse": ("regions", "connected", "ids"),
        "regions": ("ids",),
    }
    for stage, possible in kinds.items():
        assert objects_of(viewer, shown[stage]) == possible
        (item,) = items(viewer, shown[stage], image)
        np.testing.assert_array_equal(item.instances[0], [1, 1, 0, 2, 2, 0])
        assert item.instance_classes == {1: 1, 2: 2}
        assert item.attributes.keys() == {1, 2}
    (item,) = items(viewer, shown["refined"], image, objects="connected")
    assert item.instances is None
    with pytest.raises(ValueError, match=r"^objects: .*connected parts"):
        training_data(viewer, shown["regions"], image, objects="regions")


def test_names_follow_and_removed_classes_are_unknown(
    viewer: ViewerModel, image: Image, shown: Any
) -> None:
    fewer = ClassSet(list(CLASSES)[:1])
    apply_classes(viewer, image, fewer)
    data = training_data(viewer, shown["refined"], image)
    (item,) = data
    assert item.classes.names == ("cat",)
    assert item.ignore[0].tolist() == [False] * 3 + [True] * 2 + [False]
    assert data.skipped == [("cell", "8 px are of no class (label 2) and ignored")]


def test_reviewed_says_whether_all_regions_were_decided(
    viewer: ViewerModel, stack: Image, run: Any
) -> None:
    for step in (0, 2):
        viewer.dims.current_step = (step, 0, 0)
        show_result(viewer, stack, run(stack, [0, 0, 1, 1, 2, 2]))
    (output,) = outputs_of(viewer, stack)
    review = Review(
        output.region_table, output.regions.data, output.owners, output.refined.data
    )
    for region in (1, 2, 3):
        review.accept(region)
    found = items(viewer, output.refined, stack, review=review)
    assert [(i.name, i.reviewed) for i in found] == [
        ("stack_z000", True),
        ("stack_z002", False),
    ]


def test_slices_are_items(viewer: ViewerModel, stack: Image, run: Any) -> None:
    viewer.dims.current_step = (2, 0, 0)
    shown = show_result(viewer, stack, run(stack, [0, 0, 1, 1, 2, 2]))
    data = training_data(viewer, shown["refined"], stack)
    assert len(data) == 3
    assert [item.name for item in data] == ["stack_z002"]
    assert data.skipped == [
        ("stack_z000", "it has no labels"),
        ("stack_z001", "it has no labels"),
    ]
    found = items(viewer, shown["refined"], stack, empty=True)
    assert [item.name for item in found] == ["stack_z000", "stack_z001", "stack_z002"]
    assert [item.source for item in found] == [f"stack_z00{n}" for n in range(3)]
    viewer.dims.current_step = (1, 0, 0)
    (item,) = items(viewer, shown["refined"], stack, slices="current", empty=True)
    assert item.name == "stack_z001"


def test_axes_have_their_names(viewer: ViewerModel) -> None:
    data = np.ones((2, 2, 3, 4), np.uint8)
    plain = viewer.add_labels(data, name="a")
    assert items(viewer, plain)[1].name == "a_t000_z001"
    named = viewer.add_labels(data, name="b", axis_labels=("time", "plane", "y", "x"))
    assert items(viewer, named)[1].name == "b_time000_plane001"
    five = viewer.add_labels(np.ones((1, 1, 1, 2, 2), np.uint8), name="c")
    assert items(viewer, five)[0].name == "c_a0-000_t000_z000"


def test_other_axes_of_a_stack(viewer: ViewerModel) -> None:
    data = np.zeros((2, 3, 4), np.uint8)
    data[:, 1] = 1
    labels = viewer.add_labels(data, name="a")
    image = viewer.add_image(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    viewer.dims.order = (1, 0, 2)
    found = items(viewer, labels, image)
    assert [item.name for item in found] == ["Image_z001"]
    np.testing.assert_array_equal(found[0].image, image.data[:, 1])


def test_a_lazy_stack_is_read_slice_by_slice(viewer: ViewerModel) -> None:
    read: list[tuple[str, int]] = []

    def block(kind: str) -> Any:
        def make(block_info: Any = None) -> Any:
            at = block_info[None]["chunk-location"][0]
            read.append((kind, at))
            return np.full((1, 4, 6), at, np.uint16)

        shape = {"chunks": ((1,) * 5, (4,), (6,)), "dtype": np.uint16}
        return da.map_blocks(make, **shape, meta=np.empty((0, 0, 0), np.uint16))

    image = ImageLayer(block("image"), contrast_limits=(0, 9), name="lazy")
    labels = Labels(block("labels"))
    viewer.layers.extend([image, labels])
    read.clear()
    data = training_data(viewer, labels, image, classes=CLASSES)
    assert read == []
    walk = iter(data)
    item = next(walk)
    assert item.name == "lazy_z001"
    assert read == [("labels", 0), ("labels", 1), ("image", 1)]
    assert next(walk).name == "lazy_z002"
    # One class a value: the labels are looked through first, and no image is.
    read.clear()
    assert training_data(viewer, labels, image).classes.ids == (1, 2, 3, 4)
    assert read == [("labels", n) for n in range(5)]


def test_the_level_of_the_labels_is_taken(viewer: ViewerModel, run: Any) -> None:
    rng = np.random.default_rng(0)
    levels = [rng.integers(0, 255, (3, 8 >> n, 12 >> n), np.uint8) for n in range(2)]
    image = viewer.add_image(levels, multiscale=True, name="big", scale=(1, 2, 3))
    viewer.dims.current_step = (1, 0, 0)
    shown = show_result(viewer, image, run(image, [0, 1, 1, 2, 2, 2], level=1))
    (item,) = items(viewer, shown["refined"], image)
    np.testing.assert_array_equal(item.image, levels[1][1])
    assert item.pixel_size == (4, 6)


def test_pixel_sizes_are_those_of_the_shown_axes(viewer: ViewerModel) -> None:
    data = np.ones((2, 3, 4), np.uint8)
    place = {"scale": (5, 0.5, 200), "units": ("um", "um", "nm")}
    (one, _) = items(viewer, viewer.add_labels(data, **place))
    assert one.pixel_size == pytest.approx((0.5, 0.2))
    assert one.unit == "micrometer"
    assert items(viewer, viewer.add_labels(data))[0].pixel_size is None
    labels = viewer.add_labels(data, scale=(1, 2, 3))
    assert items(viewer, labels)[0].pixel_size == (2, 3)
    assert items(viewer, labels)[0].unit == ""
    labels = viewer.add_labels(data, units=("um", "um", "s"))
    assert items(viewer, labels)[0].pixel_size is None


def test_colours_and_channels(viewer: ViewerModel) -> None:
    labels = viewer.add_labels(np.ones((4, 6), np.uint8), name="l")
    colours = np.arange(72, dtype=np.float32).reshape(4, 6, 3) / 72
    image = viewer.add_image(colours, rgb=True)
    (item,) = items(viewer, labels, image)
    np.testing.assert_array_equal(item.image, colours)
    assert item.levels is None
    channels = viewer.add_image(np.arange(48.0).reshape(2, 4, 6), name="two")
    channels.contrast_limits = (10, 20)
    viewer.dims.current_step = (1, 0, 0)
    (item,) = items(viewer, labels, channels)
    np.testing.assert_array_equal(item.image, channels.data[1])
    assert item.levels == Levels(((10, 20),))
    flat = viewer.add_image(np.zeros((4, 6), np.uint8), name="flat")
    many = viewer.add_labels(np.ones((2, 4, 6), np.uint8))
    assert all(i.image.shape == (4, 6) for i in items(viewer, many, flat))
    other = viewer.add_image(np.zeros((4, 5)), name="other")
    with pytest.raises(ValueError, match=r"^image: 'other' has 4 × 5 px but 'l' has"):
        training_data(viewer, labels, other)


def test_names_are_those_of_files(viewer: ViewerModel, tmp_path: Path) -> None:
    path = tmp_path / "a b.ome.tif"
    tifffile.imwrite(path, np.zeros((4, 6), np.uint8))
    PluginManager.instance().discover()
    (image,) = viewer.open(str(path), plugin="napari")
    labels = viewer.add_labels(np.ones((4, 6), np.uint8), name="x/y: [1]")
    (item,) = items(viewer, labels, image)
    assert (item.name, item.source) == ("a b.ome", str(path))
    (item,) = items(viewer, labels)
    assert (item.name, item.source) == ("x_y_ [1]", "x/y: [1]")
    assert item.edited is None


def test_the_image_of_a_layer(viewer: ViewerModel, image: Image, shown: Any) -> None:
    other = viewer.add_image(np.zeros((4, 6)), name="other")
    small = viewer.add_image(np.zeros((2, 6)), name="small")
    plain = viewer.add_labels(np.ones((4, 6), int))
    assert image_of(viewer, shown["refined"], other) is image
    assert image_of(viewer, plain, other) is other
    assert image_of(viewer, plain, small) is None
    assert image_of(viewer, plain) is None
    viewer.layers.remove(image)
    # Another one of the same size is not its image.
    assert image_of(viewer, shown["refined"], other) is None


# ------------------------------------------------------------------ other layers


@pytest.fixture
def cells(viewer: ViewerModel) -> Any:
    data = np.array([[5, 5, 0, 7], [0, 9, 9, 7]], np.int64)
    return viewer.add_labels(data, name="cells")


def test_names_of_any_layer(cells: Any) -> None:
    assert kinds_of(cells) is None
    cells.features = {"index": [0, 5, 7, 9], "name": ["background", "A", " b  c", "a"]}
    assert names_of(cells) == {5: "A", 7: "b c", 9: "a"}
    cells.colormap = {5: "red", 7: "#00ff80", None: "gray"}
    kinds = kinds_of(cells)
    assert kinds is not None
    assert kinds.of == {5: 5, 9: 5, 7: 7}
    assert [(e.id, e.name, e.colour) for e in kinds.classes] == [
        (5, "A", "#ff0000"),
        (7, "b c", "#00ff80"),
    ]
    cells.features = {"area": [1.0, 2.0]}
    assert kinds_of(cells) is None
    cells.features = {"what": ["background", "one", "two"]}  # rows are labels
    assert names_of(cells) == {1: "one", 2: "two"}


def test_several_labels_of_a_name_are_objects(viewer: ViewerModel, cells: Any) -> None:
    cells.features = {"index": [5, 7, 9], "class": ["cat", "dog", "cat"]}
    assert objects_of(viewer, cells)[0] == "ids"
    (item,) = items(viewer, cells)
    assert item.classes.names == ("cat", "dog")
    assert item.instance_classes == {5: 5, 7: 7, 9: 5}
    (item,) = items(viewer, cells, objects="connected")
    np.testing.assert_array_equal(item.labels, [[5, 5, 0, 7], [0, 5, 5, 7]])


def test_classes_of_the_dock_or_one_a_value(viewer: ViewerModel, cells: Any) -> None:
    dock = ClassSet.parse("a; b; c; d; e")
    data = training_data(viewer, cells, classes=dock)
    (item,) = data
    assert item.classes is dock
    np.testing.assert_array_equal(item.labels, [[5, 5, 0, 0], [0, 0, 0, 0]])
    assert data.skipped == [("cells", "4 px are of no class (label 7, 9) and ignored")]
    (item,) = items(viewer, cells)
    assert item.classes.names == ("label 5", "label 7", "label 9")
    cells.data = np.full((2, 4), 70_000)
    with pytest.raises(ValueError, match=r"^labels: 70000 cannot .*as objects"):
        items(viewer, cells)
    cells.data = np.zeros((2, 4), int)
    with pytest.raises(ValueError, match=r"^labels: they are all 0"):
        _ = training_data(viewer, cells).classes


def test_the_class_of_all_or_that_of_another_layer(
    viewer: ViewerModel, cells: Any
) -> None:
    (item,) = items(viewer, cells, objects="ids", classes=CLASSES, of=3)
    assert item.instance_classes == {5: 3, 7: 3, 9: 3}
    np.testing.assert_array_equal(item.labels, np.where(cells.data, 3, 0))
    with pytest.raises(ValueError, match=r"^of: 4 is the id of no class"):
        items(viewer, cells, objects="ids", classes=CLASSES, of=4)
    map_ = np.array([[1, 1, 1, 2], [0, 0, 2, 0]])
    other = viewer.add_labels(map_, name="kinds")
    data = training_data(viewer, cells, objects="ids", classes=CLASSES, of=other)
    (item,) = data
    assert item.instance_classes == {5: 1, 7: 2, 9: 2}
    assert data.skipped == [("cells", "2 px are of no class (label 7, 9) and ignored")]
    small = viewer.add_labels(map_[:1], name="small")
    with pytest.raises(ValueError, match=r"^of: 'small' has not the size"):
        training_data(viewer, cells, objects="ids", of=small)


def test_copies_of_our_layers_keep_their_classes(
    viewer: ViewerModel, image: Image, shown: Any
) -> None:
    for stage in ("refined", "regions"):
        data = shown[stage].as_layer_data_tuple()
        copy = Labels(data[0], **data[1])
        copy.unique_id  # noqa: B018
        viewer.layers.append(copy)
        kinds = kinds_of(copy)
        assert kinds is not None
        assert kinds.classes == CLASSES
        assert {kinds.of[v] for v in (1, 2)} == {1, 2}
        (item,) = items(viewer, copy, image)
        assert item.labels.max() == 2
        assert item.edited is None
