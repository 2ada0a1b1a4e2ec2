import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.refine.merge import MaskMerger

WHOLE = (slice(None), slice(None))

OUT = -50.0
"""A logit that is nowhere near a mask."""


def merger(coarse, probabilities):
    planes = np.asarray(probabilities, np.float32)
    return MaskMerger(
        np.asarray(coarse, np.uint16),
        lambda value, window: planes[(value - 1, *window)],
    )


def logits(values):
    return np.asarray(values, np.float32)


def test_a_mask_gives_its_class_and_the_rest_stays_coarse():
    merge = merger([[1, 1, 2, 2]], [[[0.9, 0.8, 0.4, 0.1]], [[0.1, 0.2, 0.6, 0.9]]])
    merge.add_mask(1, WHOLE, logits([[9, 9, 9, OUT]]))
    assert merge.labels().tolist() == [[1, 1, 1, 2]]


def test_the_larger_product_of_mask_and_probability_wins():
    merge = merger([[0, 0]], [[[0.5, 0.5]], [[0.4, 0.4]]])
    merge.add_mask(1, WHOLE, logits([[0.1, 9]]))
    merge.add_mask(2, WHOLE, logits([[9, 9]]))
    # Pixel 0: 0.525 * 0.5 = 0.26 against 1.0 * 0.4; pixel 1: 0.5 against 0.4.
    assert merge.labels().tolist() == [[2, 1]]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=str)
def test_of_equal_scores_the_smaller_label_wins(order):
    merge = merger([[0]], [[[0.5]], [[0.5]]])
    for value in order:
        merge.add_mask(value, WHOLE, logits([[3]]))
    assert merge.labels().tolist() == [[1]]


def test_logits_far_outside_do_not_overflow():
    merge = merger([[2, 2, 2]], [[[0.5, 0.5, 0.5]], [[0.5, 0.5, 0.5]]])
    merge.add_mask(1, WHOLE, logits([[300, -300, 300]]))
    assert merge.labels().tolist() == [[1, 2, 1]]


def test_no_probability_no_cover():
    merge = merger([[2]], [[[0.0]], [[1.0]]])
    merge.add_mask(1, WHOLE, logits([[9]]))
    assert merge.labels().tolist() == [[2]]


def test_an_empty_mask_changes_nothing():
    merge = merger([[1, 2]], [[[1.0, 0.0]], [[0.0, 1.0]]])
    merge.add_mask(1, WHOLE, logits([[OUT, 0.0]]))
    assert merge.labels().tolist() == [[1, 2]]


def test_failed_regions_take_the_pixels_where_they_are_surer():
    # Region 1 (class 1) failed; the mask of region 2 (class 2) covers all four pixels.
    coarse = [[1, 1, 2, 2]]
    merge = merger(coarse, [[[0.9, 0.3, 0.2, 0.1]], [[0.1, 0.7, 0.8, 0.9]]])
    merge.add_mask(2, WHOLE, logits([[9, 9, 9, 9]]))
    assert merge.labels().tolist() == [[2, 2, 2, 2]]
    regions = np.int32([[1, 1, 2, 2]])
    found = merge.labels_with_failed(np.array([1]), regions, np.array([1, 2]))
    # Pixel 0: 0.9 > 0.1, pixel 1: 0.3 < 0.7.
    assert found.tolist() == [[1, 2, 2, 2]]


def test_failed_regions_compete_with_the_scores_before_them():
    # Two failed regions of different classes do not see each other.
    merge = merger([[1, 2]], [[[0.6, 0.1]], [[0.3, 0.6]]])
    regions = np.int32([[1, 2]])
    found = merge.labels_with_failed(np.array([1, 2]), regions, np.array([1, 2]))
    assert found.tolist() == [[1, 2]]


@given(st.integers(0, 500))
def test_the_order_of_masks_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 4, (6, 7))
    # Few distinct values make ties, and pixels without any probability.
    p = rng.integers(0, 3, (3, 6, 7)) / 4
    masks = [
        (int(rng.integers(1, 4)), logits(rng.integers(-2, 3, (6, 7)))) for _ in range(5)
    ]
    one, two = merger(coarse, p), merger(coarse, p)
    for value, mask in masks:
        one.add_mask(value, WHOLE, mask)
    for value, mask in masks[::-1]:
        two.add_mask(value, WHOLE, mask)
    assert np.array_equal(one.labels(), two.labels())


@pytest.mark.parametrize("levels", [3, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_the_formula_with_whole_maps(seed, levels):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 4, (9, 8)).astype(np.uint16)
    p = (rng.integers(0, levels, (3, 9, 8)) / levels).astype(np.float32)
    masks = [
        (
            int(rng.integers(1, 4)),
            logits(np.round(3 * rng.normal(size=(9, 8)) - 2, levels // 999)),
        )
        for _ in range(6)
    ]
    merge = merger(coarse, p)
    refined = np.zeros((3, 9, 8), np.float32)
    for value, mask in masks:
        merge.add_mask(value, WHOLE, mask)
        score = np.where(mask > 0, p[value - 1] / (1 + np.exp(-mask)), 0)
        refined[value - 1] = np.maximum(refined[value - 1], score)
    expected = np.where(refined.max(0) > 0, refined.argmax(0) + 1, coarse)
    assert np.array_equal(merge.labels(), expected)

    # Regions 1 to 4 of classes 3, 1, 3, 2; all but the last failed.
    classes = np.array([3, 1, 3, 2])
    regions = rng.integers(0, 5, (9, 8)).astype(np.int32)
    for y, x in np.ndindex(9, 8):
        if 1 <= regions[y, x] <= 3:
            value = classes[regions[y, x] - 1]
            if p[value - 1, y, x] > refined[:, y, x].max():
                expected[y, x] = value
    found = merge.labels_with_failed(np.array([1, 2, 3]), regions, classes)
    assert np.array_equal(found, expected)
