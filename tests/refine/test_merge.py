import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.refine.merge import MaskMerger, inside_of

WHOLE = (slice(None), slice(None))

OUT = -50.0
"""A logit that is nowhere near a mask."""


class Merger(MaskMerger):
    """Whole masks; without regions a pixel's is its coarse label."""

    def __init__(self, coarse, probabilities, regions=None):
        coarse = np.asarray(coarse, np.uint16)
        planes = np.asarray(probabilities, np.float32)
        regions = coarse if regions is None else np.asarray(regions)
        super().__init__(
            coarse,
            regions.astype(np.int32),
            lambda value, window: planes[(value - 1, *window)],
        )

    def add(self, value, mask, region=None):
        self.add_mask(region or value, value, WHOLE, inside_of(mask))

    def labels(self):
        return self.merged()[0]


def logits(values):
    return np.asarray(values, np.float32)


def test_a_mask_gives_its_class_and_the_rest_stays_coarse():
    merge = Merger([[1, 1, 2, 2]], [[[0.9, 0.8, 0.4, 0.1]], [[0.1, 0.2, 0.6, 0.9]]])
    merge.add(1, logits([[9, 9, 9, OUT]]))
    assert merge.labels().tolist() == [[1, 1, 1, 2]]


def test_the_larger_product_of_mask_and_probability_wins():
    merge = Merger([[0, 0]], [[[0.5, 0.5]], [[0.4, 0.4]]])
    merge.add(1, logits([[0.1, 9]]))
    merge.add(2, logits([[9, 9]]))
    # Pixel 0: 0.525 * 0.5 = 0.26 against 1.0 * 0.4; pixel 1: 0.5 against 0.4.
    assert merge.labels().tolist() == [[2, 1]]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=str)
def test_of_equal_scores_the_smaller_label_wins(order):
    merge = Merger([[0]], [[[0.5]], [[0.5]]])
    for value in order:
        merge.add(value, logits([[3]]))
    assert merge.labels().tolist() == [[1]]


def test_logits_far_outside_do_not_overflow():
    merge = Merger([[2, 2, 2]], [[[0.5, 0.5, 0.5]], [[0.5, 0.5, 0.5]]])
    merge.add(1, logits([[300, -300, 300]]))
    assert merge.labels().tolist() == [[1, 2, 1]]


def test_no_probability_no_cover():
    merge = Merger([[2]], [[[0.0]], [[1.0]]])
    merge.add(1, logits([[9]]))
    assert merge.labels().tolist() == [[2]]


def test_an_empty_mask_changes_nothing():
    merge = Merger([[1, 2]], [[[1.0, 0.0]], [[0.0, 1.0]]])
    merge.add(1, logits([[OUT, 0.0]]))
    assert merge.labels().tolist() == [[1, 2]]


def test_failed_regions_take_the_pixels_where_they_are_surer():
    # Region 1 (class 1) failed; the mask of region 2 (class 2) covers all four pixels.
    coarse = [[1, 1, 2, 2]]
    merge = Merger(coarse, [[[0.9, 0.3, 0.2, 0.1]], [[0.1, 0.7, 0.8, 0.9]]])
    merge.add(2, logits([[9, 9, 9, 9]]))
    assert merge.labels().tolist() == [[2, 2, 2, 2]]
    found, owners = merge.with_failed(np.array([1]), np.array([1, 2]))
    # Pixel 0: 0.9 > 0.1, pixel 1: 0.3 < 0.7.
    assert found.tolist() == owners.tolist() == [[1, 2, 2, 2]]


def test_failed_regions_compete_with_the_scores_before_them():
    # Two failed regions of different classes do not see each other.
    merge = Merger([[1, 2]], [[[0.6, 0.1]], [[0.3, 0.6]]])
    found, owners = merge.with_failed(np.array([1, 2]), np.array([1, 2]))
    assert found.tolist() == owners.tolist() == [[1, 2]]


@pytest.mark.parametrize("order", [1, -1])
def test_of_equal_masks_of_a_class_the_smaller_region_owns(order):
    merge = Merger([[2, 2, 2]], [[[0.5] * 3], [[0.5] * 3]], [[7, 0, 7]])
    masks = [(4, [3, 1, OUT]), (3, [3, 2, OUT])]
    for region, mask in masks[::order]:
        merge.add(1, logits([mask]), region)
    labels, owners = merge.merged()
    assert labels.tolist() == [[1, 1, 2]]
    assert owners.tolist() == [[3, 3, 7]]


@given(st.integers(0, 500))
def test_the_order_of_masks_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    # Regions 1 to 5, each of one class; region 5 fails and keeps its coarse pixels.
    classes = np.sort(rng.integers(1, 4, 5))
    regions = rng.integers(0, 6, (6, 7))
    coarse = np.where(regions, classes[regions - 1], rng.integers(0, 4, (6, 7)))
    # Few distinct values make ties, and pixels without any probability.
    p = rng.integers(0, 3, (3, 6, 7)) / 4
    masks = {i: logits(rng.integers(-2, 3, (6, 7))) for i in (1, 2, 3, 4)}
    one, two = Merger(coarse, p, regions), Merger(coarse, p, regions)
    for region, mask in masks.items():
        one.add(classes[region - 1], mask, region)
    for region in rng.permutation(list(masks)).tolist():
        two.add(classes[region - 1], masks[region], region)
    for failed in ([], [5]):
        labels, owners = one.with_failed(np.array(failed, int), classes)
        again = two.with_failed(np.array(failed, int), classes)
        assert np.array_equal(labels, again[0])
        assert np.array_equal(owners, again[1])
        owned = owners > 0
        assert np.array_equal(classes[owners[owned] - 1], labels[owned])


@pytest.mark.parametrize("levels", [3, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_the_formula_with_whole_maps(seed, levels):
    rng = np.random.default_rng(seed)
    # Regions 1 to 4; all but the last failed.
    classes = np.array([1, 2, 3, 3])
    regions = rng.integers(0, 5, (9, 8)).astype(np.int32)
    coarse = np.where(regions, classes[regions - 1], rng.integers(0, 4, (9, 8)))
    p = (rng.integers(0, levels, (3, 9, 8)) / levels).astype(np.float32)
    masks = [
        (
            int(rng.integers(1, 4)),
            logits(np.round(3 * rng.normal(size=(9, 8)) - 2, levels // 999)),
        )
        for _ in range(6)
    ]
    merge = Merger(coarse, p, regions)
    refined = np.zeros((3, 9, 8), np.float32)
    for value, mask in masks:
        merge.add(value, mask)
        score = np.where(mask > 0, p[value - 1] / (1 + np.exp(-mask)), 0)
        refined[value - 1] = np.maximum(refined[value - 1], score)
    expected = np.where(refined.max(0) > 0, refined.argmax(0) + 1, coarse)
    assert np.array_equal(merge.labels(), expected)

    for y, x in np.ndindex(9, 8):
        if 1 <= regions[y, x] <= 3:
            value = classes[regions[y, x] - 1]
            if p[value - 1, y, x] > refined[:, y, x].max():
                expected[y, x] = value
    found, owners = merge.with_failed(np.array([1, 2, 3]), classes)
    assert np.array_equal(found, expected)
    free = refined.max(0) == 0
    assert np.array_equal(owners[free], regions[free])
