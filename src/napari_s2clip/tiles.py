"""A plane cut into tiles that overlap, and into their cores, which do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SMALLEST", "Tile", "Tiling"]

SMALLEST: Final = 128
"""Sides of the smallest tiles, in px."""


@dataclass(frozen=True)
class Tile:
    """A part of a plane that is segmented, and what is kept of it.

    Attributes
    ----------
    rows, columns : slice
        What is read, in pixels of the plane.
    core_rows, core_columns : slice
        What is kept, in pixels of the plane too.
    """

    rows: slice
    columns: slice
    core_rows: slice
    core_columns: slice

    @property
    def inner(self) -> tuple[slice, slice]:
        """The core in pixels of the tile."""
        return _shift(self.core_rows, -self.rows.start), _shift(
            self.core_columns, -self.columns.start
        )

    @property
    def is_core(self) -> bool:
        """Whether all of it is kept."""
        return (self.rows, self.columns) == (self.core_rows, self.core_columns)

    def smaller(self, tiling: Tiling) -> tuple[Tile, ...]:
        """Tiles that cover what is kept of this one, and read no more than it."""
        found = []
        shape = (_length(self.rows), _length(self.columns))
        for part in tiling.tiles(shape):
            core_rows = _both(_shift(part.core_rows, self.rows.start), self.core_rows)
            core_columns = _both(
                _shift(part.core_columns, self.columns.start), self.core_columns
            )
            if _length(core_rows) > 0 and _length(core_columns) > 0:
                found.append(
                    Tile(
                        _shift(part.rows, self.rows.start),
                        _shift(part.columns, self.columns.start),
                        core_rows,
                        core_columns,
                    )
                )
        return tuple(found)


@dataclass(frozen=True)
class Tiling:
    """How planes are cut.

    Attributes
    ----------
    tile : int
        Sides of a tile in px; a shorter side of the plane is not cut.
    overlap : int
        What neighbours at least have in common, in px. Half of it is seen beyond the
        edges of what is kept.

    Raises
    ------
    ValueError
        If tiles are too small, or the overlap is more than half of them.
    """

    tile: int = 1024
    overlap: int = 128

    def __post_init__(self) -> None:
        if self.tile < SMALLEST:
            raise ValueError(f"tile: {self.tile} px; choose at least {SMALLEST}")
        if not 0 <= self.overlap <= self.tile // 2:
            raise ValueError(
                f"overlap: {self.overlap} px; choose 0 to {self.tile // 2}, half of a "
                "tile"
            )

    def tiles(self, shape: tuple[int, int]) -> tuple[Tile, ...]:
        """The tiles of a plane, row by row; their cores cover it exactly once.

        Parameters
        ----------
        shape : (int, int)
            Height and width of the plane.
        """
        down, across = (self._cut(length) for length in shape)
        return tuple(
            Tile(rows, columns, core_rows, core_columns)
            for rows, core_rows in down
            for columns, core_columns in across
        )

    def halved(self) -> Tiling | None:
        """Tiles of half the size; None if they would be too small."""
        half = self.tile // 2
        if half < SMALLEST:
            return None
        return Tiling(half, min(self.overlap, half // 2))

    def _cut(self, length: int) -> list[tuple[slice, slice]]:
        """Each part of a side and its core; they begin at even pixels.

        Regions are found on a grid of half the resolution, which so is the same one in
        all tiles.
        """
        if length <= self.tile:
            return [(slice(0, length), slice(0, length))]
        last = -_even(self.tile - length)
        count = -(-last // _even(self.tile - self.overlap)) + 1
        starts = [_even(i * last // (count - 1)) for i in range(count)]
        stops = [min(length, start + self.tile) for start in starts]
        # In the middle of what neighbours have in common.
        cuts = [
            _even((start + stop) // 2)
            for start, stop in zip(starts[1:], stops[:-1], strict=True)
        ]
        return [
            (slice(start, stop), slice(first, end))
            for start, stop, first, end in zip(
                starts, stops, [0, *cuts], [*cuts, length], strict=True
            )
        ]


def _even(number: int) -> int:
    """The largest even number that is not larger."""
    return number - number % 2


def _shift(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _both(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _length(part: slice) -> int:
    return int(part.stop - part.start)
