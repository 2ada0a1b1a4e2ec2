"""Layers that are saved and come back in another viewer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.io.image_record import describe_image
from napari_s2clip.io.sidecar import load_annotations, save_annotations
from napari_s2clip.layers import (
    KEY,
    belongs_to,
    collect_annotations,
    is_edited,
    outputs_of,
    restore_layers,
    show_result,
)
from napari_s2clip.maps import new_map

PLANE = np.array([[0, 1, 1, 2, 2, 2]] * 4)
OTHER = np.array([[3, 3, 1, 0, 0, 2]] * 4)


@pytest.fixture
def reopen(tmp_path: Any) -> Any:
    """Save what a viewer has of an image, and open both in a new viewer."""

    def act(viewer: ViewerModel, image: Any, **more: Any) -> tuple[ViewerModel, Any]:
        saved = collect_annotations(viewer, image, **more)
        record = describe_image(image.data, name=image.name)
        folder = tmp_path / "x.s2clip"
        save_annotations(
            replace(saved, image=record),
            folder,
        )
        found = load_annotations(folder, make=new_map)
        after = ViewerModel()
        again = after.add_image(image.data, name=image.name, scale=image.scale)
        restore_layers(after, again, found)
        return after, again

    return act


def table_of(viewer: Any, image: Any) -> pd.DataFrame:
    return outputs_of(viewer, image)[0].region_table.reset_index(drop=True)


def test_layers_come_back_as_they_were(
    viewer: Any, image: Any, run: Any, reopen: Any
) -> None:
    image.scale = (0.5, 0.25)
    classes = ClassSet([ClassEntry("cat", id=3, colour="#123456"), "dog", "fox"])
    shown = show_result(viewer, image, run(image, PLANE, names=classes))
    shown["coarse"].opacity = 0.3
    shown["refined"].visible = False
    after, again = reopen(viewer, image)
    names = ["cell", "cell coarse", "cell regions", "cell refined"]
    assert [layer.name for layer in after.layers] == names
    (before,), (now,) = outputs_of(viewer, image), outputs_of(after, again)
    for old, new in zip(before.layers, now.layers, strict=True):
        np.testing.assert_array_equal(new.data, old.data)
        assert new.data.dtype == old.data.dtype
        np.testing.assert_array_equal(new.scale, old.scale)
        assert (new.units, new.axis_labels) == (old.units, old.axis_labels)
        assert (new.opacity, new.visible) == (old.opacity, old.visible)
        colours = old.colormap.color_dict
        assert new.colormap.color_dict.keys() == colours.keys()
        for value, colour in colours.items():
            np.testing.assert_array_equal(new.colormap.color_dict[value], colour)
        pd.testing.assert_frame_equal(new.features, old.features)
        assert not is_edited(new)
    np.testing.assert_array_equal(now.owners, before.owners)
    assert now.classes == before.classes
    assert now.provenance == before.provenance
    pd.testing.assert_frame_equal(table_of(after, again), table_of(viewer, image))
    assert after.layers.selection.active.name == "cell refined"


def test_a_rerun_goes_on_in_restored_layers(
    viewer: Any, stack: Any, run: Any, reopen: Any
) -> None:
    show_result(viewer, stack, run(stack, PLANE))
    after, again = reopen(viewer, stack)
    restored = outputs_of(after, again)[0].refined
    viewer.dims.current_step = (1, 0, 0)
    result = run(stack, OTHER)
    show_result(after, again, result)
    (now,) = outputs_of(after, again)
    assert now.refined is restored
    np.testing.assert_array_equal(now.refined.data[0], PLANE)
    np.testing.assert_array_equal(now.refined.data[1], OTHER)
    # No id of a region is there twice.
    assert now.region_table["region"].is_unique
    assert len(now.region_table) == 5


def test_edits_are_known_again_pixel_by_pixel(
    viewer: Any, image: Any, run: Any, reopen: Any
) -> None:
    shown = show_result(viewer, image, run(image, PLANE))
    shown["refined"].data_setitem((np.array([0]), np.array([0])), 2)
    after, again = reopen(viewer, image)
    (now,) = outputs_of(after, again)
    assert is_edited(now.refined)
    assert not is_edited(now.coarse)
    show_result(after, again, run(again, OTHER), edited="merge")
    wanted = OTHER.copy()
    wanted[0, 0] = 2
    np.testing.assert_array_equal(now.refined.data, wanted)
    # And without being asked to merge, it is kept.
    after, again = reopen(viewer, image)
    edited = outputs_of(after, again)[0].refined
    before = edited.data.copy()
    show_result(after, again, run(again, OTHER))
    np.testing.assert_array_equal(edited.data, before)
    assert "cell refined [1]" in after.layers


def test_an_edit_of_unknown_origin_is_kept_as_a_whole(
    viewer: Any, image: Any, run: Any
) -> None:
    shown = show_result(viewer, image, run(image, PLANE))
    shown["refined"].data_setitem((np.array([0]), np.array([0])), 2)
    saved = collect_annotations(viewer, image)
    assert saved.edited == ("refined",)
    after = ViewerModel()
    again = after.add_image(image.data, name="cell")
    restore_layers(after, again, replace(saved, written={}))
    assert is_edited(outputs_of(after, again)[0].refined)


def test_copies_and_renamed_layers_stay_the_users(
    viewer: Any, image: Any, run: Any, reopen: Any
) -> None:
    from napari.layers import Labels

    shown = show_result(viewer, image, run(image, PLANE))
    shown["coarse"].name = "mine"
    copy = Labels(
        shown["refined"].data.copy() * 2,
        name="../copy",
        metadata={KEY: dict(shown["refined"].metadata[KEY])},
        scale=(3, 3),
    )
    copy.visible = False
    viewer.add_layer(copy)
    after, again = reopen(viewer, image)
    back = after.layers["../copy"]
    assert not back.visible
    np.testing.assert_array_equal(back.data, copy.data)
    np.testing.assert_array_equal(back.scale, (3, 3))
    assert belongs_to(back, again)
    # A run writes into neither.
    before = after.layers["mine"].data.copy(), back.data.copy()
    show_result(after, again, run(again, OTHER))
    np.testing.assert_array_equal(after.layers["mine"].data, before[0])
    np.testing.assert_array_equal(back.data, before[1])
    # And both are saved the next time.
    more = collect_annotations(after, again)
    assert {c.name for c in more.copies} | set(more.names.values()) >= {
        "mine",
        "../copy",
    }


def test_restoring_beside_layers_that_are_there_changes_none(
    viewer: Any, image: Any, run: Any
) -> None:
    shown = show_result(viewer, image, run(image, PLANE))
    saved = collect_annotations(viewer, image)
    before = shown["refined"].data.copy()
    new = restore_layers(viewer, image, saved)
    assert [labels.name for labels in new] == [
        "cell coarse [1]",
        "cell regions [1]",
        "cell refined [1]",
    ]
    np.testing.assert_array_equal(shown["refined"].data, before)
    assert len(outputs_of(viewer, image)) == 2
    assert outputs_of(viewer, image)[0].refined is new[2]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"placement": {"scale": [1, 0.0, 2, 3, 4]}}, "placement of 'cell "),
        ({"placement": {"units": ["furlong²²", "x"]}}, "placement of 'cell "),
        ({"placement": {"colormap": "red"}}, "placement: 'colormap' is unknown"),
        (
            {"details": {"refined": {"look": {"opacity": "much"}}}},
            r"details\.refined\.look\.opacity: 'much'",
        ),
    ],
)
def test_what_makes_no_layer_changes_nothing(
    viewer: Any, image: Any, run: Any, fields: Any, words: str
) -> None:
    show_result(viewer, image, run(image, PLANE))
    saved = replace(collect_annotations(viewer, image), **fields)
    after = ViewerModel()
    again = after.add_image(image.data, name="cell")
    with pytest.raises(ValueError, match=words):
        restore_layers(after, again, saved)
    assert list(after.layers) == [again]


def test_an_image_without_labels_has_nothing_to_save(viewer: Any, image: Any) -> None:
    with pytest.raises(ValueError, match="cell: it has no labels to save yet"):
        collect_annotations(viewer, image)


def test_large_maps_are_saved_with_what_runs_wrote(
    viewer: Any, stack: Any, run: Any, reopen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_s2clip.layers.saved._LOOKED_THROUGH", 10)
    shown = show_result(viewer, stack, run(stack, PLANE))
    saved = collect_annotations(viewer, stack)
    assert set(saved.edited) == {"coarse", "regions", "refined"}
    after, again = reopen(viewer, stack)
    (now,) = outputs_of(after, again)
    assert not any(is_edited(labels) for labels in now.layers)
    np.testing.assert_array_equal(now.refined.data, shown["refined"].data)
