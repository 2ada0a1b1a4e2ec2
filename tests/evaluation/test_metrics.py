import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_s2clip.evaluation.metrics import IoU


def test_by_hand():
    counts = IoU(3)
    counts.accumulate([[0, 1, 1], [2, 2, 1]], [[0, 0, 1], [2, 1, 1]])
    # 0: 1 of 2; 1: 2 of 4; 2: 1 of 2.
    assert counts.iou().tolist() == [0.5, 0.5, 0.5]
    assert counts.confusion.tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]


def test_images_add_up():
    counts = IoU(2)
    counts.accumulate([[1]], [[1]])
    counts.accumulate([[0]], [[1]])
    assert counts.iou().tolist() == [0.0, 0.5]


def test_ignored_pixels_do_not_count():
    counts = IoU(2, ignore_index=255)
    counts.accumulate([[1, 0]], [[1, 255]])
    assert counts.iou()[1] == 1
    assert np.isnan(counts.iou()[0])
    assert counts.mean() == 1
    assert counts.mean([1]) == 1


@given(hnp.arrays(np.uint8, (5, 6), elements=st.integers(0, 3)))
def test_a_map_equals_itself(labels):
    counts = IoU(4)
    counts.accumulate(labels, labels)
    present = np.unique(labels)
    assert (counts.iou()[present] == 1).all()
    assert counts.mean() == 1


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        IoU(2).accumulate([[1]], [[1, 0]])
    with pytest.raises(ValueError, match="prediction has values from 2 to 2"):
        IoU(2).accumulate([[2]], [[1]])
    with pytest.raises(ValueError, match="truth has values from -1"):
        IoU(2).accumulate([[1]], [[-1]])
    with pytest.raises(ValueError, match="n_labels"):
        IoU(0)
