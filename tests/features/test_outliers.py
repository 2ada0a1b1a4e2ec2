import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.features.outliers import (
    find_outliers,
    local_outlier_factor,
    repair,
)


def reference_lof(points: np.ndarray, k: int) -> np.ndarray:
    """Breunig et al. 2000 written out with loops, on squared distances."""
    n = len(points)
    k = min(k, n - 1)
    distance = ((points[:, None] - points[None]) ** 2).sum(-1)
    neighbours, k_distance = [], []
    for i in range(n):
        order = sorted((j for j in range(n) if j != i), key=lambda j: distance[i, j])
        neighbours.append(order[:k])
        k_distance.append(distance[i, order[k - 1]])
    density = [
        1 / max(np.mean([max(distance[i, j], k_distance[j]) for j in near]), 1e-12)
        for i, near in enumerate(neighbours)
    ]
    return np.array(
        [
            np.mean([density[j] for j in near]) / density[i]
            for i, near in enumerate(neighbours)
        ]
    )


@pytest.mark.parametrize("k", [1, 3, 30])
def test_factor_equals_the_definition(k):
    points = np.random.default_rng(3).normal(size=(14, 4))
    found = local_outlier_factor(torch.tensor(points)[None], k)[0].numpy()
    np.testing.assert_allclose(found, reference_lof(points, k), rtol=1e-6)


def test_a_far_point_has_the_largest_factor():
    points = torch.randn(1, 50, 8, generator=torch.Generator().manual_seed(1))
    points[0, 17] += 40
    factor = local_outlier_factor(points)
    assert factor.argmax() == 17
    assert find_outliers(points)[0, 17]


def test_equal_tokens_are_no_outliers():
    tokens = torch.ones(2, 9, 3)
    assert torch.allclose(local_outlier_factor(tokens), torch.ones(2, 9))
    assert not find_outliers(tokens).any()


def test_one_token_is_no_outlier():
    assert not find_outliers(torch.randn(3, 1, 4)).any()


def test_repair_by_hand():
    tokens = torch.arange(9.0).view(1, 9, 1)
    outliers = torch.zeros(1, 9, dtype=torch.bool)
    outliers[0, [0, 1]] = True
    fixed = repair(tokens, outliers, (3, 3))[0, :, 0]
    # Corner 0 has the sound neighbours 3 and 4; edge 1 has 2, 3, 4 and 5.
    assert fixed[0] == pytest.approx(3.5)
    assert fixed[1] == pytest.approx(3.5)
    assert torch.equal(fixed[2:], tokens[0, 2:, 0])


def test_repair_without_a_sound_neighbour_changes_nothing():
    tokens = torch.randn(1, 4, 2)
    everything = torch.ones(1, 4, dtype=torch.bool)
    assert torch.equal(repair(tokens, everything, (2, 2)), tokens)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 50))
def test_repair_leaves_sound_tokens_alone(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(2, rows * columns, 3, generator=generator)
    outliers = torch.rand(2, rows * columns, generator=generator) < 0.4
    fixed = repair(tokens, outliers, (rows, columns))
    assert torch.equal(fixed[~outliers], tokens[~outliers])
    assert torch.isfinite(fixed).all()
