import pytest
import torch

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.models.sam import SamModel
from napari_s2clip.refine.class_masks import class_mask, embed_mask


@pytest.fixture(scope="module")
def sam() -> SamModel:
    torch.manual_seed(0)
    return SamModel(build_sam(), torch.device("cpu"))


def test_logits_of_the_probability_with_the_padding_outside(sam):
    p = torch.tensor([[0.5, 0.9], [0.0, 1.0]])
    # The image is twice as wide as high: half of the square is padding.
    mask = class_mask(sam, p, (100, 200), "logit")
    assert mask.shape == (1, 128, 128)
    assert (mask[0, 64:] == -8).all()
    corners = mask[0, [0, 0, 63, 63], [0, 127, 0, 127]]
    # log(0.9 / 0.1) = 2.197; the ends are cut.
    torch.testing.assert_close(
        corners, torch.tensor([0, 2.1972, -8, 8]), atol=1e-3, rtol=0
    )


def test_tridents_mask(sam):
    p = torch.tensor([[0.5, 0.2], [0.1, 1.0]])
    mask = class_mask(sam, p, (200, 100), "trident", 0.2)
    assert (mask[0, :, 64:] == 0).all()
    corners = mask[0, [0, 0, 127, 127], [0, 63, 0, 63]]
    torch.testing.assert_close(corners, torch.tensor([0.0025, 0, 0, 0.005]))


def test_embedded_as_segment_anything_does_or_without_a_batch(sam):
    mask = torch.randn(1, 128, 128)
    encoder = sam.sam.prompt_encoder
    found = embed_mask(sam, mask, "logit")
    _, expected = encoder(points=None, boxes=None, masks=mask[None])
    torch.testing.assert_close(found, expected[0])
    quirk = embed_mask(sam, mask, "trident")
    assert quirk.shape == found.shape == (64, 32, 32)
    # The first norm runs over rows instead of channels.
    first, norm = encoder.mask_downscaling[:2]
    x = first(mask)
    x = (x - x.mean(1, keepdim=True)) / (
        x.var(1, keepdim=True, unbiased=False) + 1e-6
    ).sqrt()
    x = norm.weight[:, None, None] * x + norm.bias[:, None, None]
    rest = encoder.mask_downscaling[2:](x)
    torch.testing.assert_close(quirk, rest, atol=1e-5, rtol=1e-4)
