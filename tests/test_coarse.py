import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip import coarse
from napari_s2clip.classes import ClassEntry, ClassSet
from napari_s2clip.coarse import ClassMaps, classify, resize_rows


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 20),
    st.integers(1, 20),
    st.data(),
)
def test_rows_equal_those_of_the_whole_picture(h, w, height, width, data):
    first = data.draw(st.integers(0, height - 1))
    last = data.draw(st.integers(first + 1, height))
    maps = torch.randn(2, h, w, generator=torch.Generator().manual_seed(h * w))
    whole = F.interpolate(
        maps[None], (height, width), mode="bilinear", align_corners=False
    )[0]
    rows = resize_rows(maps, (height, width), first, last)
    assert torch.allclose(rows, whole[:, first:last], atol=1e-5)


def logits_of(rows: list[list[float]]) -> torch.Tensor:
    """One pixel row: phrases by pixels."""
    return torch.tensor(rows)[:, None, :]


def run(rows, classes, **settings):
    logits = logits_of(rows)
    options = {"logit_scale": 1.0} | settings
    return classify(logits, classes, tuple(logits.shape[1:]), **options)


def labels_of(maps, threshold=0.0, of_classes=()):
    return maps.labels(threshold, of_classes).tolist()


def test_label_is_the_best_class_counted_from_one():
    result = run([[2.0, 0.0], [0.0, 2.0]], ClassSet(["a", "b"]))
    assert labels_of(result) == [[1, 2]]
    assert result.labels(0).dtype == np.uint16
    np.testing.assert_allclose(result.top, result.probabilities.max(0))
    expected = torch.tensor([2.0, 0.0]).softmax(0).numpy()
    np.testing.assert_allclose(result.probabilities[:, 0, 0], expected, rtol=1e-6)


def test_shares_are_divided_by_their_sum():
    result = run([[3.0, 0.0], [1.0, 0.0]], ClassSet(["a", "b"]), logit_scale=None)
    np.testing.assert_allclose(result.probabilities[:, 0, 0], [0.75, 0.25])
    # Nothing speaks for any class there.
    assert result.probabilities[:, 0, 1].tolist() == [0.0, 0.0]


def test_logit_scale_multiplies():
    result = run([[0.1], [0.0]], ClassSet(["a", "b"]), logit_scale=40)
    expected = torch.tensor([4.0, 0.0]).softmax(0).numpy()
    np.testing.assert_allclose(result.probabilities[:, 0, 0], expected, rtol=1e-6)


def test_a_class_takes_its_best_synonym_after_the_softmax():
    classes = ClassSet(["a", "b | c"])
    result = run([[1.0], [0.5], [0.9]], classes)
    p = torch.tensor([1.0, 0.5, 0.9]).softmax(0)
    # The sum of b and c would win; the maximum does not.
    assert p[1] + p[2] > p[0]
    assert labels_of(result) == [[1]]
    np.testing.assert_allclose(result.probabilities[:, 0, 0], [p[0], p[2]], rtol=1e-6)


def test_background_words_win_as_zero():
    classes = ClassSet(["a"], background=["sky", "wall"])
    result = run([[1.0, 0.0], [0.0, 2.0], [0.5, 0.0]], classes)
    assert labels_of(result) == [[1, 0]]
    assert result.top[0, 1] > result.probabilities[0, 0, 1]
    assert result.probabilities.shape == (1, 1, 2)


def test_improbable_pixels_become_background():
    classes = ClassSet(["a", "b"])
    rows = [[3.0, 0.1], [0.0, 0.0]]
    assert labels_of(run(rows, classes), 0.6) == [[1, 0]]
    assert labels_of(run(rows, classes), 0.5) == [[1, 1]]


def test_a_class_may_have_a_threshold_of_its_own():
    rows = [[3.0, 0.4, 0.0, 0.0], [0.0, 0.0, 0.4, 0.0], [0.0, 0.0, 0.0, 3.0]]
    sky = ["sky"]

    def labels(first, second, common=0.0):
        entries = [
            ClassEntry("a", threshold=first),
            ClassEntry("b", threshold=second),
        ]
        classes = ClassSet(entries, sky)
        return labels_of(run(rows, classes), common, classes.thresholds)[0]

    # p of the best class: 0.91, 0.43, 0.43, and the background word wins the last.
    assert labels(0, 0) == [1, 1, 2, 0]
    assert labels(0.5, 0) == [1, 0, 2, 0]
    assert labels(0, 0.5) == [1, 1, 0, 0]
    assert labels(0.95, 0) == [0, 0, 2, 0]
    # The larger one counts.
    assert labels(0.1, 0, common=0.5) == [1, 0, 0, 0]
    assert labels(0.95, 0, common=0.5) == [0, 0, 0, 0]


@given(st.floats(0, 1, width=32))
def test_equal_thresholds_are_the_common_one(threshold):
    top = np.random.default_rng(0).random((6, 7), np.float32)
    top[0, 0] = threshold  # at the limit, too
    winner = np.random.default_rng(1).integers(0, 4, (6, 7)).astype(np.uint16)
    maps = ClassMaps(np.zeros((3, 6, 7), np.float32), top, winner)
    common = maps.labels(threshold)
    assert common.dtype == np.uint16
    assert np.array_equal(common, np.where(top >= threshold, winner, 0))
    assert np.array_equal(
        maps.labels(0.0, [threshold] * 3), np.where(winner, common, 0)
    )
    assert np.array_equal(maps.labels(threshold, [0.0] * 3), common)


def test_blocks_do_not_change_the_result(monkeypatch):
    logits = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0))
    classes = ClassSet(["a", "b | c", "d"])
    options = {"logit_scale": 3.0}
    steps = []
    whole = classify(logits, classes, (23, 17), **options)
    monkeypatch.setattr(coarse, "_BLOCK", 4 * 17 * 3)
    blocks = classify(
        logits, classes, (23, 17), on_rows=lambda *s: steps.append(s), **options
    )
    np.testing.assert_array_equal(whole.winner, blocks.winner)
    np.testing.assert_allclose(whole.top, blocks.top, atol=1e-6)
    np.testing.assert_allclose(whole.probabilities, blocks.probabilities, atol=1e-6)
    assert steps[0] == (3, 23)
    assert steps[-1] == (23, 23)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (40, 3)])
def test_any_image_size(size):
    logits = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))
    result = classify(logits, ClassSet(["a", "b"]), size, logit_scale=40)
    assert result.labels(0).shape == size
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
