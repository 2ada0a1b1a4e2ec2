import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.features import proxy
from napari_s2clip.features.attention import cosine_similarity
from napari_s2clip.features.proxy import aggregate, proxy_attention


def test_proxy_attention_by_hand():
    # Two directions: S = [[1, 1, 0], [1, 1, 0], [0, 0, 1]], mean S = 5/9.
    tokens = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [0.0, 5.0]]])
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    assert torch.allclose(proxy_attention(tokens)[0], expected, atol=1e-6)


def test_proxy_attention_scores_follow_beta_and_gamma():
    tokens = torch.tensor([[[1.0, 0.0], [0.8, 0.6]]])
    mean = (2 + 2 * 0.8) / 4
    z = 2.0 * (torch.tensor([1.0, 0.8]) - 0.5 * mean)
    expected = z.softmax(0)
    assert torch.allclose(proxy_attention(tokens, 0.5, 2.0)[0, 0], expected, atol=1e-6)


def test_proxy_attention_of_a_window_does_not_depend_on_its_neighbours():
    torch.manual_seed(0)
    windows = torch.randn(4, 9, 5)
    together = proxy_attention(windows)
    alone = torch.cat([proxy_attention(w[None]) for w in windows])
    assert torch.allclose(together, alone, atol=1e-6)


def test_rows_can_be_had_in_parts():
    tokens = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0))
    parts = [proxy_attention(tokens, rows=slice(i, i + 3)) for i in (0, 3, 6)]
    assert torch.allclose(torch.cat(parts, 1), proxy_attention(tokens), atol=1e-6)


@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 5000), st.integers(0, 99))
def test_aggregating_is_exact_for_every_chunk_size(batch, count, max_scores, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, count, 5, generator=generator, dtype=torch.float64)
    values = torch.randn(batch, count, 4, generator=generator, dtype=torch.float64)
    similarity = cosine_similarity(tokens)
    scores = 3 * (similarity - 1.2 * similarity.mean((1, 2), keepdim=True))
    kept = torch.where(scores >= 0, scores.exp(), 0.0)
    kept = torch.where(kept.sum(-1, keepdim=True) > 0, kept, scores.exp())
    expected = kept / kept.sum(-1, keepdim=True) @ values
    found = aggregate(tokens, values, max_scores=max_scores)
    assert torch.allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(("max_scores", "rows"), [(2 * 12 * 5, 5), (3, 1), (10**6, 12)])
def test_no_more_scores_than_the_bound_are_held(monkeypatch, max_scores, rows):
    asked = []

    def spy(tokens, beta, gamma, part, mean):
        asked.append(part)
        return proxy_attention(tokens, beta, gamma, part, mean)

    monkeypatch.setattr(proxy, "proxy_attention", spy)
    aggregate(torch.randn(2, 12, 3), torch.randn(2, 12, 2), max_scores=max_scores)
    assert {len(range(12)[part]) for part in asked[:-1]} <= {rows}
    assert sum(len(range(12)[part]) for part in asked) == 12
    if rows < 12:
        assert len(asked) > 1


def test_a_lower_precision_lowers_the_product_alone():
    tokens = torch.randn(2, 40, 8, generator=torch.manual_seed(0))
    values = torch.randn(2, 40, 6, generator=torch.manual_seed(1))
    exact = aggregate(tokens, values)
    found = aggregate(tokens, values, dtype=torch.bfloat16)
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    assert torch.allclose(found, exact, atol=0.03)
    weights = proxy_attention(tokens).bfloat16()
    assert torch.equal(found, (weights @ values.bfloat16()).float())
