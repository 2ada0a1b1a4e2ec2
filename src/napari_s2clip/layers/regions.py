"""The table of the regions of a layer, over all runs that wrote into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .boxes import Box, tiles
from .state import Rows

if TYPE_CHECKING:
    import pandas as pd

    from ..planes import Plane

__all__ = ["add_rows", "ids_around", "no_rows", "position_of"]

_PAST: Final = 10_000
"""How many regions of earlier runs are kept for undo."""

_SIDE: Final = 1024


def position_of(plane: Plane) -> tuple[int, ...]:
    """Indices of a plane on the hidden axes of the layer."""
    return tuple(part for part in plane.at if not isinstance(part, slice))


def no_rows(table: pd.DataFrame) -> Rows:
    """No regions, with the columns of a table."""
    return Rows(table.iloc[:0], table.iloc[:0], 1)


def ids_around(box: Box, shown: Sequence[int], maps: Sequence[Any]) -> set[int]:
    """Ids of regions in the whole plane of a box."""
    plane = tuple(
        slice(0, maps[0].shape[axis]) if axis in shown else part
        for axis, part in enumerate(box)
    )
    found: set[int] = set()
    for part in tiles(plane, _SIDE):
        for array in maps:
            found.update(np.unique(np.asarray(array[part])).tolist())
    return found


def add_rows(
    old: Rows,
    new: pd.DataFrame,
    first: int,
    present: dict[tuple[int, ...], set[int]],
) -> Rows:
    """Regions of a layer after a run.

    Parameters
    ----------
    old : Rows
        Before the run.
    new : pandas.DataFrame
        Regions of the run, with ids from 1 on.
    first : int
        The id that the first of them has in the layer.
    present : dict
        For each position that the run covered the ids that are there now.
    """
    new = new.assign(region=new["region"] + (first - 1))
    table = old.table[~old.table["region"].isin(new["region"])]
    kept = np.array(
        [
            position not in present or region in present[position]
            for region, position in zip(
                table["region"].tolist(), map(tuple, table["position"]), strict=True
            )
        ],
        bool,
    )
    gone = table[~kept]
    table = _joined(table[kept], new)
    past = _joined(old.past[~old.past["region"].isin(table["region"])], gone)
    positions = list(map(tuple, table["position"]))
    number = {position: i for i, position in enumerate(sorted(set(positions)))}
    table["plane"] = np.array([number[p] for p in positions], np.int64)
    return Rows(table, past.iloc[-_PAST:], first)


def _joined(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    # pandas warns where one of them is empty, and may change the dtypes.
    parts = [part for part in (one, other) if len(part)] or [other]
    return pd.concat(parts, ignore_index=True)
