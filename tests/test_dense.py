"""The public functions on arrays."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_s2clip import Settings, dense
from napari_s2clip.classification.scoring import feature_surgery
from napari_s2clip.demo.architectures import build_clip
from napari_s2clip.features.methods import METHODS, dense_features
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS


@pytest.fixture(scope="module")
def models():
    return load_models(SPECS["demo"], torch.device("cpu"), "random")


@pytest.fixture(scope="module")
def window():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def tokens(models, window):
    return models.vfm.tokens(window[None])[0].numpy()


def options(models, name):
    return {"sam": models.sam} if METHODS[name].splice else {}


@pytest.mark.parametrize("name", METHODS)
def test_features_of_every_method(models, window, tokens, name):
    found = dense.window_features(
        models.clip, window, name, tokens, **options(models, name)
    )
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    if name == "trident":
        assert found.shape[0] / found.shape[1] == pytest.approx(0.75, abs=0.1)
        return
    settings = SPECS["vit-b-16"].complete(Settings(method=name))
    expected = dense_features(
        models.clip,
        models.clip.hidden_states(window[None]),
        torch.from_numpy(tokens)[None],
        settings,
    ).dense[0]
    np.testing.assert_array_equal(found, expected)


def test_settings_and_method_go_together(models, window):
    settings = Settings(attention=("vv",))
    a = dense.window_features(models.clip, window, "clearclip", settings=settings)
    b = dense.window_features(
        models.clip, window, settings=Settings(method="clearclip", attention=("vv",))
    )
    np.testing.assert_array_equal(a, b)


def test_a_model_of_open_clip_will_do(window):
    torch.manual_seed(0)
    model = build_clip()
    found = dense.window_features(model, window, "clip")
    assert found.shape == (6, 8, 128)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_another_precision_is_refused_as_it_is(window, dtype):
    model = build_clip().to(dtype).train()
    message = rf"clip: it has weights of {dtype}; give a float32 model"
    with pytest.raises(ValueError, match=message):
        dense.window_features(model, window, "clip")
    assert model.training
    model = build_clip()
    model.visual.conv1.to(dtype)
    with pytest.raises(ValueError, match=message):
        dense.entropy_of_blocks(model, window)


def test_the_documentation_says_how_to_get_the_tokens():
    page = Path(__file__).parents[1] / "docs" / "methods.md"
    blocks = re.findall(
        r"^```python\n(.*?)^```",
        page.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    (block,) = (block for block in blocks if 'S2CLIP.load("demo")' in block)
    names = {}
    exec(block, names)
    for name in ("features", "trident"):
        assert names[name].shape[-1] == 128
        assert np.isfinite(names[name]).all()


def shallow(n_blocks):
    """The demo's CLIP cut down to its first blocks."""
    torch.manual_seed(0)
    model = build_clip()
    model.visual.transformer.resblocks = model.visual.transformer.resblocks[:n_blocks]
    return model


LOOK_BACK = {"s2clip", "sc-clip", "cliper"}


@pytest.mark.parametrize(
    ("name", "n_blocks"),
    [(name, n) for name in METHODS for n in (1, 2) if n > 1 or name not in LOOK_BACK],
)
def test_few_blocks_are_enough(models, window, tokens, name, n_blocks):
    text = np.random.default_rng(1).normal(size=(3, 128))
    found = dense.window_scores(
        shallow(n_blocks), window, text, name, tokens, **options(models, name)
    )
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", sorted(LOOK_BACK))
def test_methods_that_look_back_need_two_blocks(window, tokens, name):
    message = f"method: {name} needs blocks before the last one, and this CLIP has one"
    with pytest.raises(ValueError, match=message):
        dense.window_features(shallow(1), window, name, tokens)


