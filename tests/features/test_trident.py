"""Splicing and SAM's attention, against loops and segment_anything's own module."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_s2clip.features.methods.trident import (
    aggregate_with_sam,
    correlation,
    splice,
)
from napari_s2clip.features.windows import WindowPlan
from napari_s2clip.models.load import load_models
from napari_s2clip.models.sam_attention import last_global_attention
from napari_s2clip.models.specs import SPECS


@pytest.fixture(scope="module")
def sam():
    models = load_models(SPECS["demo"], torch.device("cpu"), "random")
    # Random weights give nearly equal attention; larger ones tell heads apart.
    attention = last_global_attention(models.sam.sam.image_encoder)
    attention.qkv.weight.data *= 4
    attention.rel_pos_h.data.normal_()
    attention.rel_pos_w.data.normal_()
    return models.sam


@pytest.fixture(scope="module")
def encoded(sam):
    image = np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)
    return sam.encode_with_attention(image), sam.encode(image)


def test_windows_are_averaged_where_they_overlap():
    plan = WindowPlan((8, 12), (8, 12), (8, 8), ((0, 0), (0, 4)))
    windows = torch.stack([torch.full((2, 2, 1), 1.0), torch.full((2, 2, 1), 3.0)])
    found = splice(windows, plan, 4)
    assert found[..., 0].tolist() == [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]


def test_windows_on_a_finer_grid_are_resampled():
    plan = WindowPlan((8, 8), (8, 8), (8, 8), ((0, 0),))
    fine = torch.arange(16.0).view(1, 4, 4, 1)
    assert splice(fine, plan, 4)[..., 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_the_embedding_is_that_without_attention(encoded):
    (embedding, attention), alone = encoded
    assert torch.equal(embedding.features, alone.features)
    rows, columns = attention.grid
    assert rows / columns == pytest.approx(0.6, abs=0.05)


def test_heads_are_those_of_the_library(encoded):
    attention = encoded[0][1]
    module = attention.module
    size = attention.tokens.shape[1:3]
    inside = np.arange(size[0] * size[1]).reshape(size)
    inside = inside[: attention.grid[0], : attention.grid[1]].ravel()
    # A module whose output is its attention: values are unit vectors, no projection.
    seen = []
    with torch.inference_mode():
        joined = module.qkv(attention.tokens)
        qkv = joined.reshape(1, size[0] * size[1], 3, attention.heads, -1)
        v = qkv.permute(2, 3, 0, 1, 4)[2][:, 0]
        hook = module.proj.register_forward_pre_hook(lambda _, a: seen.append(a[0]))
        module(attention.tokens)
        hook.remove()
        outputs = seen[0].reshape(size[0] * size[1], attention.heads, -1)
        for head in range(attention.heads):
            rows = attention.of_head(head)
            assert rows.shape == (len(inside), len(inside))
            assert (rows.sum(1) <= 1 + 1e-5).all()
            # Without padding the rows give the library's outputs.
            whole = type(attention)(module, attention.tokens, size)
            expected = outputs[:, head]
            assert torch.allclose(whole.of_head(head) @ v[head], expected, atol=1e-4)
            assert torch.allclose(whole.of_head(head)[inside][:, inside], rows)
    assert torch.allclose(attention.values(), v[:, inside])


@pytest.mark.parametrize(
    ("factor", "negative"), [(1.2, True), (3.0, False), (0.0, True)]
)
def test_correlation_equals_its_formula(encoded, factor, negative):
    attention = encoded[0][1]
    v = attention.values().double().numpy()
    v = v / np.linalg.norm(v, axis=2, keepdims=True)
    cosines = np.array([x @ x.T for x in v])
    threshold = np.minimum(factor * cosines.mean((0, 2)), 0.9)
    if not negative:
        threshold[threshold < 0] = 0.6
    heads = np.array([attention.of_head(h).double() for h in range(attention.heads)])
    expected = (heads * (cosines > threshold[None, :, None])).mean(0)
    expected /= expected.sum(1, keepdims=True)
    assert np.isfinite(expected).all()
    found = correlation(attention, factor, negative=negative)
    # A cosine within rounding of its threshold may fall on either side.
    close = np.isclose(found, expected, atol=1e-4)
    assert close.mean() > 0.999


def test_features_are_resampled_and_aggregated():
    spliced = torch.randn(3, 5, 4, generator=torch.manual_seed(0))
    weights = torch.rand(8, 8, generator=torch.manual_seed(1))
    found = aggregate_with_sam(spliced, weights, (2, 4))
    maps = F.interpolate(
        spliced.permute(2, 0, 1)[None], (2, 4), mode="bilinear", align_corners=False
    )
    expected = weights @ maps[0].flatten(1).T
    assert torch.allclose(found.flatten(0, 1), expected, atol=1e-5)


def test_an_encoder_without_a_global_block_is_refused():
    encoder, block = nn.Module(), nn.Module()
    block.window_size = 14
    encoder.blocks = nn.ModuleList([block])
    with pytest.raises(ValueError, match="no block of its image encoder"):
        last_global_attention(encoder)


def test_a_patch_that_attends_to_nothing_keeps_its_own(encoded):
    attention = encoded[0][1]

    class Vanished:
        heads = 1

        def values(self):
            return attention.values()[:1]

        def of_head(self, head):
            rows = attention.of_head(head).clone()
            rows[3] = 0
            return rows

    found = correlation(Vanished())
    assert found[3].tolist() == [float(i == 3) for i in range(len(found))]
