from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zarr

from napari_s2clip.review import Review
from napari_s2clip.review.pixels import Holdings, Place


class Watched:
    """An array that remembers how much of it was read at once."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.read: list[int] = []

    def __getitem__(self, index: Any) -> Any:
        found = self.array[index]
        self.read.append(np.size(found))
        return found


@pytest.mark.parametrize(
    ("axes", "position"), [((1, 2), (3,)), ((0, 2), (1,)), ((0, 1), (2,))]
)
def test_a_window_lies_on_any_two_axes(
    axes: tuple[int, int], position: tuple[int, ...]
) -> None:
    array = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    place = Place(position, (1, 3), (2, 5), axes)
    (other,) = {0, 1, 2} - set(axes)
    plane = array.take(position[0], axis=other)
    np.testing.assert_array_equal(place.read(array), plane[1:3, 2:5])
    index = place.index(np.arange(6))
    np.testing.assert_array_equal(array[index], plane[1:3, 2:5].ravel())


def test_holders_are_changed_beside_the_array_and_across_blocks() -> None:
    owners = np.zeros((600, 600), np.int32)
    holdings = Holdings(owners, (0, 1))
    place = Place((), (200, 600), (250, 520), (0, 1))
    flat = np.array([0, 270 * 60 + 6, 270 * 399 + 269])
    holdings.write(place, flat, np.array([4, 5, 6]))
    expected = owners.copy()
    expected[200, 250], expected[260, 256], expected[599, 519] = 4, 5, 6
    whole = Place((), (0, 600), (0, 600), (0, 1))
    np.testing.assert_array_equal(holdings.read(whole), expected)
    assert not owners.any()
    # Three of the nine blocks hold something else now.
    assert len(holdings._blocks) == 3


def test_extents_are_of_one_plane_and_ids_may_begin_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Read in bands of two rows.
    monkeypatch.setattr("napari_s2clip.review.pixels._BAND", 10)
    owners = np.zeros((2, 6, 5), np.int32)
    owners[1, 1:5, 2] = 1_000_000
    owners[1, 3, 0] = 1_000_000
    owners[0, 5, 4] = 7
    holdings = Holdings(owners, (1, 2))
    assert holdings.extent(1_000_000, (1,)) == (1, 5, 0, 3)
    assert holdings.extent(1_000_000, (0,)) is None
    assert holdings.extent(7, (0,)) == (5, 6, 4, 5)


def test_an_act_reads_the_region_and_not_the_plane(make_table: Any) -> None:
    regions = np.zeros((3, 400, 400), np.int32)
    regions[1, 10:20, 30:40] = 1
    regions[2, 300:310, 30:40] = 2
    labels = (regions > 0).astype(np.uint16)
    watched = [Watched(array) for array in (regions, labels)]
    owners = Watched(regions.copy())
    review = Review(make_table(regions, [1, 1]), watched[0], owners, watched[1])
    edit = review.reject(1)
    assert [len(axis) for axis in edit.index] == [100, 100, 100]
    assert set(edit.index[0].tolist()) == {1}
    review.take_shape(1, "coarse")
    assert max(watched[0].read + watched[1].read) == 100
    # A plane of the owners is looked through once, the other planes never.
    assert owners.read.count(160_000) == 1
    assert sorted(owners.read)[-2] <= 256 * 256


def test_arrays_on_disk(tmp_path: Any, make_table: Any) -> None:
    regions = np.zeros((2, 30, 40), np.int32)
    regions[1, 10:20, 30:40] = 1
    arrays = []
    for name, dtype in (("regions", "i4"), ("owners", "i4"), ("labels", "u2")):
        array = zarr.create_array(
            tmp_path / name, shape=regions.shape, chunks=(1, 16, 16), dtype=dtype
        )
        array[:] = regions
        arrays.append(array)
    review = Review(make_table(regions, [1]), *arrays)
    edit = review.reassign(1, 2)
    arrays[2].vindex[edit.index] = edit.values
    np.testing.assert_array_equal(arrays[2][:], 2 * (regions > 0))
