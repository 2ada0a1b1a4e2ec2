from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.tiles import SMALLEST, Tile, Tiling

sides = st.integers(1, 3000)


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    tile = draw(st.integers(SMALLEST, 1500))
    return Tiling(tile, draw(st.integers(0, tile // 2)))


def cover(tiles: tuple[Tile, ...], shape: tuple[int, int]) -> np.ndarray:
    """How many cores each pixel is in."""
    count = np.zeros(shape, np.uint8)
    for tile in tiles:
        count[tile.core_rows, tile.core_columns] += 1
    return count


def within(inner: slice, outer: slice) -> bool:
    return outer.start <= inner.start < inner.stop <= outer.stop


@given(sides, sides, tilings())
def test_cores_cover_the_plane_exactly_once(h: int, w: int, tiling: Tiling) -> None:
    tiles = tiling.tiles((h, w))
    assert (cover(tiles, (h, w)) == 1).all()
    for tile in tiles:
        assert within(tile.core_rows, tile.rows)
        assert within(tile.core_columns, tile.columns)
        size = tile.rows.stop - tile.rows.start
        assert min(h, tiling.tile) - 1 <= size <= min(h, tiling.tile)
        # Where the grid of half resolution has an edge too.
        starts = (tile.rows, tile.columns, tile.core_rows, tile.core_columns)
        assert not any(part.start % 2 for part in starts)
        assert within(tile.rows, slice(0, h))


@given(st.integers(1, 20_000), tilings())
def test_neighbours_have_the_overlap_in_common(length: int, tiling: Tiling) -> None:
    parts = [tile.columns for tile in tiling.tiles((1, length))]
    cores = [tile.core_columns for tile in tiling.tiles((1, length))]
    for (one, other), (core, _) in zip(pairwise(parts), pairwise(cores), strict=True):
        assert one.stop - other.start >= tiling.overlap
        # About half of it lies beyond the edge of the core, on both sides.
        assert one.stop - core.stop >= tiling.overlap // 2
        assert core.stop - other.start >= tiling.overlap // 2 - 2


@given(sides, sides, tilings(), st.integers(SMALLEST, 700))
def test_smaller_tiles_cover_the_same_core(
    h: int, w: int, tiling: Tiling, size: int
) -> None:
    small = Tiling(size, size // 4)
    for tile in tiling.tiles((h, w))[:4]:
        parts = tile.smaller(small)
        count = cover(parts, (h, w))
        assert (count[tile.core_rows, tile.core_columns] == 1).all()
        assert count.sum() == count[tile.core_rows, tile.core_columns].size
        assert all(within(part.rows, tile.rows) for part in parts)


def test_small_plane_is_one_tile_that_is_kept_whole() -> None:
    (tile,) = Tiling(1024, 128).tiles((1024, 30))
    assert tile.is_core
    assert tile.inner == (slice(0, 1024), slice(0, 30))


def test_tiles_are_spread_evenly() -> None:
    tiles = Tiling(1000, 100).tiles((10, 2000))
    assert [t.columns.start for t in tiles] == [0, 500, 1000]
    assert [t.core_columns.start for t in tiles] == [0, 750, 1250]
    assert tiles[1].inner == (slice(0, 10), slice(250, 750))


def test_no_more_tiles_than_needed() -> None:
    assert len(Tiling(1024, 128).tiles((8192, 8192))) == 81


def test_halves_end_at_the_smallest_tile() -> None:
    half = Tiling(512, 256).halved()
    assert half == Tiling(256, 128)
    assert half.halved() == Tiling(128, 64)
    assert Tiling(128, 0).halved() is None


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (100, 0, r"^tile: 100 px; choose at least 128$"),
        (512, 257, r"^overlap: 257 px; choose 0 to 256, half of a tile$"),
        (512, -1, r"^overlap: -1 px"),
    ],
)
def test_tiling_says_what_is_wrong(tile: int, overlap: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tiling(tile, overlap)
