"""Each method against a plain float64 version written from its formula."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_s2clip.features.methods import METHODS, dense_features, find_method
from napari_s2clip.features.methods.dual_path import first_block
from napari_s2clip.features.methods.resclip import feedback_features, middle_blocks
from napari_s2clip.features.outliers import find_outliers, repair
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS
from napari_s2clip.settings import Settings

GRID = (6, 8)
SETTINGS = {
    "smoothing_threshold": 0.4,
    "cls_weight": 0.3,
    "repair_outliers": True,
    "proxy_gamma": 3.0,
}


@pytest.fixture(scope="module")
def models():
    models = load_models(SPECS["demo"], torch.device("cpu"), "random")
    # Random weights make nearly equal attention rows; larger ones tell formulas apart.
    for block in models.clip.model.visual.transformer.resblocks:
        block.attn.in_proj_weight.data *= 3
        block.attn.in_proj_bias.data.normal_()
    return models


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(2).integers(0, 256, (2, 48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def vfm_tokens():
    return torch.randn(2, 9, 12, 16, generator=torch.Generator().manual_seed(0))


class Plain:
    """One window of one CLIP in float64, with nothing but matrix products."""

    def __init__(self, clip, hidden, index):
        self.visual = clip.model.visual
        self.blocks = list(self.visual.transformer.resblocks)
        self.inputs = [
            x[index].double().numpy() for x in (hidden.embedded, *hidden.states)
        ]

    @staticmethod
    def layer_norm(module, x):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        weight, bias = (p.double().numpy() for p in (module.weight, module.bias))
        return (x - mean) / np.sqrt(var + module.eps) * weight + bias

    @staticmethod
    def linear(module, x):
        return x @ module.weight.double().numpy().T + module.bias.double().numpy()

    def qkv(self, number, x):
        attn = self.blocks[number].attn
        weight = attn.in_proj_weight.double().numpy()
        bias = attn.in_proj_bias.double().numpy()
        normed = self.layer_norm(self.blocks[number].ln_1, x)
        joined = normed @ weight.T + bias
        heads = joined.reshape(len(x), 3, attn.num_heads, -1)
        return heads.transpose(1, 2, 0, 3)  # 3, heads, N, d_head

    def out(self, number, attention, v):
        """Wo of the heads' A v."""
        mixed = np.concatenate(
            [a @ values for a, values in zip(attention, v, strict=True)], 1
        )
        return self.linear(self.blocks[number].attn.out_proj, mixed)

    def feed_forward(self, number, x):
        block = self.blocks[number]
        inner = self.linear(block.mlp.c_fc, self.layer_norm(block.ln_2, x))
        inner = F.gelu(torch.from_numpy(inner)).numpy()
        return self.linear(block.mlp.c_proj, inner)

    def project(self, x):
        normed = self.layer_norm(self.visual.ln_post, x)
        return normed @ self.visual.proj.double().numpy()


def softmax(scores, positive=False):
    rows = []
    for row in scores:
        powers = np.exp(row - row.max())
        if positive and (row >= 0).any():
            powers = np.where(row >= 0, powers, 0.0)
        rows.append(powers / powers.sum())
    return np.array(rows)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def per_head(vectors, scale, extra=0.0):
    return [softmax(scale * x @ x.T + extra) for x in vectors]


def gaussian(grid, sigma, spare):
    at = np.array([(r, c) for r in range(grid[0]) for c in range(grid[1])])
    count = len(at) + spare
    found = np.zeros((count, count))
    for i, a in enumerate(at):
        for j, b in enumerate(at):
            found[i + spare, j + spare] = np.exp(-((a - b) ** 2).sum() / (2 * sigma**2))
    return found


def maskclip(plain, tokens):
    x = plain.inputs[-1]
    _, _, v = plain.qkv(-1, x)
    y = x + plain.out(-1, [np.eye(len(x))] * len(v), v)
    return plain.project(y + plain.feed_forward(-1, y))[1:]


def sclip(plain, tokens):
    x = plain.inputs[-1]
    q, k, v = plain.qkv(-1, x)
    s = q.shape[-1] ** -0.5
    both = [a + b for a, b in zip(per_head(q, s), per_head(k, s), strict=True)]
    y = x + plain.out(-1, both, v)
    return plain.project(y + plain.feed_forward(-1, y))[1:]


def clearclip(plain, tokens):
    q, _, v = plain.qkv(-1, plain.inputs[-1])
    return plain.project(plain.out(-1, per_head(q, q.shape[-1] ** -0.5), v))[1:]


def naclip(plain, tokens):
    _, k, v = plain.qkv(-1, plain.inputs[-1])
    attention = per_head(k, k.shape[-1] ** -0.5, gaussian(GRID, 5.0, 1))
    return plain.project(plain.out(-1, attention, v))[1:]