@pytest.mark.parametrize("name", METHODS)
def test_scores_of_every_method(models, window, tokens, name):
    text = np.random.default_rng(1).normal(size=(4, 128))
    found = dense.window_scores(
        models.clip, window, text, name, tokens, classes=3, **options(models, name)
    )
    assert found.shape[0] == 4
    assert np.isfinite(found).all()
    vectors = F.normalize(torch.from_numpy(text).float(), dim=-1)
    if METHODS[name].scoring in ("cosine", "surgery"):
        features = dense.window_features(
            models.clip, window, name, tokens, **options(models, name)
        )
        unit = F.normalize(torch.from_numpy(features), dim=-1)
        expected = (unit @ vectors.T).permute(2, 0, 1)
        if name == "clip-surgery":
            hidden = models.clip.hidden_states(window[None])
            own = models.clip.project(models.clip.last_block(hidden.states[-1]))
            token = F.normalize(own[0, 0], dim=-1)
            expected = feature_surgery(expected, token, vectors)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": np.zeros((48, 64), np.uint8)}, r"window is uint8 \(48, 64\)"),
        ({"window": np.zeros((48, 64, 3))}, "window is float64"),
        ({"window": np.zeros((50, 64, 3), np.uint8)}, "window is 50 × 64 px; give si"),
        ({"window": np.zeros((0, 64, 3), np.uint8)}, "multiples of the patch, 8 px"),
        ({"method": "fclip"}, "method: no method 'fclip'"),
        ({"vfm_tokens": None}, "vfm_tokens: s2clip needs"),
        ({"vfm_tokens": np.zeros((4, 4))}, r"vfm_tokens has the shape \(4, 4\)"),
        ({"vfm_tokens": np.zeros((0, 8, 96))}, r"vfm_tokens has .*\(0, 8, 96\); give"),
        ({"vfm_tokens": np.full((2, 2, 3), np.nan)}, "vfm_tokens: some are infinite "),
        ({"vfm_tokens": "tokens"}, "vfm_tokens: str is no array of numbers"),
        ({"vfm_tokens": [[[1.0], [2.0, 3.0]]]}, "vfm_tokens: list is no array of numb"),
        ({"method": "trident"}, "sam: trident needs a SamModel"),
        ({"settings": Settings(levels=(9,))}, "levels: block 9"),
        ({"clip": 3}, "clip: int is not a ClipModel"),
        ({"clip": nn.Linear(2, 2)}, "clip: Linear is not .*; give an open_clip model"),
        ({"clip": nn.Identity()}, "clip: Identity is not a ClipModel"),
        (
            {"clip": nn.ModuleDict({"visual": nn.Linear(2, 2)})},
            "clip: its image tower Linear has no class_embedding",
        ),
    ],
)
def test_what_does_not_fit_is_refused(models, window, tokens, change, message):
    values = {"clip": models.clip, "window": window, "vfm_tokens": tokens} | change
    with pytest.raises(ValueError, match=message):
        dense.window_features(**values)


@pytest.mark.parametrize(
    ("text", "classes", "message"),
    [
        (np.ones(128), None, "text has the shape"),
        (["cat", "dog"], None, "text: list is no array of numbers"),
        (np.ones((2, 5)), None, "text has 5 channels"),
        (np.ones((2, 128)), 3, "classes: 3 is not between 1 and 2"),
        (np.ones((2, 128)), 0, "classes: 0"),
    ],
)
def test_text_that_does_not_fit_is_refused(models, window, text, classes, message):
    with pytest.raises(ValueError, match=message):
        dense.window_scores(models.clip, window, text, "clip", classes=classes)


def plain_softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    ("part", "sigma"),
    [
        *((part, None) for part in ("identity", "qk", "qq", "kk", "vv")),
        *((part, 1.5) for part in ("qq", "kk", "vv")),
    ],
)
def test_attention_parts_on_arrays(part, sigma):
    q, k, v = np.random.default_rng(0).normal(size=(3, 2, 6, 4))
    found = dense.attention_weights(part, q, k, v, grid=(2, 3), sigma=sigma)
    near = 0.0
    if sigma:
        at = np.array([(r, c) for r in range(2) for c in range(3)])
        near = np.exp(-((at[:, None] - at[None]) ** 2).sum(-1) / (2 * sigma**2))
    expected = {
        "identity": np.broadcast_to(np.eye(6), (2, 6, 6)),
        "qk": plain_softmax(q @ k.transpose(0, 2, 1) / 2),
        **{
            name: plain_softmax(x @ x.transpose(0, 2, 1) / 2 + near)
            for name, x in (("qq", q), ("kk", k), ("vv", v))
        },
    }[part]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_bad_attention_is_refused():
    x = np.zeros((1, 6, 2))
    with pytest.raises(ValueError, match="part: no attention 'xx'"):
        dense.attention_weights("xx", x, x, x)
    with pytest.raises(ValueError, match="keys: str is no array of numbers"):
        dense.attention_weights("qq", x, "x", x)
    with pytest.raises(ValueError, match="queries, keys and values"):
        dense.attention_weights("qq", x, x[:, :3], x)


