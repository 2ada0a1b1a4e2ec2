"""The features against the formula written out with loops, for one window."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_s2clip.features.methods import METHODS, dense_features
from napari_s2clip.features.methods.s2clip import s2clip_features
from napari_s2clip.features.outliers import find_outliers, repair
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS
from napari_s2clip.settings import Settings


@pytest.fixture(scope="module")
def models():
    return load_models(SPECS["demo"], torch.device("cpu"), "random")


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(2).integers(0, 256, (2, 64, 48, 3), np.uint8)


def plain_softmax_positive(scores):
    rows = []
    for row in scores:
        kept = [torch.exp(s) if s >= 0 else torch.tensor(0.0) for s in row]
        rows.append(torch.stack(kept) / sum(kept))
    return torch.stack(rows)


def reference(models, hidden, index, tokens, settings):
    """One window, one head at a time, straight from the formula."""
    clip = models.clip
    block = clip.model.visual.transformer.resblocks[-1]
    attn = block.attn
    states = [s[index] for s in hidden.states]
    grid = hidden.grid
    outliers = find_outliers(states[-1][None, 1:])
    fix = lambda x: repair(x[None], outliers, grid)[0]  # noqa: E731
    middle = F.normalize(fix(states[4][1:]), dim=-1)
    s_mid = middle @ middle.T
    levels = sum(states[level] for level in (2, 3, 4))
    d = F.normalize(tokens[index].flatten(0, 1), dim=-1)
    s_d = d @ d.T
    a_d = plain_softmax_positive(3.0 * (s_d - 1.2 * s_d.mean()))
    total = 0
    for state in (states[-1], levels):
        u = fix(state[1:])
        like = s_mid * (s_mid >= settings.smoothing_threshold)
        u = (like / like.sum(1, keepdim=True)) @ u
        q, k, v = (
            F.linear(block.ln_1(u), w, b)
            for w, b in zip(
                attn.in_proj_weight.chunk(3), attn.in_proj_bias.chunk(3), strict=True
            )
        )
        width = attn.head_dim
        values = []
        for head in range(attn.num_heads):
            part = slice(head * width, (head + 1) * width)
            qh, kh, vh = q[:, part], k[:, part], v[:, part]
            a_ss = (
                (qh @ qh.T / width**0.5).softmax(-1)
                + (kh @ kh.T / width**0.5).softmax(-1)
            ) / 2
            a_c = (a_ss + plain_softmax_positive(3 * (s_mid - s_mid.mean()))) / 2
            values.append(a_c @ vh)
        joined = torch.cat(values, 1)
        maps = joined.T.reshape(1, -1, *grid)
        maps = F.interpolate(maps, tokens.shape[1:3], mode="bilinear")
        mixed = a_d @ maps[0].flatten(1).T
        total = total + attn.out_proj(mixed) + settings.cls_weight * state[0]
    return clip.model.visual.ln_post(total) @ clip.model.visual.proj


def test_features_equal_the_formula(models, windows):
    settings = Settings(
        smoothing_threshold=0.4, cls_weight=0.3, repair_outliers=True, proxy_gamma=3.0
    )
    hidden = models.clip.hidden_states(windows)
    # A finer grid than CLIP's, as a vision model with a smaller patch would give.
    tokens = torch.randn(2, 16, 12, 32, generator=torch.Generator().manual_seed(0))
    found = s2clip_features(
        models.clip, hidden, tokens, settings, METHODS["s2clip"]
    ).dense
    assert found.shape == (2, 16, 12, 128)
    for index in range(2):
        with torch.inference_mode():
            expected = reference(models, hidden, index, tokens, settings)
        assert torch.allclose(found[index].flatten(0, 1), expected, atol=1e-4)


def test_without_a_vision_model_the_grid_is_that_of_clip(models, windows):
    hidden = models.clip.hidden_states(windows)
    settings = SPECS["demo"].complete(Settings(proxy=False))
    found = dense_features(models.clip, hidden, None, settings)
    assert found.dense.shape == (2, 8, 6, 128)


def test_a_constant_window_gives_finite_features(models):
    black = np.zeros((1, 96, 96, 3), np.uint8)
    hidden = models.clip.hidden_states(black)
    tokens = models.vfm.tokens(black)
    settings = SPECS["demo"].complete(Settings())
    found = dense_features(models.clip, hidden, tokens, settings)
    assert torch.isfinite(found.dense).all()
