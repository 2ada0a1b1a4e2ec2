import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from napari_s2clip.demo.architectures import build_dino, build_sam
from napari_s2clip.models.build import build
from napari_s2clip.models.sam import SamModel
from napari_s2clip.models.specs import VFMS
from napari_s2clip.models.vfm import SamEncoder, VisionModel

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
    assert tokens.shape[1:3] == grid == vfm.grid(size)


@pytest.mark.parametrize("name", [name for name in VFMS if name != "sam-b-16"])
def test_real_sizes_equal_the_library(name):
    architecture = VFMS[name].architecture
    native = timm.get_pretrained_cfg(architecture).input_size[1]
    torch.manual_seed(0)
    model = build(VFMS[name], None)
    # All blocks are alike; the time of the others is better spent.
    model.blocks = model.blocks[:4]
    vfm = VisionModel(model, torch.device("cpu"), MEAN, STD)
    random = np.random.default_rng(0)
    windows = random.integers(0, 256, (2, native, native, 3), np.uint8)
    tokens = vfm.tokens(windows)
    pixels = (torch.from_numpy(windows).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        theirs = model.forward_features(pixels)[:, 1:]
    side = native // vfm.patch_size
    assert vfm.patch_size == int(name.split("-")[-1])
    assert vfm.grid((native, native)) == (side, side)
    assert tokens.shape == (2, side, side, model.embed_dim)
    assert torch.allclose(tokens.flatten(1, 2), theirs, atol=1e-5)
    assert torch.allclose(vfm.tokens(windows[1:]), tokens[1:], atol=1e-5)
    # Another grid than that of the positions, and sides that 14 does not divide.
    assert vfm.tokens(windows[:1, :112, :64]).shape[1:3] == vfm.grid((112, 64))


@pytest.fixture(scope="module")
def library() -> nn.Module:
    torch.manual_seed(0)
    return build_sam().eval()


@pytest.fixture(scope="module")
def small_sam(library) -> SamEncoder:
    return SamEncoder(SamModel(library, torch.device("cpu")))


def by_the_library(sam, window: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """The encoder's own output (1, c, rows, columns) for the padded square."""
    pixels = torch.from_numpy(window).permute(2, 0, 1)[None].float()
    pixels = F.interpolate(
        pixels, size, mode="bilinear", align_corners=False, antialias=True
    )
    with torch.inference_mode():
        return sam.image_encoder(sam.preprocess(pixels))


@pytest.mark.parametrize(
    ("window", "grid"),
    [
        ((64, 64), (32, 32)),
        ((48, 64), (24, 32)),
        ((64, 40), (32, 20)),
        ((50, 70), (23, 32)),
        ((8, 600), (1, 32)),
    ],
)
def test_sam_tokens_are_the_neck_without_the_padding(library, small_sam, window, grid):
    random = np.random.default_rng(0)
    windows = random.integers(0, 256, (2, *window, 3), np.uint8)
    tokens = small_sam.tokens(windows)
    assert small_sam.grid(window) == grid
    assert tokens.shape == (2, *grid, 64)
    size = (grid[0] * 8, grid[1] * 8)
    for index in range(2):
        whole = by_the_library(library, windows[index], size)
        theirs = whole[0, :, : grid[0], : grid[1]].permute(1, 2, 0)
        assert torch.allclose(tokens[index], theirs, atol=1e-5)


def test_sam_windows_of_the_input_size_are_not_resized(library, small_sam):
    windows = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    pixels = torch.from_numpy(windows).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        theirs = library.image_encoder(library.preprocess(pixels))
    tokens = small_sam.tokens(windows)
    assert torch.allclose(tokens, theirs.permute(0, 2, 3, 1), atol=1e-6)


def test_the_real_sam_encoder_equals_the_library():
    torch.manual_seed(0)
    library = build(VFMS["sam-b-16"], None).eval()
    # Two that look at windows of patches and one that looks at all.
    library.image_encoder.blocks = library.image_encoder.blocks[:3]
    vfm = SamEncoder(SamModel(library, torch.device("cpu")))
    window = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    tokens = vfm.tokens(window[None])
    assert (vfm.patch_size, vfm.grid((96, 128))) == (16, (48, 64))
    whole = by_the_library(library, window, (768, 1024))
    assert whole.shape == (1, 256, 64, 64)
    assert torch.allclose(tokens[0], whole[0, :, :48].permute(1, 2, 0), atol=1e-5)


def test_working_memory_grows_with_the_window(vfm):
    sam = SamEncoder(SamModel(build_sam(), torch.device("cpu")))
    assert vfm.working_memory((64, 64)) == 4 * vfm.working_memory((32, 32)) > 0
    # Its input is padded to one size.
    assert sam.working_memory((64, 64)) == sam.working_memory((64, 32)) > 0
