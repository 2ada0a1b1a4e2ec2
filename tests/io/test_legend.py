from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s2clip.io.legend import Entry, draw_legend, load_font, wrap

FONT = load_font(14)


def width(text):
    return FONT.getbbox(text)[2]


def test_short_names_stay_on_one_line():
    assert wrap("red circle", FONT, 300) == ["red circle"]


def test_words_stay_whole_where_they_fit():
    narrow = width("red circle") - 2
    assert wrap("red circle", FONT, narrow) == ["red", "circle"]


@given(st.text("abc äß漢 ", min_size=1, max_size=60), st.integers(20, 200))
def test_no_letter_is_lost_and_no_line_too_long(text, room):
    lines = wrap(text, FONT, room)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    for line in lines:
        assert width(line) <= room or len(line) == 1


def ink(image):
    """Margins without ink: left, top, right, bottom."""
    dark = (np.asarray(image) < 128).any(-1)
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    height, across = dark.shape
    return columns[0], rows[0], across - 1 - columns[-1], height - 1 - rows[-1]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.text("Wgjy mÄ", min_size=1, max_size=90), min_size=1, max_size=30),
    st.integers(12, 40),
    st.tuples(st.integers(1, 600), st.integers(1, 600)),
)
def test_nothing_is_clipped(names, size, room):
    image = draw_legend([Entry(n, "#000000") for n in names], size=size, room=room)
    assert min(ink(image)) >= 1


def test_longer_names_make_a_wider_legend_up_to_a_limit():
    widths = [
        draw_legend([Entry(text)], size=14, room=(300, 300)).width
        for text in ("cat", "a cat and a dog", "a cat and a dog " * 20)
    ]
    assert widths[0] < widths[1] < widths[2] < 350


def test_columns_start_beside_when_the_first_is_full():
    entries = [Entry(f"name {i}") for i in range(40)]
    low = draw_legend(entries, size=14, room=(300, 2000))
    high = draw_legend(entries, size=14, room=(2000, 300))
    assert low.height <= 300
    assert low.width > 2 * high.width
    assert high.height > 600


def test_frames_without_colour_and_lines_without_frames():
    def drawn(colour):
        image = draw_legend([Entry("i", colour)], size=20, room=(100, 100))
        return (np.asarray(image)[..., 0] < 128).sum()

    assert drawn("") < drawn(None) < drawn("#000000")


@pytest.mark.parametrize("size", [12, 64])
def test_letters_have_the_size_that_was_asked_for(size):
    _, top, _, bottom = load_font(size).getbbox("H")
    assert 0.6 * size < bottom - top < 0.85 * size


def test_no_entries_make_a_blank_strip():
    image = draw_legend([], size=14, room=(100, 100))
    assert (np.asarray(image) == 255).all()
