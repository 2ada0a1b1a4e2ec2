import numpy as np
import pytest
import torch

from napari_s2clip.demo.architectures import build_dino
from napari_s2clip.models.vfm import VisionModel

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@pytest.fixture(scope="module")
def vfm() -> VisionModel:
    torch.manual_seed(0)
    return VisionModel(build_dino(), torch.device("cpu"), MEAN, STD)


def test_tokens_are_the_library_patches_in_order(vfm):
    windows = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    tokens = vfm.tokens(windows)
    assert tokens.shape == (2, 12, 12, 128)
    pixels = (torch.from_numpy(windows).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        theirs = vfm.model.forward_features(pixels)[:, 1:]
    assert torch.allclose(tokens.flatten(1, 2), theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "grid"), [((16, 104), (2, 13)), ((14, 98), (2, 12)), ((3, 8), (1, 1))]
)
def test_windows_that_are_no_multiple_of_the_patch(vfm, size, grid):
    tokens = vfm.tokens(np.zeros((1, *size, 3), np.uint8))
    assert tokens.shape[1:3] == grid
