"""Cores of tiles put together to one plane, and regions joined across the seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..regions.maps import of_class
from ..results import REGION_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from ..classes import ClassSet
    from ..maps import Map
    from ..results import Segmentation
    from ..tiles import Tile

__all__ = ["PlaneStitcher"]

_BLOCK = 1024
"""Sides of the parts whose ids are changed at once, in px, as they lie on disk."""

_FIRST = "first"
"""A column of pieces: number of the first pixel in reading order."""


class PlaneStitcher:
    """Writes tiles of one plane into its maps and numbers the regions.

    A region of a tile is a piece until all tiles are there. Memory grows with the
    number of pieces, not with the plane.

    Parameters
    ----------
    regions, owners : array_like of int32, (planes, H, W)
        Zeros; written here.
    number : int
        Which plane.
    classes : ClassSet
    """

    def __init__(
        self, regions: Map, owners: Map, number: int, classes: ClassSet
    ) -> None:
        self._regions = regions
        self._owners = owners
        self._number = number
        # Background comes first, if it has regions.
        self._order = {name: i for i, name in enumerate(classes.names)}
        self._tiles: list[Tile] = []
        self._tables: list[pd.DataFrame] = []
        self._count = 0

    def add(self, tile: Tile, segmentation: Segmentation) -> None:
        """Write the core of a tile."""
        regions = segmentation.regions[tile.inner]
        owners = segmentation.owners[tile.inner]
        table = segmentation.region_table
        ids = table["region"].to_numpy(np.int64)
        size = int(ids.max(initial=0)) + 1
        areas = np.bincount(regions.ravel(), minlength=size)[ids]
        owned = np.bincount(owners.ravel(), minlength=size)[ids]
        kept = (areas > 0) | (owned > 0) | tile.is_core
        number = np.zeros(size, np.int32)
        number[ids[kept]] = self._count + np.arange(1, kept.sum() + 1)
        here = (self._number, tile.core_rows, tile.core_columns)
        self._regions[here] = number[regions]
        self._owners[here] = number[owners]
        pieces = _Pieces(table[kept].reset_index(drop=True), areas[kept], regions)
        width = self._regions.shape[2]
        self._tables.append(pieces.table(tile, segmentation, width))
        self._tiles.append(tile)
        self._count += int(kept.sum())

    def finish(
        self,
        first_id: int,
        *,
        connected: bool = True,
        check: Callable[[], None] = lambda: None,
    ) -> pd.DataFrame:
        """Join the pieces and number the regions, by class and by first pixel.

        Parameters
        ----------
        first_id : int
            Of the first region.
        connected : bool
            If not, all pieces of a class are one region.
        check : callable
            Called now and then; what it raises ends the work.

        Returns
        -------
        pandas.DataFrame
            `REGION_COLUMNS`, in pixels of the plane.
        """
        import pandas as pd

        pieces = pd.concat(self._tables, ignore_index=True)
        classes = pieces["class_id"].to_numpy()
        if len(self._tiles) == 1:
            # The order of the whole plane, which was found on a coarser grid.
            table = pieces
            new = np.arange(len(pieces))
        else:
            group = classes if not connected else self._join(classes, pieces["area"])
            _, group = np.unique(group, return_inverse=True)
            table = _united(pieces, group)
            order = (
                table["class_name"].map(self._order).where(table["class_id"] > 0, -1)
            )
            ranked = np.lexsort((table[_FIRST], order))
            table = table.iloc[ranked].reset_index(drop=True)
            rank = np.empty(len(ranked), np.int64)
            rank[ranked] = np.arange(len(ranked))
            new = rank[group]
        table["region"] = np.arange(first_id, first_id + len(table))
        self._renumber(np.append(0, new + first_id).astype(np.int32), check)
        return table[list(REGION_COLUMNS)].astype(REGION_COLUMNS)

    def _join(self, classes: NDArray[Any], areas: Any) -> NDArray[np.int32]:
        """The number of each piece's region: pieces of one class that touch."""
        one, other = np.concatenate(
            [np.zeros((2, 0), np.int64), *self._touching(self._regions)], axis=1
        )
        # A piece whose own pixels all lie beyond its core, but not all of its mask.
        alone = np.asarray(areas) == 0
        if alone.any():
            mine, yours = np.concatenate(
                [np.zeros((2, 0), np.int64), *self._touching(self._owners)], axis=1
            )
            chosen = alone[mine] | alone[yours]
            one = np.append(one, mine[chosen])
            other = np.append(other, yours[chosen])
        same = classes[one] == classes[other]
        one, other = one[same], other[same]
        n = len(classes)
        graph = coo_array((np.ones(len(one)), (one, other)), shape=(n, n))
        _, found = connected_components(graph, directed=False)
        return np.asarray(found, np.int32)

    def _touching(self, ids: Map) -> Iterator[NDArray[np.int64]]:
        """Pairs (2, n) of pieces, from 0, that touch across edges and corners."""
        _, height, width = ids.shape
        for tile in self._tiles:
            rows, columns = tile.core_rows, tile.core_columns
            # Of every seam the tile below or to the right takes care.
            if rows.start > 0:
                sides = slice(max(0, columns.start - 1), min(width, columns.stop + 1))
                strip = ids[self._number, rows.start - 1 : rows.start + 1, sides]
                yield _pairs(np.asarray(strip))
            if columns.start > 0:
                sides = slice(max(0, rows.start - 1), min(height, rows.stop + 1))
                strip = ids[self._number, sides, columns.start - 1 : columns.start + 1]
                yield _pairs(np.asarray(strip).T)

    def _renumber(self, new: NDArray[np.int32], check: Callable[[], None]) -> None:
        if (new == np.arange(len(new))).all():
            return
        for ids in (self._regions, self._owners):
            _, height, width = ids.shape
            for row in range(0, height, _BLOCK):
                for column in range(0, width, _BLOCK):
                    check()
                    here = (
                        self._number,
                        slice(row, min(height, row + _BLOCK)),
                        slice(column, min(width, column + _BLOCK)),
                    )
                    ids[here] = new[np.asarray(ids[here])]


