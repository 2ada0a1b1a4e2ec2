import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.features.entropy import spatial_entropy
from napari_s2clip.features.levels import (
    choose_levels,
    choose_mid_layer,
    level_weights,
    sum_up,
)


@pytest.mark.parametrize(
    ("blocks", "first", "last", "mid"),
    [(12, 3, 9, 8), (24, 10, 21, 17), (32, 2, 29, 23), (6, 2, 4, 4), (1, 0, 0, 0)],
)
def test_levels_by_depth(blocks, first, last, mid):
    levels = choose_levels(blocks)
    assert (levels[0], levels[-1]) == (first, last)
    assert choose_mid_layer(blocks) == mid


def test_given_levels_are_kept():
    assert choose_levels(12, (1, 5)) == (1, 5)
    assert choose_levels(12, ()) == ()
    assert choose_mid_layer(12, 7) == 7


@pytest.mark.parametrize("level", [-1, 11, 40])
def test_levels_outside_the_model_are_refused(level):
    with pytest.raises(ValueError, match=r"levels: block .* 0 and 10"):
        choose_levels(12, (3, level))
    with pytest.raises(ValueError, match="mid_layer"):
        choose_mid_layer(12, level)


def test_weights_by_hand():
    # Standard scores of 1, 2, 3: -s, 0, s with s = sqrt(3/2).
    entropies = torch.tensor([[1.0, 2.0, 3.0]])
    powers = np.exp(np.array([-1, 0, 1]) * math.sqrt(1.5))
    expected = 3 * powers / powers.sum()
    np.testing.assert_allclose(
        level_weights(entropies, "entropy+")[0], expected, rtol=1e-5
    )
    np.testing.assert_allclose(
        level_weights(entropies, "entropy-")[0], expected[::-1], rtol=1e-5
    )
    assert level_weights(entropies, "uniform").tolist() == [[1.0, 1.0, 1.0]]


@given(
    st.lists(st.floats(0, 8), min_size=1, max_size=8),
    st.sampled_from(["uniform", "entropy+", "entropy-"]),
)
def test_weights_keep_the_size_and_the_order(values, weighting):
    entropies = torch.tensor([values], dtype=torch.float64)
    weights = level_weights(entropies, weighting)
    assert weights.sum().item() == pytest.approx(len(values))
    sign = {"uniform": 0, "entropy+": 1, "entropy-": -1}[weighting]
    for (h, w), (g, v) in pairwise(
        sorted(zip(values, weights[0].tolist(), strict=True))
    ):
        assert sign * (v - w) >= -1e-9 or h == g


def test_levels_of_one_entropy_weigh_the_same():
    entropies = torch.full((2, 3), 4.2) + torch.tensor([0.0, 1e-7, -1e-7])
    assert torch.equal(level_weights(entropies, "entropy+"), torch.ones(2, 3))


def test_an_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match="level_weights: no weighting 'gini'"):
        level_weights(torch.ones(1, 2), "gini")


def test_a_weighted_sum_by_each_images_own_entropies():
    states = list(torch.randn(3, 2, 1 + 12, 5, generator=torch.manual_seed(0)))
    states[1] = 5 * states[1] ** 3
    found = sum_up(states, "entropy-")
    for image in range(2):
        entropies = torch.stack(
            [spatial_entropy(s[image : image + 1, 1:])[0] for s in states]
        )
        weights = level_weights(entropies[None], "entropy-")[0]
        expected = sum(w * s[image] for w, s in zip(weights, states, strict=True))
        assert torch.allclose(found[image], expected, atol=1e-5)
    assert torch.allclose(sum_up(states), sum(states), atol=1e-6)
    assert not torch.allclose(found, sum_up(states), atol=1e-2)
