import numpy as np
import open_clip
import pytest
import torch
from torch import nn

from napari_s2clip.demo.architectures import CLIP_CONFIG, build_clip
from napari_s2clip.models.clip import (
    BlockParts,
    ClipModel,
    HiddenStates,
    normalise_pixels,
)
from napari_s2clip.models.positions import resample_positions

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@pytest.fixture(scope="module")
def clip() -> ClipModel:
    torch.manual_seed(0)
    tokenizer = open_clip.SimpleTokenizer(
        context_length=CLIP_CONFIG["text_cfg"]["context_length"]
    )
    return ClipModel(build_clip(), tokenizer, torch.device("cpu"), MEAN, STD)


@pytest.fixture
def windows() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)


def test_normalised_pixels_by_hand():
    images = np.array([[[[0, 51, 255]]]], np.uint8)
    batch = normalise_pixels(images, MEAN, STD, torch.device("cpu"))
    assert batch.shape == (1, 3, 1, 1)
    assert torch.allclose(batch.flatten(), torch.tensor([-2.0, -1.2, 2.0]))


def test_vanilla_class_token_equals_the_library(clip, windows):
    hidden = clip.hidden_states(windows)
    ours = clip.project(clip.last_block(hidden.states[-1]))[:, 0]
    pixels = normalise_pixels(windows, MEAN, STD, clip.device)
    with torch.inference_mode():
        theirs = clip.model.encode_image(pixels)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_hidden_states_equal_the_library_intermediates(clip, windows):
    hidden = clip.hidden_states(windows)
    pixels = normalise_pixels(windows, MEAN, STD, clip.device)
    with torch.inference_mode():
        found = clip.model.visual.forward_intermediates(pixels, output_fmt="NLC")
    theirs = found["image_intermediates"]
    assert len(hidden.states) == clip.n_blocks - 1
    for ours, other in zip(hidden.states, theirs, strict=False):
        assert torch.allclose(ours[:, 1:], other, atol=1e-5)


def test_windows_of_any_grid(clip):
    hidden = clip.hidden_states(np.zeros((1, 16, 200, 3), np.uint8))
    assert hidden.grid == (2, 25)
    assert hidden.states[0].shape == (1, 51, 192)


def test_positions_are_interpolated_as_asked(clip):
    windows = np.full((1, 40, 56, 3), 99, np.uint8)
    found = {
        how: clip.hidden_states(windows, how).embedded
        for how in ("bicubic", "offset", "antialias", "bilinear")
    }
    assert torch.equal(clip.hidden_states(windows).embedded, found["bicubic"])
    tower = clip.model.visual
    table = tower.positional_embedding
    with torch.inference_mode():
        patches = tower.conv1(normalise_pixels(windows, MEAN, STD, clip.device))
        first = tower.class_embedding[None, None]
        tokens = torch.cat([first, patches.flatten(2).transpose(1, 2)], 1)
        for how, ours in found.items():
            positions = resample_positions(table, (8, 8), (5, 7), how)
            assert torch.allclose(ours, tower.ln_pre(tokens + positions), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 60, 64, 3), "windows are 60 × 64 px; give sides that are multiples of"),
        ((1, 64, 60, 3), "windows are 64 × 60 px; .* the patch, 8 px"),
        ((1, 0, 64, 3), "windows are 0 × 64 px"),
        ((64, 64, 3), r"windows has the shape \(64, 64, 3\); give \(B, H, W, 3\)"),
        ((1, 3, 64, 64), r"give \(B, H, W, 3\)"),
    ],
)
def test_windows_that_do_not_fit_are_refused(clip, shape, message):
    with pytest.raises(ValueError, match=message):
        clip.hidden_states(np.zeros(shape, np.uint8))


def test_last_block_parts_rebuild_its_attention(clip, windows):
    tokens = clip.hidden_states(windows).states[-1]
    block = clip.model.visual.transformer.resblocks[-1]
    q, k, v = clip.last.qkv(tokens)
    attention = (clip.last.scale * q @ k.transpose(-1, -2)).softmax(-1)
    ours = clip.last.out((attention @ v).transpose(1, 2).flatten(2))
    normed = block.ln_1(tokens)
    theirs = block.attn(normed, normed, normed, need_weights=False)[0]
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_block_without_plain_attention_is_refused():
    block = nn.Module()
    block.attn = nn.Identity()
    block.ln_1 = nn.Identity()
    with pytest.raises(ValueError, match="choose a plain ViT of open_clip"):
        BlockParts(block)


def test_text_vectors_equal_the_library(clip):
    texts = ["a photo of a red circle", "grass"]
    with torch.inference_mode():
        theirs = clip.model.encode_text(
            open_clip.SimpleTokenizer(context_length=24)(texts)
        )
    assert torch.allclose(clip.encode_text(texts), theirs, atol=2e-5)


def test_hidden_states_print_as_one_line():
    token = torch.zeros(2, 7, 3)
    hidden = HiddenStates(token, [token] * 5, (2, 3))
    assert repr(hidden) == "HiddenStates(5 of (2, 7, 3), grid=(2, 3))"