def test_similarities_on_arrays():
    tokens = np.random.default_rng(0).normal(size=(7, 3))
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    s = unit @ unit.T
    for found, shift in (
        (dense.proxy_attention(tokens), 1.2),
        (dense.similarity_attention(tokens), 1.0),
    ):
        scores = 3 * (s - shift * s.mean())
        expected = plain_softmax(np.where(scores >= 0, scores, -np.inf))
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("sigma", [None, 1.0])
@pytest.mark.parametrize(
    "grid", [(2, 2), (6,), (1, 2, 3), (-2, -3), (0, 6), (2.0, 3.0), (1.5, 4), 6, "23"]
)
def test_a_grid_that_does_not_hold_the_patches_is_refused(grid, sigma):
    x = np.zeros((1, 6, 2))
    with pytest.raises(ValueError, match=r"grid: .* of 6 patches; give two positive"):
        dense.attention_weights("qq", x, x, x, grid=grid, sigma=sigma)


@pytest.mark.parametrize("sigma", [0, -1, float("nan"), float("inf"), "1"])
def test_a_neighbourhood_without_extent_is_refused(sigma):
    x = np.zeros((1, 6, 2))
    with pytest.raises(ValueError, match=r"sigma: .* give a number more than 0, or No"):
        dense.attention_weights("kk", x, x, x, grid=(2, 3), sigma=sigma)


@pytest.mark.parametrize("part", ["identity", "qk"])
def test_a_neighbourhood_is_refused_where_it_has_no_say(part):
    x = np.zeros((1, 6, 2))
    with pytest.raises(ValueError, match=f"sigma: {part} has no neighbourhood; leave"):
        dense.attention_weights(part, x, x, x, grid=(2, 3), sigma=1)


def test_a_neighbourhood_needs_the_grid():
    x = np.zeros((1, 6, 2))
    with pytest.raises(ValueError, match="grid: sigma needs the rows and columns"):
        dense.attention_weights("kk", x, x, x, sigma=1)


def test_entropy_on_arrays():
    tokens = np.random.default_rng(0).normal(size=(50, 4))
    spread = plain_softmax(((tokens - tokens.mean(0)) / tokens.std(0)).T).T
    # The epsilon of the first line is left out here.
    expected = -(spread * np.log(spread)).sum(0).mean()
    assert dense.spatial_entropy(tokens) == pytest.approx(expected, abs=1e-2)
    assert dense.spatial_entropy(tokens, normalised=True) == pytest.approx(
        dense.spatial_entropy(tokens) / np.log(50)
    )
    assert dense.gini_coefficient(tokens).shape == (4,)
    assert -1 <= dense.channel_correlation(tokens) <= 1
    with pytest.raises(ValueError, match="tokens: "):
        dense.spatial_entropy(tokens[0])


def test_entropy_of_blocks(models, window):
    found = dense.entropy_of_blocks(models.clip, window)
    assert found.shape == (5,)
    hidden = models.clip.hidden_states(window[None])
    expected = dense.spatial_entropy(hidden.states[3][0, 1:])
    assert found[3] == pytest.approx(expected, rel=1e-5)
    strict = dense.entropy_of_blocks(models.clip, window, "strict", normalised=True)
    assert ((strict >= 0) & (strict <= 1 + 1e-6)).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((48, 64, 3)), r"window is float64 \(48, 64, 3\); give uint8"),
        (np.zeros((64, 64), np.uint8), r"window is uint8 \(64, 64\); give uint8"),
        (np.zeros((50, 64, 3), np.uint8), "window is 50 × 64 px; give sides"),
    ],
)
def test_entropy_takes_the_same_windows(models, values, message):
    with pytest.raises(ValueError, match=message):
        dense.entropy_of_blocks(models.clip, values)


def test_entropy_needs_a_block_before_the_last(window):
    assert dense.entropy_of_blocks(shallow(2), window).shape == (1,)
    with pytest.raises(ValueError, match="clip: it has one block"):
        dense.entropy_of_blocks(shallow(1), window)