def proxyclip(plain, tokens):
    _, _, v = plain.qkv(-1, plain.inputs[-1][1:])
    joined = np.concatenate(list(v), 1)
    maps = torch.from_numpy(joined.T.reshape(1, -1, *GRID))
    fine = F.interpolate(maps, tokens.shape[:2], mode="bilinear")[0]
    d = unit(tokens.reshape(-1, tokens.shape[-1]).double().numpy())
    s = d @ d.T
    attention = softmax(3.0 * (s - 1.2 * s.mean()), positive=True)
    mixed = attention @ fine.flatten(1).T.numpy()
    return plain.project(plain.linear(plain.blocks[-1].attn.out_proj, mixed))


def clip_surgery(plain, tokens):
    x = plain.inputs[3]  # half of six blocks
    for number in (3, 4, 5):
        _, _, v = plain.qkv(number, plain.inputs[number])
        x = x + plain.out(number, per_head(v, v.shape[-1] ** -0.5), v)
    return plain.project(x)[1:]


def gem(plain, tokens):
    x = plain.inputs[3]
    for number in (3, 4, 5):
        q, k, v = plain.qkv(number, plain.inputs[number])
        normed = plain.layer_norm(plain.blocks[number].ln_1, plain.inputs[number])
        sharpness = np.linalg.norm(normed, axis=1).mean() * q.shape[-1] ** -0.5
        for vectors in (v, k, q):
            attention = []
            for head in vectors:
                u = unit(head)
                u = unit(softmax(sharpness * u @ u.T) @ u)
                attention.append(softmax(sharpness * u @ u.T))
            x = x + plain.out(number, attention, v) / 3
    return plain.project(x)[1:]


def sc_clip(plain, tokens):
    states = plain.inputs[1:]
    deep = torch.from_numpy(states[-1])[None, 1:]
    outliers = find_outliers(deep)
    p = repair(deep, outliers, GRID)[0].numpy()
    middle = unit(
        repair(torch.from_numpy(states[4])[None, 1:], outliers, GRID)[0].numpy()
    )
    s_mid = middle @ middle.T
    low = unit(states[2][1:])
    s_low = low @ low.T

    def smooth(x, s):
        weights = s * (s >= 0.4)
        return weights / weights.sum(1, keepdims=True) @ x

    def attend(x, cls_token):
        _, k, v = plain.qkv(-1, x)
        shared = softmax(3 * (s_mid - s_mid.mean()), positive=True)
        attention = [(a + shared) / 2 for a in per_head(k, k.shape[-1] ** -0.5)]
        return smooth(plain.out(-1, attention, v) + 0.3 * cls_token, s_low)

    total = states[2] + states[3] + states[4]
    found = attend(smooth(p, s_mid), states[-1][0]) + attend(total[1:], total[0])
    return plain.project(found)


def cliper(plain, tokens, *, as_code=False):
    fused = 0.0
    for number in range(5):
        q, k, _ = plain.qkv(number, plain.inputs[number])
        s = q.shape[-1] ** -0.5
        rows = [softmax(s * a @ b.T) for a, b in zip(q, k, strict=True)]
        fused = fused + np.array(rows)
    found = []
    for number in range(6):
        if as_code or not number:
            fused = fused / fused.sum(1, keepdims=True)
            fused = fused / fused.sum(2, keepdims=True)
        attention = (fused + fused.transpose(0, 2, 1)) / 2
        attention = np.maximum(attention - attention.mean(1, keepdims=True), 0)
        attention = attention / attention.sum(2, keepdims=True)
        x = plain.inputs[number]
        if as_code and number < 5:
            x = plain.layer_norm(plain.blocks[number].ln_1, x)
        _, _, v = plain.qkv(-1, x)
        found.append(plain.project(plain.out(-1, attention, v))[1:])
    plain.affinity = attention.mean(0)[1:, 1:]
    return np.concatenate(found)


def cross_layers(plain):
    """Mean attention of the middle blocks of six: 2 and 3."""
    total = 0.0
    for number in (2, 3):
        q, k, _ = plain.qkv(number, plain.inputs[number])
        s = q.shape[-1] ** -0.5
        rows = [softmax(s * a @ b.T) for a, b in zip(q, k, strict=True)]
        total = total + np.array(rows) / 2
    return total


def resclip(plain, tokens, feedback=None):
    _, k, v = plain.qkv(-1, plain.inputs[-1])
    s, near = k.shape[-1] ** -0.5, gaussian(GRID, 5.0, 1)
    own = []
    for head in k:
        scores = s * head @ head.T
        if feedback is not None:
            padded = np.pad(feedback / feedback.max(), ((1, 0), (1, 0)))
            scores = 2.1 * (0.3 * scores + 0.7 * padded)
        own.append(softmax(scores + near))
    mixed = 2.0 * (0.7 * np.array(own) + 0.3 * cross_layers(plain))
    return plain.project(plain.out(-1, mixed, v))[1:]


