import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.features.attention import (
    cosine_similarity,
    ensemble_attention,
    gaussian_neighbourhood,
    query_key_attention,
    self_attention,
    self_self_attention,
    similarity_attention,
    smooth,
    softmax_positive,
)
from napari_s2clip.features.proxy import proxy_attention


def test_softmax_positive_drops_negative_scores():
    scores = torch.tensor([[0.0, 0.0, -1.0]])
    assert torch.allclose(softmax_positive(scores), torch.tensor([[0.5, 0.5, 0.0]]))


def test_softmax_positive_of_an_all_negative_row_is_the_plain_softmax():
    scores = torch.tensor([[-1.0, -2.0], [1.0, -1.0]])
    result = softmax_positive(scores)
    assert torch.allclose(result[0], scores[0].softmax(-1))
    assert torch.allclose(result[1], torch.tensor([1.0, 0.0]))


def test_cosine_similarity_by_hand():
    tokens = torch.tensor([[[3.0, 4.0], [4.0, 3.0], [-3.0, -4.0]]])
    expected = torch.tensor([[1, 0.96, -1], [0.96, 1, -0.96], [-1, -0.96, 1]])
    assert torch.allclose(cosine_similarity(tokens)[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "function", [proxy_attention, lambda t: similarity_attention(cosine_similarity(t))]
)
def test_equal_tokens_give_finite_rows(function):
    rows = function(torch.ones(1, 6, 4))
    assert torch.allclose(rows, torch.full((1, 6, 6), 1 / 6), atol=1e-6)


def plain_softmax(scores):
    rows = []
    for row in np.asarray(scores, np.float64):
        powers = [np.exp(x - max(row)) for x in row]
        rows.append([p / sum(powers) for p in powers])
    return np.array(rows)


@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 6), st.integers(0, 999))
def test_parts_equal_plain_versions(batch, heads, count, seed):
    rng = np.random.default_rng(seed)
    q, k, v = rng.standard_normal((3, batch, heads, count, 4))
    nearness = rng.random((count, count))
    tq, tk, tv = (torch.from_numpy(x) for x in (q, k, v))
    sharpness = torch.from_numpy(rng.uniform(0.5, 9, (batch, 1, 1, 1)))
    qk = query_key_attention(tq, tk, 0.5)
    qq = self_attention(tq, 0.5)
    near = self_attention(tk, 0.5, torch.from_numpy(nearness))
    ensemble = ensemble_attention(tq, tk, tv, sharpness, iterations=2)
    for b in range(batch):
        for h in range(heads):
            x, y = q[b, h], k[b, h]
            np.testing.assert_allclose(qk[b, h], plain_softmax(0.5 * x @ y.T))
            np.testing.assert_allclose(qq[b, h], plain_softmax(0.5 * x @ x.T))
            expected = plain_softmax(0.5 * y @ y.T + nearness)
            np.testing.assert_allclose(near[b, h], expected)
            total = 0
            for given_vectors in (q[b, h], k[b, h], v[b, h]):
                u = given_vectors
                for _ in range(2):
                    u = u / np.linalg.norm(u, axis=1, keepdims=True)
                    u = plain_softmax(sharpness[b].item() * u @ u.T) @ u
                u = u / np.linalg.norm(u, axis=1, keepdims=True)
                total = total + plain_softmax(sharpness[b].item() * u @ u.T) / 3
            np.testing.assert_allclose(ensemble[b, h], total, atol=1e-12)


@given(st.integers(1, 5), st.integers(1, 5), st.floats(0.5, 9))
def test_gaussian_neighbourhood_equals_its_formula(rows, columns, sigma):
    found = gaussian_neighbourhood((rows, columns), sigma)
    at = [(r, c) for r in range(rows) for c in range(columns)]
    expected = [
        [np.exp(-((a - c) ** 2 + (b - d) ** 2) / (2 * sigma**2)) for c, d in at]
        for a, b in at
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_self_self_attention_by_hand():
    q = torch.tensor([[[[1.0], [0.0]]]])
    k = torch.tensor([[[[0.0], [2.0]]]])
    s = 0.5
    qq = torch.tensor([[s, 0.0], [0.0, 0.0]]).softmax(-1)
    kk = torch.tensor([[0.0, 0.0], [0.0, 4 * s]]).softmax(-1)
    assert torch.allclose(self_self_attention(q, k, s)[0, 0], (qq + kk) / 2)


@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 4), st.integers(0, 99))
def test_attention_rows_sum_to_one(batch, count, width, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, count, width, generator=generator)
    heads = tokens[:, None]
    for rows in (
        proxy_attention(tokens),
        similarity_attention(cosine_similarity(tokens)),
        self_self_attention(heads, heads, 0.7),
    ):
        assert torch.allclose(rows.sum(-1), torch.ones_like(rows.sum(-1)), atol=1e-5)
        assert (rows >= 0).all()


def test_smooth_averages_tokens_over_their_likes():
    tokens = torch.tensor([[[1.0], [3.0], [10.0]]])
    similarity = torch.tensor([[[1.0, 0.5, 0.3], [0.5, 1.0, 0.3], [0.3, 0.3, 1.0]]])
    result = smooth(tokens, similarity, 0.4)
    assert torch.allclose(
        result[0, :, 0], torch.tensor([2.5 / 1.5, 3.5 / 1.5, 10.0]), atol=1e-6
    )


def test_smooth_keeps_tokens_that_are_like_no_other():
    tokens = torch.randn(2, 5, 3)
    assert torch.allclose(smooth(tokens, torch.eye(5).expand(2, 5, 5), 0.4), tokens)


def test_a_threshold_of_one_smooths_nothing():
    tokens = torch.randn(1, 60, 7, generator=torch.Generator().manual_seed(0))
    result = smooth(tokens, cosine_similarity(tokens), 1.0)
    assert torch.allclose(result, tokens, atol=1e-5)
