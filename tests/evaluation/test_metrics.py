from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_s2clip.evaluation.metrics import IoU, confusion_matrix


def test_by_hand():
    counts = IoU(3)
    counts.accumulate([[0, 1, 1], [2, 2, 1]], [[0, 0, 1], [2, 1, 1]])
    assert counts.confusion.tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]
    # 0: 1 of 2; 1: 2 of 4; 2: 1 of 2.
    assert counts.iou().tolist() == [0.5, 0.5, 0.5]


def test_means_by_hand():
    counts = IoU(4)
    counts.accumulate([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 1])
    # 0: 2 of 3; 1: 2 of 4; 2: predicted but not there, 0 of 1; 3: nowhere.
    np.testing.assert_allclose(counts.iou(), [2 / 3, 1 / 2, 0, np.nan])
    assert counts.mean() == pytest.approx((2 / 3 + 1 / 2) / 3)
    assert counts.mean([0, 1]) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert counts.mean(np.array([1, 3])) == 0.5
    assert np.isnan(counts.mean([3]))
    assert np.isnan(counts.mean([]))


def test_images_add_up():
    counts = IoU(2)
    counts.accumulate([[1]], [[1]])
    counts.accumulate([[0]], [[1]])
    assert counts.iou().tolist() == [0.0, 0.5]


def test_ignored_pixels_do_not_count():
    counts = IoU(2, ignore_index=255)
    counts.accumulate([[1, 0, 77]], [[1, 255, 255]])
    assert counts.iou()[1] == 1
    assert np.isnan(counts.iou()[0])
    assert counts.mean() == 1
    assert counts.mean([1]) == 1


def test_an_ordinary_value_can_be_ignored():
    matrix = confusion_matrix([0, 1, 1], [0, 0, 1], 2, ignore_index=0)
    assert matrix.tolist() == [[0, 0], [0, 1]]


def test_nothing_gives_nothing():
    counts = IoU(2)
    assert np.isnan(counts.mean())
    counts.accumulate(np.zeros((0, 3), int), np.zeros((0, 3), int))
    assert np.isnan(counts.iou()).all()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int32, np.uint64])
def test_narrow_and_wide_dtypes_count_alike(dtype):
    truth = np.array([0, 1, 1], dtype)
    # 300 * 300 labels do not fit into the narrow ones.
    matrix = confusion_matrix(np.array([1, 1, 0], dtype), truth, 300)
    assert matrix[:2, :2].tolist() == [[0, 1], [1, 1]]
    assert matrix.sum() == 3


@given(hnp.arrays(np.uint8, (5, 6), elements=st.integers(0, 3)))
def test_a_map_equals_itself(labels):
    counts = IoU(4)
    counts.accumulate(labels, labels)
    present = np.unique(labels)
    assert (counts.iou()[present] == 1).all()
    assert counts.mean() == 1


@given(hnp.arrays(np.uint16, (2, 4, 5), elements=st.integers(0, 3)))
def test_iou_is_what_sets_say(maps):
    prediction, truth = maps
    counts = IoU(4)
    counts.accumulate(prediction, truth)
    assert counts.confusion.sum() == truth.size
    for value, iou in enumerate(counts.iou()):
        both = (prediction == value) & (truth == value)
        either = (prediction == value) | (truth == value)
        if either.any():
            assert iou == pytest.approx(both.sum() / either.sum())
        else:
            assert np.isnan(iou)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        IoU(2).accumulate([[1]], [[1, 0]])
    with pytest.raises(ValueError, match="prediction has values from 2 to 2"):
        IoU(2).accumulate([[2]], [[1]])
    with pytest.raises(ValueError, match="truth has values from -1"):
        IoU(2).accumulate([[1]], [[-1]])
    with pytest.raises(ValueError, match="prediction has dtype float64"):
        IoU(2).accumulate([[0.5]], [[1]])
    with pytest.raises(ValueError, match="classes: 2 is no label"):
        IoU(2).mean([2])
    with pytest.raises(ValueError, match="classes: -1 is no label"):
        IoU(2).mean([-1])
    for make in (IoU, lambda n: confusion_matrix([0], [0], n)):
        with pytest.raises(ValueError, match="n_labels"):
            make(0)
