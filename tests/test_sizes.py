"""Sizes as text, in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.sizes import format_size, parse_size, short_number


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000", 1000),
        ("5 GB", 5 * 10**9),
        ("5gb", 5 * 10**9),
        (" 1.5 MB ", 1_500_000),
        ("2 kB", 2000),
        ("12 B", 12),
        ("3TB", 3 * 10**12),
        ("1 KiB", 1024),
        ("1 TiB", 2**40),
        ("0.5 GiB", 2**29),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "GB",
        "5 XB",
        "-1 GB",
        "5 G B",
        "1e9",
        "1,5 GB",
        "nan",
        "٥ GB",
        "9" * 400,
    ],
)
def test_other_texts_are_refused_with_the_name_and_an_example(text):
    with pytest.raises(ValueError, match=r"^LIMIT is .*; write .* 5 GB or 500 MB$"):
        parse_size(text, "LIMIT")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (12_340, "12.3 kB"),
        (123_400, "123 kB"),
        (999_600, "1.00 MB"),
        (10 * 10**9, "10.0 GB"),
        (5000 * 10**12, "5000 TB"),
    ],
)
def test_sizes_are_written_with_three_digits(size, text):
    assert format_size(size) == text


@given(st.integers(0, 10**15))
def test_what_is_written_can_be_read_and_is_close(size):
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.006)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9999, "9999"),
        (10_000, "10.0k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (67_108_864, "67.1M"),
        (12_345_678_901, "12.3G"),
    ],
)
def test_numbers_are_short(number: int, text: str) -> None:
    assert short_number(number) == text