def trident(plain, tokens, mean=None):
    """What is spliced: Wo of ProxyCLIP's values, before LN_post."""
    _, _, v = plain.qkv(-1, plain.inputs[-1][1:])
    joined = np.concatenate(list(v), 1)
    maps = torch.from_numpy(joined.T.reshape(1, -1, *GRID))
    fine = F.interpolate(maps, tokens.shape[:2], mode="bilinear")[0]
    d = unit(tokens.reshape(-1, tokens.shape[-1]).double().numpy())
    s = d @ d.T
    attention = softmax(3.0 * (s - 1.2 * (s.mean() if mean is None else mean)), True)
    mixed = attention @ fine.flatten(1).T.numpy()
    return plain.linear(plain.blocks[-1].attn.out_proj, mixed)


REFERENCES = {
    "cliper": cliper,
    "resclip": resclip,
    "trident": trident,
    "maskclip": maskclip,
    "sclip": sclip,
    "clearclip": clearclip,
    "naclip": naclip,
    "proxyclip": proxyclip,
    "clip-surgery": clip_surgery,
    "gem": gem,
    "sc-clip": sc_clip,
}


def test_every_method_is_checked():
    # The two others have test files of their own: test_s2clip.py and below.
    assert {*REFERENCES, "s2clip", "clip"} == set(METHODS)
    assert tuple(METHODS) == Settings.model_fields["method"].annotation.__args__


@pytest.mark.parametrize("name", REFERENCES)
def test_a_method_equals_its_formula(models, windows, vfm_tokens, name):
    hidden = models.clip.hidden_states(windows)
    assert hidden.grid == GRID
    settings = Settings(method=name, **SETTINGS)
    found = dense_features(models.clip, hidden, vfm_tokens, settings).dense
    for index in range(2):
        plain = Plain(models.clip, hidden, index)
        expected = REFERENCES[name](plain, vfm_tokens[index])
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            found[index].flatten(0, -2), expected, atol=1e-4 * scale
        )


def test_vanilla_features_are_the_last_block_projected(models, windows):
    hidden = models.clip.hidden_states(windows)
    found = dense_features(models.clip, hidden, None, Settings(method="clip")).dense
    visual = models.clip.model.visual
    with torch.inference_mode():
        last = visual.transformer.resblocks[-1](hidden.states[-1])
        expected = visual.ln_post(last)[:, 1:] @ visual.proj
    assert torch.allclose(found.flatten(1, 2), expected, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_features_of_a_window_do_not_depend_on_the_batch(
    models, windows, vfm_tokens, name
):
    settings = Settings(method=name, **SETTINGS)
    together = dense_features(
        models.clip, models.clip.hidden_states(windows), vfm_tokens, settings
    ).dense
    for index in range(2):
        part = slice(index, index + 1)
        alone = dense_features(
            models.clip,
            models.clip.hidden_states(windows[part]),
            vfm_tokens[part],
            settings,
        ).dense
        assert torch.allclose(
            F.normalize(alone, dim=-1), F.normalize(together[part], dim=-1), atol=1e-5
        )


@pytest.mark.parametrize("name", METHODS)
def test_a_constant_window_gives_finite_features(models, name):
    black = np.zeros((1, 64, 64, 3), np.uint8)
    found = dense_features(
        models.clip,
        models.clip.hidden_states(black),
        models.vfm.tokens(black),
        Settings(method=name, **SETTINGS),
    ).dense
    assert torch.isfinite(found).all()


def test_the_code_of_cliper_balances_again_and_norms_twice(models, windows):
    hidden = models.clip.hidden_states(windows)
    settings = Settings(method="cliper", variant="code")
    found = dense_features(models.clip, hidden, None, settings)
    assert found.dense.shape == (2, 6, *GRID, 128)
    for index in range(2):
        plain = Plain(models.clip, hidden, index)
        expected = cliper(plain, None, as_code=True)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            found.dense[index].flatten(0, 2), expected, atol=1e-4 * scale
        )
        np.testing.assert_allclose(
            found.extras["affinity"][index], plain.affinity, atol=1e-5
        )


def test_the_code_of_trident_shares_one_mean(models, windows, vfm_tokens):
    hidden = models.clip.hidden_states(windows)
    settings = Settings(method="trident", **SETTINGS)
    mean = torch.tensor(0.3)
    found = dense_features(models.clip, hidden, vfm_tokens, settings, mean).dense
    plain = Plain(models.clip, hidden, 0)
    expected = trident(plain, vfm_tokens[0], mean=0.3)
    np.testing.assert_allclose(found[0].flatten(0, 1), expected, atol=1e-4)


