"""The same with the demo models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_s2clip import S2CLIP, ClassSet, Settings
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.targets import FeatureMemory, segment_target
from napari_s2clip.tiles import Tiling

SCENE = draw_scene(256, np.random.default_rng(0), difficulty="medium")
CLASSES = ClassSet(SCENE.names)


@pytest.fixture(scope="module")
def demo() -> S2CLIP:
    return S2CLIP.load("demo", device="cpu")


def test_one_tile_is_exactly_what_the_model_gives(demo: S2CLIP, target_of: Any) -> None:
    target = target_of(SCENE.image)
    settings = Settings(coarse_threshold=0, min_region_area=20)
    found = segment_target(demo, target, CLASSES, settings, keep_probabilities=True)
    expected = demo.segment(target.planes[0].tile(), CLASSES, settings=settings)
    assert len(expected.region_table) > 1
    for name in ("coarse", "regions", "refined", "owners", "probabilities"):
        np.testing.assert_array_equal(
            getattr(found, name)[0], getattr(expected, name), name
        )
    columns = list(expected.region_table)
    pd.testing.assert_frame_equal(found.region_table[columns], expected.region_table)
    assert found.provenance == expected.provenance


def test_owners_of_joined_tiles_have_the_class_of_their_region(
    demo: S2CLIP, target_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, memory, tiling = target_of(SCENE.image), FeatureMemory(), Tiling(128, 32)
    settings = Settings(coarse_threshold=0, min_region_area=20)
    for classes in (CLASSES, ClassSet(SCENE.names[::-1])):
        result = segment_target(
            demo, target, classes, settings, tiling=tiling, memory=memory
        )
        table = result.region_table
        assert len(table) > 1
        lookup = np.zeros(len(table) + 1, int)
        lookup[table["region"]] = table["class_id"]
        owned = result.owners > 0
        assert owned.any()
        np.testing.assert_array_equal(
            lookup[result.owners][owned], result.refined[owned]
        )
        found = result.regions > 0
        np.testing.assert_array_equal(
            lookup[result.regions][found], result.coarse[found]
        )
        # The second run knows all tiles.
        monkeypatch.setattr(demo, "encode", None)
