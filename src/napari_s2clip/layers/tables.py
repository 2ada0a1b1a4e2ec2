"""Ids and tables of regions, for all layers that a run writes into."""

from __future__ import annotations

from typing import Any

import numpy as np

from .boxes import Box
from .job import Job
from .regions import add_rows, ids_around, no_rows
from .run import Run
from .state import Rows, State
from .write import same

__all__ = ["add_regions", "first_id"]


def first_id(run: Run, jobs: list[Job]) -> int:
    """Id of the run's first region, such that no other has or had one of them."""
    for job in jobs:
        if job.stage == "regions" and _same_regions(run, job.state):
            # They keep their ids, so that nothing changes.
            assert job.state is not None
            assert job.state.rows is not None
            return job.state.rows.first
    return max((job.rows.next for job in jobs if job.rows is not None), default=1)


def _same_regions(run: Run, state: State | None) -> bool:
    """Whether the last run found the very same regions, with the same classes."""
    if state is None or state.rows is None or state.boxes != run.boxes:
        return False
    table = state.rows.table
    last = table[table["region"] >= state.rows.first]["class_id"]
    new = run.result.region_table["class_id"]
    return np.array_equal(last, new) and same(
        state, run.source("regions", state.rows.first)
    )


def add_regions(run: Run, jobs: list[Job], first: int) -> None:
    """Bring the tables of the layers up to date."""
    maps: list[Any] = []
    # Where everything was written, nothing of earlier runs is left.
    left = any(job.left for job in jobs if job.stage in ("regions", "refined"))
    for job in jobs:
        if job.stage == "regions" and job.labels is not None:
            maps.append(job.labels.data)
        elif job.stage == "refined" and job.state is not None:
            maps.append(job.state.owners)
    present = {
        position: _present(run, box, maps, left)
        for position, box in zip(run.positions, run.boxes, strict=True)
    }
    table = run.result.region_table
    nothing = no_rows(table)
    done: dict[int, Rows] = {}
    for job in jobs:
        assert job.state is not None
        before = job.rows or nothing
        # Layers that belong together have one table.
        if id(before) not in done:
            done[id(before)] = add_rows(before, table, first, present)
        job.state.before, job.state.rows = before, done[id(before)]


def _present(run: Run, box: Box, maps: list[Any], left: bool) -> set[int]:
    """Ids of regions in a plane, as far as the run may have left some."""
    shape = run.result.target.shape
    covered = all(box[axis] == slice(0, shape[axis]) for axis in run.shown)
    if not maps or (covered and not left):
        return set()
    return ids_around(box, run.shown, maps)