def test_resclip_mixes_the_feedback_into_the_scores(models, windows):
    hidden = models.clip.hidden_states(windows)
    settings = Settings(method="resclip", **SETTINGS)
    first = dense_features(models.clip, hidden, None, settings)
    feedback = torch.rand(2, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = feedback_features(
            models.clip,
            first.extras["tokens"],
            first.extras["cross"],
            feedback,
            GRID,
            settings,
            METHODS["resclip"],
        )
    for index in range(2):
        plain = Plain(models.clip, hidden, index)
        np.testing.assert_allclose(
            first.extras["cross"][index], cross_layers(plain), atol=1e-5
        )
        expected = resclip(plain, None, feedback[index].double().numpy())
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            found[index].flatten(0, 1), expected, atol=1e-4 * scale
        )


def test_the_extra_of_clip_surgery_is_the_library_class_vector(models):
    windows = np.random.default_rng(3).integers(0, 256, (2, 64, 64, 3), np.uint8)
    hidden = models.clip.hidden_states(windows)
    found = dense_features(models.clip, hidden, None, Settings(method="clip-surgery"))
    pixels = models.clip.normalise(windows)
    with torch.inference_mode():
        expected = F.normalize(models.clip.model.encode_image(pixels), dim=-1)
    assert torch.allclose(found.extras["class_token"], expected, atol=1e-5)


OVERRIDES = {
    "attention": {"attention": ("vv",)},
    "neighbourhood": {"neighbourhood": 2.0},
    "residual": {"residual": True},
    "feed-forward": {"feed_forward": True},
    "mixture": {"attention": ("identity", "qk", "kk")},
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_clearclip_with_other_parts(models, windows, override):
    hidden = models.clip.hidden_states(windows)
    settings = Settings(method="clearclip", **OVERRIDES[override], **SETTINGS)
    found = dense_features(models.clip, hidden, None, settings).dense
    plain = Plain(models.clip, hidden, 0)
    x = plain.inputs[-1]
    q, k, v = plain.qkv(-1, x)
    s = q.shape[-1] ** -0.5
    attention = per_head(q, s, gaussian(GRID, 2.0, 1) * (override == "neighbourhood"))
    if override == "attention":
        attention = per_head(v, s)
    if override == "mixture":
        own = [softmax(s * a @ b.T) for a, b in zip(q, k, strict=True)]
        eye = np.eye(len(x))
        attention = [
            (eye + a + b) / 3 for a, b in zip(own, per_head(k, s), strict=True)
        ]
    y = plain.out(-1, attention, v)
    if override == "residual":
        y = x + y
    if override == "feed-forward":
        y = y + plain.feed_forward(-1, y)
    expected = plain.project(y)[1:]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found[0].flatten(0, 1), expected, atol=1e-4 * scale)


def test_the_library_block_rebuilt_from_its_parts_is_the_same(models, windows):
    hidden = models.clip.hidden_states(windows)
    own = dense_features(models.clip, hidden, None, Settings(method="clip"))
    rebuilt = Settings(method="clip", attention=("qk",))
    found = dense_features(models.clip, hidden, None, rebuilt)
    assert torch.allclose(found.dense, own.dense, atol=1e-4)


@pytest.mark.parametrize("name", ["s2clip", "sc-clip", "proxyclip", "trident"])
@pytest.mark.parametrize("override", OVERRIDES)
def test_overrides_change_a_method(models, windows, vfm_tokens, name, override):
    hidden = models.clip.hidden_states(windows)
    plain = Settings(method=name, **SETTINGS)
    other = Settings(method=name, **OVERRIDES[override], **SETTINGS)
    a, b = (
        dense_features(models.clip, hidden, vfm_tokens, s).dense for s in (plain, other)
    )
    assert a.shape == b.shape
    # ProxyCLIP's identity has no scores to which a neighbourhood could be added.
    same = override == "neighbourhood" and "identity" in METHODS[name].parts
    assert torch.allclose(a, b, atol=1e-5) == same


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [(12, [5, 6, 7, 8]), (24, [*range(10, 18)]), (6, [2, 3]), (2, [0]), (1, [0])],
)
def test_middle_blocks_by_ratio(blocks, expected):
    assert list(middle_blocks(blocks)) == expected


@pytest.mark.parametrize(
    ("blocks", "first"), [(12, 6), (24, 18), (32, 26), (6, 3), (2, 1), (1, 0)]
)
def test_at_most_half_of_the_blocks_have_two_paths(blocks, first):
    assert first_block(blocks, METHODS["gem"]) == first


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method: no method 'fclip'; choose one of s2"):
        find_method("fclip")
