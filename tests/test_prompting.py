from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_s2clip.prompt_edits import commit, label_around
from napari_s2clip.prompting import Found, PromptSession, Window, choose_window


@pytest.fixture
def session() -> PromptSession:
    return PromptSession((10, 20))


def test_prompts_are_taken_back_one_by_one(session: PromptSession) -> None:
    session.add_click(3, 4)
    session.add_click(5, 6, positive=False)
    session.set_box(9, 8, 1, 2)
    assert session.prompts.box == (1, 2, 9, 8)
    everything = session.prompts
    assert session.undo()
    assert session.prompts.box is None
    assert [c.positive for c in session.prompts.clicks] == [True, False]
    assert session.undo()
    assert session.undo()
    assert not session.prompts
    assert not session.undo()
    for _ in range(3):
        assert session.redo()
    assert session.prompts == everything
    assert not session.redo()


def test_a_new_prompt_ends_what_could_be_brought_back(session: PromptSession) -> None:
    session.add_click(3, 4)
    session.undo()
    session.add_click(7, 7)
    assert not session.redo()
    assert session.prompts.clicks[0].x == 7


def test_clearing_can_be_undone_and_beginning_anew_cannot(
    session: PromptSession,
) -> None:
    session.add_click(3, 4)
    session.clear()
    assert not session.prompts
    assert session.undo()
    assert session.prompts
    session.begin_anew()
    assert not session.prompts
    assert not session.undo()


def test_there_is_one_box_at_most(session: PromptSession) -> None:
    session.set_box(0, 0, 4, 4)
    session.set_box(1, 1, 5, 5)
    assert session.prompts.box == (1, 1, 5, 5)
    session.undo()
    assert session.prompts.box == (0, 0, 4, 4)


@pytest.mark.parametrize(("x", "y"), [(-0.1, 3), (20.5, 3), (3, 10.5), (3, -1)])
def test_what_is_outside_the_image_is_refused(
    session: PromptSession, x: float, y: float
) -> None:
    with pytest.raises(ValueError, match="outside the image"):
        session.add_click(x, y)
    with pytest.raises(ValueError, match="outside the image"):
        session.set_box(1, 1, x, y)
    assert not session.prompts


def test_a_box_has_an_area(session: PromptSession) -> None:
    with pytest.raises(ValueError, match="no area"):
        session.set_box(3, 4, 3, 9)


def test_only_what_is_outside_says_nothing_of_the_object(
    session: PromptSession,
) -> None:
    session.add_click(3, 4, positive=False)
    assert session.prompts
    assert not session.prompts.complete
    session.add_click(5, 6)
    assert session.prompts.complete
    session.clear()
    session.set_box(0, 0, 4, 4)
    assert session.prompts.complete


def test_sam_is_told_pixels_of_the_window(session: PromptSession) -> None:
    session.add_click(5, 6)
    session.add_click(7.5, 6, positive=False)
    session.set_box(4, 3, 9, 8)
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2:4] = True
    session.set_start(mask, top=3, left=4)
    given = session.prompts.arguments(Window(2, 3, 9, 18))
    np.testing.assert_array_equal(given["points"], [(2, 4), (4.5, 4)])
    np.testing.assert_array_equal(given["labels"], [1, 0])
    np.testing.assert_array_equal(given["box"], (1, 1, 6, 6))
    assert given["mask"].shape == (7, 15)
    np.testing.assert_array_equal(
        np.argwhere(given["mask"]), [(2, 3), (2, 4), (3, 3), (3, 4)]
    )
    assert session.prompts.bounds == (4, 3, 9, 8)


def test_only_what_is_given_is_told(session: PromptSession) -> None:
    session.add_click(5, 6)
    assert set(session.prompts.arguments(Window(0, 0, 10, 20))) == {"points", "labels"}


def test_an_empty_start_is_refused(session: PromptSession) -> None:
    with pytest.raises(ValueError, match="empty"):
        session.set_start(np.zeros((3, 3), bool))


@pytest.mark.parametrize(
    ("shape", "centre", "bounds", "expected"),
    [
        # A small plane is taken whole, wherever one looks.
        ((10, 20), (99, -5), None, (0, 0, 10, 20)),
        ((100, 100), (50, 50), None, (34, 34, 66, 66)),
        # At the border it is pushed inside, not made smaller.
        ((100, 100), (0, 99), None, (68, 0, 100, 32)),
        ((20, 100), (50, 50), None, (0, 34, 20, 66)),
        # Prompts count more than the view.
        ((100, 100), (0, 0), (60, 40, 60, 40), (24, 44, 56, 76)),
        # Those far apart get room around them.
        ((200, 200), (0, 0), (80, 90, 120, 90), (60, 70, 120, 130)),
    ],
)
def test_the_window_lies_around_what_is_in_sight(
    shape: Any, centre: Any, bounds: Any, expected: Any
) -> None:
    window = choose_window(shape, centre, bounds, side=32)
    assert window.corners == expected
    if bounds is not None:
        assert window.holds(*bounds)


