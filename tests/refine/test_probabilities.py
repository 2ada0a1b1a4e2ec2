import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip import ClassSet, Settings
from napari_s2clip.coarse import ClassMaps, classify, likeliest
from napari_s2clip.refine.attention_maps import propagate, sharpen
from napari_s2clip.refine.pamr import pamr
from napari_s2clip.refine.probabilities import refine_probabilities

CPU = torch.device("cpu")


def test_sharpened_by_hand():
    attention = torch.tensor([[0.8, 0.2], [0.4, 0.6]])
    # Columns divided by 0.8 and 0.6: 1, 1/3; 1/2, 1. Rows of sum 1 afterwards.
    expected = torch.tensor([[0.75, 0.25], [1 / 3, 2 / 3]])
    torch.testing.assert_close(sharpen(attention, 0.1), expected)
    # 1/3 is dropped.
    expected = torch.tensor([[1, 0], [1 / 3, 2 / 3]])
    torch.testing.assert_close(sharpen(attention, 0.4), expected)


def test_a_row_without_anything_keeps_to_itself():
    attention = torch.tensor([[0.9, 0.9, 0.9], [0.05, 0.01, 0.05], [0.05, 0.09, 0.05]])
    torch.testing.assert_close(sharpen(attention, 0.5)[1], torch.tensor([0.0, 1, 0]))


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.9, 1.0]))
def test_rows_sum_to_one(seed, threshold):
    generator = torch.Generator().manual_seed(seed)
    attention = torch.rand(6, 6, generator=generator).softmax(-1)
    found = sharpen(attention, threshold)
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(-1), torch.ones(6))


def test_propagated_by_the_product():
    torch.manual_seed(0)
    attentions = [torch.rand(4, 4).softmax(-1) for _ in range(3)]
    maps = torch.rand(2, 2, 2)
    product = torch.linalg.multi_dot([sharpen(a, 0.3) for a in attentions])
    expected = (product @ maps.flatten(1).T).T.view(2, 2, 2)
    # The last factor comes first.
    torch.testing.assert_close(propagate(attentions[::-1], maps, 0.3), expected)
    with pytest.raises(ValueError, match="at least one"):
        propagate([], maps)


def test_what_sums_to_one_still_does():
    torch.manual_seed(0)
    maps = torch.rand(3, 13, 17).softmax(0)
    found = propagate([torch.rand(25, 25).softmax(-1)], maps, 0.2)
    assert found.shape == maps.shape
    torch.testing.assert_close(found.sum(0), torch.ones(13, 17))


@pytest.fixture
def coarse():
    generator = np.random.default_rng(0)
    p = generator.random((3, 12, 14), np.float32)
    p /= p.sum(0)
    top, winner = likeliest(torch.from_numpy(p), 2)
    return ClassMaps(p[:2], top.numpy(), winner.numpy().astype(np.uint16), p[2])


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 256, (12, 14, 3), np.uint8)


def test_none_changes_nothing(coarse, image):
    assert refine_probabilities(coarse, image, Settings(), CPU) is coarse


def test_pamr_sees_the_background_too(coarse, image):
    settings = Settings(probability_refiner="pamr", pamr_iterations=3)
    found = refine_probabilities(coarse, image, settings, CPU)
    planes = torch.from_numpy(
        np.concatenate([coarse.probabilities, coarse.background[None]])
    )
    expected = pamr(torch.from_numpy(image).permute(2, 0, 1).float(), planes, 3)
    np.testing.assert_allclose(found.probabilities, expected[:2], atol=1e-6)
    np.testing.assert_allclose(found.background, expected[2], atol=1e-6)
    winner = expected.argmax(0) + 1
    winner[(winner == 3) | (expected.amax(0) < 0.35)] = 0
    np.testing.assert_array_equal(found.labels(0.35), winner)
    assert found.labels(0.35).dtype == np.uint16
    assert (found.labels(0.35) == 0).any()


def test_without_background_words_there_is_no_background(image):
    p = np.full((2, 12, 14), 0.5, np.float32)
    plain = ClassMaps(p, p[0], np.ones((12, 14), np.uint16))
    settings = Settings(probability_refiner="pamr")
    found = refine_probabilities(plain, image, settings, CPU)
    assert found.background is None
    assert found.probabilities.shape == p.shape


@pytest.mark.parametrize("background", [(), ("sky", "sea")])
def test_the_coarse_map_keeps_the_probability_of_the_background(background):
    torch.manual_seed(0)
    scores = torch.randn(2 + len(background), 5, 6)
    found = classify(
        scores,
        ClassSet(["a", "b"], background),
        (5, 6),
        logit_scale=1,
    )
    if not background:
        assert found.background is None
    else:
        expected = scores.softmax(0)[2:].amax(0)
        np.testing.assert_allclose(found.background, expected, atol=1e-6)
