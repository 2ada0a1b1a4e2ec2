"""Algorithm 1 against a plain float64 version written line by line from it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.features.entropy import (
    channel_correlation,
    gini_coefficient,
    spatial_distribution,
    spatial_entropy,
)


def plain_algorithm_1(feature_map, strict):
    """One image (C, H, W); returns entropy, the distribution, Gini and correlation."""
    channels, height, width = feature_map.shape
    count = height * width
    flat = feature_map.reshape(channels, count).astype(np.float64)
    means = [sum(row) / count for row in flat]
    deviations = [
        math.sqrt(sum((x - m) ** 2 for x in row) / count)
        for row, m in zip(flat, means, strict=True)
    ]
    epsilon = max(min(deviations) * 1e-2, 1e-6)
    entropies, ginis, distribution = [], [], []
    for row, mean, deviation in zip(flat, means, deviations, strict=True):
        score = [(x - mean) / (deviation + epsilon) for x in row]
        top = max(score)
        power = [math.exp(s - top) for s in score]
        total = sum(power) + (epsilon if strict else 0.0)
        floor = epsilon if strict else 1e-12
        p = [max(e / total, floor) for e in power]
        p = [x / sum(p) for x in p]
        entropies.append(-sum(x * math.log(x) for x in p))
        # Gini by its definition: mean absolute difference over twice the mean.
        differences = sum(abs(a - b) for a in p for b in p)
        ginis.append(differences / (2 * count * sum(p)))
        distribution.append(p)
    with np.errstate(invalid="ignore", divide="ignore"):  # uniform channels
        matrix = np.corrcoef(np.array(distribution))
    correlation = (matrix.sum() - np.trace(matrix)) / (channels * (channels - 1))
    return np.mean(entropies), np.array(distribution), np.array(ginis), correlation


@given(
    st.integers(2, 5),
    st.integers(1, 4),
    st.integers(2, 6),
    st.integers(0, 999),
    st.sampled_from(["fixed", "strict"]),
    st.sampled_from([1e-3, 1.0, 30.0]),
)
def test_it_is_algorithm_1(channels, height, width, seed, mode, scale):
    feature_map = scale * np.random.default_rng(seed).standard_normal(
        (channels, height, width)
    )
    entropy, distribution, ginis, correlation = plain_algorithm_1(
        feature_map, mode == "strict"
    )
    tokens = torch.from_numpy(feature_map.reshape(channels, -1).T[None])
    found = spatial_distribution(tokens, mode)
    np.testing.assert_allclose(found[0].T, distribution, rtol=1e-9, atol=1e-15)
    assert spatial_entropy(tokens, mode).item() == pytest.approx(entropy, rel=1e-9)
    np.testing.assert_allclose(gini_coefficient(found)[0], ginis, atol=1e-9)
    if np.isfinite(correlation) and distribution.std(1).min() > 1e-4:
        assert channel_correlation(found).item() == pytest.approx(correlation, abs=1e-6)


def test_by_hand():
    # σ = 1 and μ = 0; ε = 0.01 enters the scale only.
    tokens = torch.tensor([[[1.0], [-1.0]]], dtype=torch.float64)
    p = 1 / (1 + math.exp(-2 / 1.01))
    expected = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert spatial_entropy(tokens).item() == pytest.approx(expected, rel=1e-12)
    share = spatial_entropy(tokens, normalised=True).item()
    assert share == pytest.approx(expected / math.log(2), rel=1e-12)


def test_as_printed_the_entropy_depends_on_the_scale_and_fixed_it_does_not():
    tokens = torch.randn(1, 196, 32, generator=torch.Generator().manual_seed(0))
    strict = [spatial_entropy(s * tokens, "strict").item() for s in (1e-3, 1, 10)]
    fixed = [spatial_entropy(s * tokens, "fixed").item() for s in (1e-3, 1, 10)]
    assert strict[2] == pytest.approx(math.log(196), abs=1e-3)  # every channel uniform
    assert strict[2] - strict[0] > 0.1
    assert fixed == pytest.approx([fixed[0]] * 3, abs=2e-3)
    # A Gaussian channel: ln N - ½.
    assert fixed[1] == pytest.approx(math.log(196) - 0.5, abs=0.1)


def test_figures_of_an_image_do_not_depend_on_the_batch():
    tokens = torch.randn(3, 20, 8) * torch.tensor([1.0, 5.0, 0.01]).view(3, 1, 1)
    for mode in ("fixed", "strict"):
        alone = torch.cat([spatial_entropy(t[None], mode) for t in tokens])
        assert torch.allclose(spatial_entropy(tokens, mode), alone)


def test_constant_channels_are_uniform():
    tokens = torch.full((1, 16, 3), 7.0)
    for mode in ("fixed", "strict"):
        assert spatial_entropy(tokens, mode).item() == pytest.approx(math.log(16))
    distribution = spatial_distribution(tokens)
    assert torch.allclose(gini_coefficient(distribution), torch.zeros(1, 3), atol=1e-6)
    assert channel_correlation(distribution).item() == 0


def test_gini_of_one_active_patch():
    distribution = torch.zeros(1, 10, 1)
    distribution[0, 4] = 1
    assert gini_coefficient(distribution).item() == pytest.approx(0.9)


def test_correlation_of_equal_and_opposite_channels():
    row = torch.tensor([0.1, 0.2, 0.3, 0.4])
    equal = torch.stack([row, row, row], 1)[None]
    assert channel_correlation(equal).item() == pytest.approx(1, abs=1e-6)
    opposite = torch.stack([row, row.flip(0)], 1)[None]
    assert channel_correlation(opposite).item() == pytest.approx(-1, abs=1e-6)
    assert channel_correlation(row.view(1, 4, 1)).item() == 0


def test_what_is_not_a_number_becomes_zero():
    tokens = torch.randn(2, 9, 4)
    tokens[0, 0, 0] = torch.nan
    entropy = spatial_entropy(tokens)
    assert entropy[0] == 0
    assert entropy[1] > 1
    assert spatial_entropy(torch.randn(1, 1, 4), normalised=True).item() == 0


@pytest.mark.parametrize("shape", [(4, 5), (1, 0, 3), (1, 3, 0)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"tokens: .* is not"):
        spatial_entropy(torch.zeros(shape))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode: no entropy 'printed'"):
        spatial_entropy(torch.zeros(1, 4, 2), "printed")