def test_prompts_of_the_whole_of_a_large_image_are_refused() -> None:
    with pytest.raises(ValueError, match="5000 px apart, more than 4096"):
        choose_window((9000, 9000), (0, 0), (0, 0, 5000, 10))


def found(mask: Any, top: int = 0, left: int = 0) -> Found:
    mask = np.array(mask, bool)
    height, width = mask.shape
    return Found(Window(top, left, top + height, left + width), mask, 0.9)


def apply(labels: np.ndarray, edit: Any) -> np.ndarray:
    labels = labels.copy()
    labels[edit.index] = edit.values
    return labels


@pytest.mark.parametrize(
    ("value", "overwrite", "expected"),
    [
        (2, False, [[1, 2, 2], [3, 2, 0]]),
        (2, True, [[2, 2, 2], [2, 2, 0]]),
        (0, False, [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_a_commit_takes_background_or_everything(
    value: int, overwrite: bool, expected: Any
) -> None:
    labels = np.array([[1, 0, 2], [3, 0, 0]], np.uint16)
    edit = commit(
        found([[1, 1, 1], [1, 1, 0]]),
        labels,
        (slice(0, 2), slice(0, 3)),
        value,
        overwrite=overwrite,
    )
    np.testing.assert_array_equal(apply(labels, edit), expected)


def test_only_pixels_that_change_are_in_the_edit() -> None:
    labels = np.array([[2, 0]], np.uint16)
    at = slice(0, 1), slice(0, 2)
    edit = commit(found([[1, 1]]), labels, at, 2)
    assert edit is not None
    assert [part.tolist() for part in edit.index] == [[0], [1]]
    assert commit(found([[1, 0]]), labels, at, 2) is None
    assert commit(found([[0, 0]]), labels, at, 1) is None


def test_the_edit_is_shifted_into_the_whole_layer() -> None:
    labels = np.zeros((2, 9, 5, 8), np.uint16)
    # Rows and columns are axes 1 and 3; the plane begins at row 2 and column 1.
    at = 1, slice(2, 9), 4, slice(1, 8)
    edit = commit(found([[0, 1], [1, 1]], top=3, left=2), labels, at, 7)
    changed = np.argwhere(apply(labels, edit))
    assert changed.tolist() == [[1, 5, 4, 4], [1, 6, 4, 3], [1, 6, 4, 4]]


def test_only_what_the_mask_covers_is_read() -> None:
    class Lazy:
        dtype = np.dtype(np.uint16)
        shape = (9000, 9000)
        asked: tuple[slice, ...] = ()

        def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
            self.asked = index
            return np.zeros([part.stop - part.start for part in index], np.uint16)

    lazy = Lazy()
    mask = np.zeros((1000, 1000), bool)
    mask[10:12, 20:23] = True
    at = slice(0, 9000), slice(0, 9000)
    edit = commit(found(mask, top=5000, left=100), lazy, at, 1)
    assert lazy.asked == (slice(5010, 5012), slice(120, 123))
    assert edit is not None
    assert len(edit.index[0]) == 6


def test_a_class_that_the_layer_cannot_hold_is_refused() -> None:
    labels = np.zeros((2, 2), np.uint8)
    at = slice(0, 2), slice(0, 2)
    with pytest.raises(ValueError, match="class id 300: the layer holds 0 to 255"):
        commit(found([[1, 1]]), labels, at, 300)


def test_a_mask_outside_the_layer_is_refused() -> None:
    labels = np.zeros((1, 2), np.uint8)
    at = slice(0, 2), slice(0, 2)
    with pytest.raises(ValueError, match="outside the layer, whose axis 0 has 1 px"):
        commit(found([[1, 1], [1, 1]]), labels, at, 3)


def test_the_label_around_a_point_is_one_piece_of_its_class() -> None:
    labels = np.zeros((2, 5, 6), np.uint16)
    labels[1, 1:3, 2:4] = 7
    labels[1, 1, 4] = 8
    labels[1, 4, 5] = 7
    # The plane begins at the second row and column.
    at = 1, slice(1, 5), slice(1, 6)
    mask, top, left = label_around(labels, at, (2.5, 0.5))
    assert (mask.tolist(), top, left) == ([[True, True], [True, True]], 0, 1)
    for point in ((0.5, 0.5), (-1, 0), (9, 9)):
        with pytest.raises(ValueError, match="no label under the pointer"):
            label_around(labels, at, point)
