"""Goes back to what an earlier run said of a map, where undo went back to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..maps import new_map
from .baseline import Baseline
from .boxes import tiles, whole_of
from .state import Rows, State
from .write import SIDE

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Labels

__all__ = ["catch_up", "keep_owners", "owners_now", "rows_now"]


def rows_now(labels: Labels, state: State) -> pd.DataFrame:
    """Regions of the run that the labels of a layer belong to; none if unknown."""
    record = state.records.look(labels)
    assert state.rows is not None
    if record is state.records.latest:
        return state.rows.table
    return state.rows.table.iloc[:0] if record is None else record.rows.table


def owners_now(labels: Labels, state: State) -> Any:
    """Owners of the same; None if unknown."""
    record = state.records.look(labels)
    if record is state.records.latest:
        return state.owners
    if record is None or record.owners is None:
        return None
    if record.unpacked is None:
        record.unpacked = _unpacked(record.owners)
    return record.unpacked


def keep_owners(state: State, between: Callable[[], object] = lambda: None) -> None:
    """Remember the owners of the last run, before another one writes its own."""
    latest = state.records.latest
    if latest is None or state.owners is None:
        return
    packed = state.packed
    if packed is None:
        packed = Baseline(tuple(state.owners.shape), np.dtype(state.owners.dtype))
    for box in state.boxes:
        for part in tiles(box, SIDE):
            packed = packed.replaced(part, np.asarray(state.owners[part]))
            between()
    latest.owners = state.packed = packed


def catch_up(labels: Labels, state: State) -> None:
    """Let a run go on from what undo went back to."""
    record = state.records.look(labels)
    if record is state.records.latest or state.rows is None:
        return
    keep_owners(state)
    table = state.rows.table.iloc[:0] if record is None else record.rows.table
    gone = state.rows.all
    # Their ids are not used again; redo may bring them back.
    gone = gone[~gone["region"].isin(table["region"])]
    state.rows = Rows(table, gone, 1 if record is None else record.rows.first)
    state.before = state.rows
    state.boxes = []
    if state.owners is not None:
        empty = Baseline(tuple(state.owners.shape), np.dtype(state.owners.dtype))
        known = None if record is None else record.owners
        state.packed = empty if known is None else known
        state.owners = _unpacked(state.packed)
    state.records.latest, state.strayed = record, True


def _unpacked(owners: Baseline) -> Any:
    array = new_map(owners.shape, owners.dtype)
    for part in tiles(whole_of(owners.shape), SIDE):
        values = owners.read(part)
        if values.any():
            array[part] = values
    return array
