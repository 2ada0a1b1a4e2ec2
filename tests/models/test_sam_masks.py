import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.models.sam_masks import MaskResizer

SIDE = 256
LOW = (128, 128)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def sam():
    return build_sam()


def resizer(input_size, image_size):
    return MaskResizer(LOW, SIDE, input_size, image_size, CPU)


SIZES = [
    ((256, 256), (256, 256)),
    ((256, 192), (100, 75)),
    ((171, 256), (400, 600)),
    ((1, 256), (1, 999)),
    ((256, 1), (7, 1)),
]


@pytest.mark.parametrize(("input_size", "image_size"), SIZES, ids=str)
def test_whole_masks_equal_those_of_segment_anything(sam, input_size, image_size):
    torch.manual_seed(0)
    logits = 10 * torch.randn(3, *LOW)
    found = resizer(input_size, image_size).full(logits)
    expected = sam.postprocess_masks(logits[:, None], input_size, image_size)[:, 0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SIZES),
    st.integers(0, 10**6),
    st.sampled_from([0, 1, 5, 4000, 128 * 128]),
)
def test_a_window_holds_every_pixel_inside(sizes, seed, count):
    generator = torch.Generator().manual_seed(seed)
    logits = -10 * torch.rand(LOW, generator=generator) - 0.1
    at = torch.randperm(128 * 128, generator=generator)[:count]
    logits.view(-1)[at] = 10 * torch.rand(count, generator=generator)
    to_image = resizer(*sizes)
    whole, found = to_image.full(logits[None])[0], to_image.window(logits)
    inside = torch.zeros(whole.shape, dtype=torch.bool)
    if found is not None:
        part = whole[found.rows, found.columns]
        torch.testing.assert_close(found.logits, part, atol=1e-4, rtol=1e-5)
        inside[found.rows, found.columns] = True
    assert not ((whole > 0) & ~inside).any()


def test_a_window_is_no_larger_than_needed():
    logits = torch.full(LOW, -1.0)
    logits[10:12, 20] = 5
    found = resizer((256, 256), (256, 256)).window(logits)
    # Each logit reaches the middle of its neighbours: 2 pixels of its own, 1 around.
    assert (found.rows, found.columns) == (slice(19, 25), slice(39, 43))


def test_a_mask_that_is_nowhere_inside_has_no_window():
    assert resizer((256, 256), (256, 256)).window(torch.zeros(LOW)) is None
    outside = torch.full(LOW, -1.0)
    outside[100:] = 5
    # Inside the padding only.
    assert resizer((128, 256), (64, 128)).window(outside) is None
