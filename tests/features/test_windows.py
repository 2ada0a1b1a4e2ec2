from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.features.windows import (
    LONGEST_SIDE,
    plan_windows,
    resize,
    size_notes,
)
from napari_s2clip.models.specs import SPECS
from napari_s2clip.settings import Settings


def test_a_real_plan_by_hand():
    plan = plan_windows((375, 500), SPECS["vit-b-16"].complete(Settings()), 16)
    # 448 / 375 * 500 = 597.3, the nearest multiple of 16 is 592.
    assert plan.size == (448, 592)
    assert plan.window == (336, 336)
    tops = sorted({top for top, _ in plan.corners})
    lefts = sorted({left for _, left in plan.corners})
    assert tops == [0, 112]
    assert lefts == [0, 112, 224, 256]


@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.sampled_from([8, 14, 16]),
    st.sampled_from(["demo", "vit-b-16"]),
)
def test_windows_cover_every_image(height, width, patch, name):
    plan = plan_windows((height, width), SPECS[name].complete(Settings()), patch)
    assert max(plan.size) <= LONGEST_SIDE + patch
    assert all(s % patch == 0 for s in (*plan.size, *plan.window))
    for axis in (0, 1):
        starts = sorted({corner[axis] for corner in plan.corners})
        assert starts[0] == 0
        assert starts[-1] + plan.window[axis] == plan.size[axis]
        assert all(b - a <= plan.window[axis] for a, b in pairwise(starts))


def test_settings_override_the_specification():
    settings = Settings(short_side=64, window=32, stride=16)
    plan = plan_windows((100, 100), settings, 8)
    assert plan.size == (64, 64)
    assert plan.window == (32, 32)
    assert len(plan.corners) == 9


@pytest.mark.parametrize(
    ("size", "short_side", "used"),
    [((100, 100), 2048, None), ((100, 400), 512, None), ((400, 100), 1024, 512)],
)
def test_what_the_longest_side_costs_is_said(size, short_side, used):
    settings = SPECS["demo"].complete(Settings(short_side=short_side))
    plan = plan_windows(size, settings, 8)
    said = f"short_side: {short_side} px was asked for, {used} px was used, because no"
    notes = size_notes(plan, settings)
    assert [note.startswith(said) for note in notes] == [True] * bool(used)


def test_resize_of_a_constant_image_is_constant():
    image = np.full((5, 7, 3), 93, np.uint8)
    assert (resize(image, (16, 24)) == 93).all()
    assert resize(image, (16, 24)).shape == (16, 24, 3)
    assert resize(image, (5, 7)) is image


@pytest.mark.parametrize("size", [(1, 1), (1, 2048), (3, 2)])
def test_resize_keeps_the_asked_size(size):
    assert resize(np.zeros((9, 4, 3), np.uint8), size).shape == (*size, 3)
