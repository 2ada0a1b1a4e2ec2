"""Painted pixels join the object that they touch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.datasets import connected
from napari_s2clip.datasets.extend import extend

from .maps import label_maps


def test_only_one_neighbour_of_the_class_takes_them() -> None:
    labels = np.array([[1, 1, 0, 2, 2], [0, 0, 1, 0, 0], [1, 0, 0, 2, 2]])
    ids = np.array([[7, 0, 0, 3, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    # Across the corner too; the lone parts touch nothing.
    want = [[7, 7, 0, 3, 3], [0, 0, 7, 0, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(extend(ids, labels), want)


def test_between_two_they_stay_alone() -> None:
    labels = np.array([[1, 1, 1, 1]])
    np.testing.assert_array_equal(
        extend(np.array([[4, 0, 0, 5]]), labels), [[4, 0, 0, 5]]
    )
    np.testing.assert_array_equal(
        extend(np.array([[4, 0, 0, 4]]), labels), [[4, 4, 4, 4]]
    )


@given(label_maps(), st.integers(0, 2**31 - 1))
def test_what_is_taken_away_from_whole_parts_comes_back(
    labels: np.ndarray, seed: int
) -> None:
    whole, of = connected(labels)
    some = np.where(np.random.default_rng(seed).random(labels.shape) < 0.5, whole, 0)
    found = extend(some, labels)
    kept = np.isin(whole, some[some > 0])
    # Every part touches what is left of it, or nothing is left.
    np.testing.assert_array_equal(found, np.where(kept, whole, 0))
    assert found.dtype == np.int32
    assert set(found[found > 0].tolist()) <= of.keys()