class _Pieces:
    """What of a tile's regions lies in its core."""

    def __init__(
        self, table: pd.DataFrame, areas: NDArray[np.int64], regions: NDArray[np.int32]
    ) -> None:
        self._table = table
        self._areas = areas
        self._regions = regions

    def table(self, tile: Tile, segmentation: Segmentation, width: int) -> pd.DataFrame:
        """Rows in pixels of the plane, which is ``width`` px wide."""
        table = self._table.copy()
        rows, columns = tile.inner
        if not tile.is_core:
            self._cut(table, segmentation, rows.start, columns.start)
        table["area"] = self._areas
        for names, first in (
            (["x_min", "x_max", "point_x"], tile.columns.start),
            (["y_min", "y_max", "point_y"], tile.rows.start),
        ):
            table[names] += first
        ids = table["region"].to_numpy()
        firsts = np.full(int(ids.max(initial=0)) + 1, -1, np.int64)
        flat = self._regions.ravel()
        # Of pixels in reading order the first one written last.
        firsts[flat[::-1]] = np.arange(flat.size)[::-1]
        across = self._regions.shape[1]
        at = firsts[ids]
        row = np.where(at < 0, table["point_y"], at // across + tile.core_rows.start)
        column = np.where(
            at < 0, table["point_x"], at % across + tile.core_columns.start
        )
        table[_FIRST] = row.astype(np.int64) * width + column.astype(np.int64)
        return table

    def _cut(
        self, table: pd.DataFrame, segmentation: Segmentation, top: int, left: int
    ) -> None:
        """Boxes and points of regions that lie partly beyond the core."""
        found = ndimage.find_objects(self._regions)
        height, width = self._regions.shape
        positions = {n: i for i, n in enumerate(segmentation.classes.names, 1)}
        for i in np.flatnonzero(
            (self._areas > 0) & (self._areas != table["area"].to_numpy())
        ):
            number = int(table.at[i, "region"])
            rows, columns = found[number - 1]
            table.loc[i, ["y_min", "y_max"]] = top + rows.start, top + rows.stop
            table.loc[i, ["x_min", "x_max"]] = left + columns.start, left + columns.stop
            x, y = table.at[i, "point_x"] - left, table.at[i, "point_y"] - top
            if 0 <= x < width and 0 <= y < height:
                continue
            # The most probable pixel that is left.
            inside = self._regions[rows, columns] == number
            p = of_class(
                segmentation.probabilities,
                int(table.at[i, "class_id"] > 0)
                and positions[table.at[i, "class_name"]],
                (
                    slice(top + rows.start, top + rows.stop),
                    slice(left + columns.start, left + columns.stop),
                ),
            )
            at = np.where(inside, p, -np.inf).argmax()
            y, x = np.unravel_index(int(at), inside.shape)
            table.at[i, "point_y"] = float(top + rows.start + y)
            table.at[i, "point_x"] = float(left + columns.start + x)


def _pairs(strip: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pairs of numbers, from 0, of two rows (2, n) that touch."""
    above, below = strip.astype(np.int64)
    found = np.concatenate(
        [
            np.stack([above, below]),
            np.stack([above[1:], below[:-1]]),
            np.stack([above[:-1], below[1:]]),
        ],
        axis=1,
    )
    found = found[:, (found > 0).all(0) & (found[0] != found[1])]
    return np.unique(found, axis=1) - 1


def _united(pieces: pd.DataFrame, group: NDArray[np.int64]) -> pd.DataFrame:
    """One row a group; that of a single piece stays as it is."""
    areas = pieces["area"].to_numpy(float)
    mean = pieces["mean_probability"].to_numpy()
    score = pieces["sam_score"].to_numpy()
    # A piece without a pixel of its own says nothing where others do.
    best = np.lexsort((-mean, areas == 0, group))
    chosen = best[np.unique(group[best], return_index=True)[1]]
    table = pieces.iloc[chosen].reset_index(drop=True)
    several = np.bincount(group) > 1
    by_group = pieces.groupby(group)
    for name, how in (
        *(("area", "sum"), ("refined", "any"), (_FIRST, "min")),
        *(("x_min", "min"), ("y_min", "min"), ("x_max", "max"), ("y_max", "max")),
    ):
        table[name] = by_group[name].agg(how).to_numpy()
    for name, values in (("mean_probability", mean), ("sam_score", score)):
        known = ~np.isnan(values)
        weights = np.where(known, areas, 0)
        sums = np.bincount(group, np.where(known, values, 0) * areas)
        whole = np.bincount(group, weights)
        found = np.divide(
            sums, whole, out=table[name].to_numpy(copy=True), where=whole > 0
        )
        table[name] = np.where(several, found, table[name])
    return table
