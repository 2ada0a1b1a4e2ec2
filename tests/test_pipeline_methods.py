"""Every method through the whole pipeline, and how windows are encoded."""

import logging

import numpy as np
import pytest
import torch

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.features import encode as encode_module
from napari_s2clip.features.encode import windows_at_once
from napari_s2clip.features.methods import METHODS

NAMES = ["cat", "dog", "grass"]


@pytest.fixture(scope="module")
def model():
    return S2CLIP.load("demo", device="cpu", weights="random")


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (90, 140, 3), np.uint8)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("background", [(), ("wall",)])
def test_every_method_segments(model, image, name, background):
    settings = Settings(method=name, refine=False)
    result = model.segment(image, NAMES, settings=settings, background=background)
    assert result.coarse.shape == (90, 140)
    assert np.isfinite(result.probabilities).all()
    assert result.probabilities.min() >= 0
    assert result.probabilities.max() <= 1
    total = result.probabilities.sum(0)
    if background:
        assert (total <= 1 + 1e-4).all()
    else:
        np.testing.assert_allclose(total, 1, atol=1e-4)
    assert METHODS[name].title in result.provenance["method"]
    assert result.provenance["settings"]["logit_scale"] == METHODS[name].logit_scale


@pytest.mark.parametrize("name", METHODS)
def test_one_class_gets_everything(model, image, name):
    result = model.segment(
        image[:40, :50], ["cat"], settings=Settings(method=name, refine=False)
    )
    assert (result.coarse == 1).all()


@pytest.mark.parametrize("name", METHODS)
def test_windows_alone_or_together_give_the_same(model, image, name, monkeypatch):
    settings = Settings(method=name, refine=False)
    together = model.encode(image, settings=settings)
    monkeypatch.setattr(encode_module, "windows_at_once", lambda *_: 1)
    alone = model.encode(image, settings=settings)
    assert torch.allclose(together.dense, alone.dense, atol=1e-5)
    for key, value in together.extras.items():
        assert torch.allclose(value, alone.extras[key], atol=1e-5)


def test_windows_are_halved_when_memory_runs_out(model, image, monkeypatch, caplog):
    settings = Settings(refine=False)
    expected = model.encode(image, settings=settings).dense
    clip, sizes = model.models.clip, []
    plain = clip.hidden_states

    def scarce(windows, *more):
        sizes.append(len(windows))
        if len(windows) > 2:
            raise RuntimeError("out of memory")
        return plain(windows, *more)

    monkeypatch.setattr(encode_module, "windows_at_once", lambda *_: 8)
    monkeypatch.setattr(clip, "hidden_states", scarce)
    with caplog.at_level(logging.WARNING):
        found = model.encode(image, settings=settings)
    assert sizes[:3] == [8, 4, 2]
    assert torch.allclose(found.dense, expected, atol=1e-5)
    assert "memory ran out; going on with 4 at a time (window)" in caplog.text


def test_not_enough_memory_for_one_window_says_what_to_do(model, image, monkeypatch):
    def never(*_):
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(model.models.clip, "hidden_states", never)
    with pytest.raises(torch.cuda.OutOfMemoryError, match="for one window; free some"):
        model.encode(image, settings=Settings(refine=False))


def test_batches_follow_the_free_memory(model, monkeypatch):
    window = (64, 64)
    monkeypatch.setattr(encode_module, "free_memory", lambda _: 1 << 40)
    plenty = windows_at_once(model.models, window)
    monkeypatch.setattr(encode_module, "free_memory", lambda _: 60 << 20)
    some = windows_at_once(model.models, window)
    monkeypatch.setattr(encode_module, "free_memory", lambda _: 0)
    assert windows_at_once(model.models, window) == 1
    assert 1 <= some < plenty


def test_the_whole_image_is_one_window(model, image):
    settings = Settings(refine=False, whole_image=True)
    features = model.encode(image, settings=settings)
    assert features.plan.corners == ((0, 0),)
    assert features.plan.window == features.plan.size
    assert len(features.dense) == 1
    assert model.segment(features, NAMES).coarse.shape == (90, 140)


