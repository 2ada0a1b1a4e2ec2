from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_s2clip.edits import Edit


@pytest.mark.parametrize(
    ("at", "places"),
    [
        ((slice(1, 3), slice(2, 4)), [(1, 2), (2, 3)]),
        ((5, slice(1, 3), slice(2, 4)), [(5, 1, 2), (5, 2, 3)]),
        ((slice(1, 3), 5, slice(2, 4)), [(1, 5, 2), (2, 5, 3)]),
        ((slice(None, 2), slice(None)), [(0, 0), (1, 1)]),
    ],
)
def test_places_of_a_mask(at: Any, places: list[tuple[int, ...]]) -> None:
    mask = np.array([[True, False], [False, True]])
    edit = Edit.of(at, mask, np.array([[7, 8], [9, 10]]))
    assert list(zip(*(part.tolist() for part in edit.index), strict=True)) == places
    assert edit.values.tolist() == [7, 10]
    assert len(edit) == 2
    assert Edit.of(at, mask, 3).values == 3


@pytest.mark.parametrize("values", [[1], 1])
def test_lengths_must_agree(values: Any) -> None:
    index = (np.array([0, 1]), np.array([0]))
    with pytest.raises(ValueError, match=r"index: .* one length, got \[1, 2\]"):
        Edit(index, values if isinstance(values, int) else np.array(values))


@pytest.mark.parametrize(
    ("values", "now", "places"),
    [
        (7, [7, 7, 7], [1, 2, 4]),
        (7, [7, 3, 7], [1, 4]),  # somebody painted 3
        (np.array([7, 8, 9]), [7, 8, 8], [1, 2]),
        (7, [0, 0, 0], []),  # undone elsewhere
    ],
)
def test_an_edit_is_taken_back_where_nothing_was_changed_since(
    values: Any, now: list[int], places: list[int]
) -> None:
    before = np.array([10, 20, 40])
    edit = Edit((np.array([1, 2, 4]),), values)
    found = edit.taken_back(before, np.array(now))
    assert found.index[0].tolist() == places
    assert found.values.tolist() == [10 * place for place in places]
