from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.layers import baseline as module
from napari_s2clip.layers.baseline import Baseline, Versions
from napari_s2clip.layers.boxes import box_of, overlap, shape_of, tiles

DTYPE = np.dtype(np.uint16)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIDE", 4)


def test_tiles_are_cut_at_multiples_of_the_side() -> None:
    box = box_of((2, slice(3, 9), slice(4, 7)), (5, 20, 20))
    assert shape_of(box) == (1, 6, 3)
    assert [(t[1].start, t[1].stop, t[2].start, t[2].stop) for t in tiles(box, 4)] == [
        (3, 4, 4, 7),
        (4, 8, 4, 7),
        (8, 9, 4, 7),
    ]
    assert overlap(box, box_of((3, slice(0, 9), slice(0, 9)), (5, 20, 20))) is None


@given(st.data())
def test_a_copy_is_exact(data: Any) -> None:
    shape = (2, 7, 9)
    array = np.zeros(shape, DTYPE)
    baseline = Baseline(shape, DTYPE)
    for _ in range(4):
        box = []
        for length in shape:
            start = data.draw(st.integers(0, length - 1))
            box.append(slice(start, data.draw(st.integers(start + 1, length))))
        seed, top = data.draw(st.integers(0, 99)), data.draw(st.sampled_from([1, 2, 9]))
        values = np.random.default_rng(seed).integers(0, top, shape_of(tuple(box)))
        array[tuple(box)] = values
        older, before = baseline, baseline.read(box_of([slice(None)] * 3, shape))
        baseline = baseline.replaced(tuple(box), values.astype(DTYPE))
        np.testing.assert_array_equal(
            older.read(box_of([slice(None)] * 3, shape)), before
        )
    whole = box_of([slice(None)] * 3, shape)
    np.testing.assert_array_equal(baseline.read(whole), array)
    assert baseline.nbytes <= array.nbytes


def test_a_copy_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIDE", 512)
    rows, columns = np.indices((1024, 1024)) // 64
    array = (rows + columns).astype(DTYPE)
    whole = box_of([slice(None)] * 2, array.shape)
    baseline = Baseline(array.shape, DTYPE).replaced(whole, array)
    assert baseline.nbytes < array.nbytes / 15
    assert not baseline.replaced(whole, np.zeros_like(array)).nbytes


def test_an_older_version_counts_block_by_block() -> None:
    shape = (4, 8)
    whole = box_of([slice(None)] * 2, shape)
    versions = Versions(shape, DTYPE)
    ones = np.ones(shape, DTYPE)
    versions.add(versions.last.replaced(whole, ones))
    versions.add(versions.last.replaced(whole, 2 * ones))
    mixed = ones.copy()
    mixed[:, 4:] = 2
    assert not versions.is_edited(mixed, whole)
    mixed[0, 0] = 2  # neither 1 nor 2 everywhere in its block
    assert versions.is_edited(mixed, whole)
    nearest = versions.nearest((slice(0, 4), slice(0, 4)), mixed[:, :4])
    assert (nearest == 1).all()
    versions.forget()
    assert versions.is_edited(ones, whole)
    assert not versions.is_edited(2 * ones, whole)
    # Other pixels altogether.
    assert versions.is_edited(2 * ones[:2], whole)
    assert versions.is_edited(2 * ones.astype(np.int32), whole)