def test_trident_has_one_map_on_the_grid_of_sam(model, image):
    settings = Settings(method="trident", stride=27, refine=True)
    features = model.encode(image, settings=settings)
    assert features.dense.shape[0] == 1
    assert features.plan.corners == ((0, 0),)
    rows, columns = features.dense.shape[1:3]
    assert rows / columns == pytest.approx(90 / 140, abs=0.1)
    # The embedding for the refinement came with it.
    assert features.sam is not None
    norms = features.dense.norm(dim=-1)
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-5)


def test_trident_as_its_code_takes_the_mean_of_all_windows(model):
    # Windows of different kinds, and a threshold that parts their tokens.
    plain, noise = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), np.uint8)
    image = np.hstack([plain // 8, noise])
    paper = Settings(
        method="trident",
        refine=False,
        short_side=64,
        proxy_beta=1.0,
        proxy_gamma=3.0,
    )
    code = paper.model_copy(update={"variant": "code"})
    a, b = (model.encode(image, settings=s).dense for s in (paper, code))
    assert not torch.allclose(a, b, atol=1e-6)
    # One window: there is nothing else to take the mean over.
    whole = {"whole_image": True}
    a, b = (
        model.encode(image, settings=s.model_copy(update=whole)).dense
        for s in (paper, code)
    )
    assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"level_weights": "entropy+"},
        {"level_weights": "entropy-"},
        {"mid_share": 0.2},
        {"attention": ("kk", "vv")},
        {"neighbourhood": 3.0},
        {"positions": "bilinear", "window": 48},
        {"residual": True},
        {"feed_forward": True},
    ],
)
def test_every_part_of_s2clip_can_be_changed(model, image, change):
    plain = {"refine": False, **{k: v for k, v in change.items() if k == "window"}}
    base = model.encode(image, settings=Settings(**plain)).dense
    other = model.encode(image, settings=Settings(**{**plain, **change})).dense
    assert base.shape == other.shape
    assert not torch.allclose(base, other, atol=1e-6)


def test_settings_of_this_clip_are_checked_before_anything_runs(model, image):
    with pytest.raises(ValueError, match="levels: block 5 is not between 0 and 4"):
        model.encode(image, settings=Settings(levels=(5,)))


@pytest.mark.parametrize("diagnostics", [False, True])
def test_entropy_of_every_block(model, image, diagnostics):
    table = model.entropy(image, diagnostics=diagnostics)
    assert table["block"].tolist() == [0, 1, 2, 3, 4]
    assert table["normalised"].between(0, 1).all()
    # ln N of the 64 patches of a window.
    np.testing.assert_allclose(table["entropy"], table["normalised"] * np.log(64))
    extra = {"gini", "correlation"} if diagnostics else set()
    assert set(table) == {"block", "entropy", "normalised"} | extra
    strict = model.entropy(image, mode="strict")
    assert not np.allclose(strict["entropy"], table["entropy"], atol=1e-3)


def test_entropy_is_the_mean_over_the_windows(model, image):
    from napari_s2clip.dense import entropy_of_blocks

    settings = Settings(whole_image=True, short_side=64)
    table = model.entropy(np.zeros((64, 64, 3), np.uint8) + image[:64, :64])
    assert len(table) == 5
    one = model.entropy(image[:64, :64], settings=settings)
    expected = entropy_of_blocks(model.models.clip, image[:64, :64])
    np.testing.assert_allclose(one["entropy"], expected, rtol=1e-5)


def test_entropy_needs_a_block_before_the_last(image):
    model = S2CLIP.load("demo", weights="random")
    clip = model.models.clip
    clip._blocks, clip.blocks = clip._blocks[-1:], clip.blocks[-1:]
    with pytest.raises(ValueError, match="method: s2clip needs blocks before the last"):
        model.entropy(image)
    with pytest.raises(ValueError, match="clip: it has one block"):
        model.entropy(image, settings=Settings(method="clip"))
