"""Puts the map of a stage into its layer, or into a new one."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .baseline import Versions
from .boxes import tiles, whole_of
from .entry import entry_of
from .job import Job
from .make import insert_labels
from .past import keep_owners
from .place import default_look, look_of, place_for
from .run import Run
from .said import Records
from .state import State
from .write import SIDE, Rule, Source, fill, fill_but, is_free, update

if TYPE_CHECKING:
    from napari.layers import Labels

__all__ = ["Putter"]


class Putter:
    """Puts the maps of one run into layers.

    Parameters
    ----------
    run : Run
    merge : bool
        Whether pixels that were edited stay.
    """

    def __init__(self, run: Run, merge: bool) -> None:
        self.run = run
        self.merge = merge
        self.notes: list[str] = []

    def put(self, job: Job, first: int) -> None:
        """Put the map of a job there; ``first`` is the id of the run's first region."""
        source = self.run.source(job.stage, first)
        if job.labels is None or job.state is None:
            self._add(job, source)
        else:
            rule = Rule(self.merge, job.labels.preserve_labels)
            left = update(job.labels, job.state, source, rule=rule, amend=job.amend)
            if left is None:
                self._write_anew(job, source, job.labels, job.state, rule)
            else:
                job.left = left
        if job.stage == "refined" and job.state is not None:
            if not job.amend:
                keep_owners(job.state, self.run.between)
            if job.state.owners is None:
                job.state.owners = self.run.new_map(np.int32)
            owners = self.run.source("owners", first)
            fill_but(job.state.owners, owners, job.left)

    def _write_anew(
        self, job: Job, source: Source, old: Labels, state: State, rule: Rule
    ) -> None:
        """Write where the history of a layer has no room for the change."""
        self.notes.append(f"{old.name}: the change was too large to be undone")
        job.amend = False
        whole = whole_of(old.data.shape)
        if is_free(old, state, [whole], self.run.between):
            place, look, entry = self._index(old), look_of(old), entry_of(old)
            fill(old.data, state, source)
            state.costs.clear()
            self.run.viewer.layers.remove(old)
            self._insert(job, source, old.data, state, look, place, entry)
        elif rule.merge:
            job.kept.append(old)
            # The edits go along, and are still known as such.
            copy = replace(
                state,
                versions=state.versions.copy(),
                owners=self._copied(state.owners),
                costs=deque(),
                aside=False,
            )
            array = self._copied(old.data)
            job.left = fill(array, copy, source, rule=rule)
            job.new = True
            self._insert(job, source, array, copy, look_of(old), None, entry_of(old))
        else:
            job.kept.append(old)
            self._add(job, source)

    def _add(self, job: Job, source: Source) -> None:
        array = self.run.new_map(source.planes.dtype)
        versions = Versions(array.shape, array.dtype)
        state = State(versions, self.run.result.classes, axes=self.run.shown)
        fill(array, state, source)
        job.new = True
        self._insert(job, source, array, state, default_look(job.stage), None, {})

    def _insert(
        self,
        job: Job,
        source: Source,
        array: Any,
        state: State,
        look: dict[str, Any],
        place: int | None,
        entry: dict[str, Any],
    ) -> None:
        run = self.run
        if place is None:
            place = place_for(run.viewer, run.layer, run.result.target.level, job.stage)
        job.labels = insert_labels(
            *(run, job.stage, array, state),
            look=look,
            place=place,
            entry=entry,
            shift=source.shift,
        )
        job.state = state
        # No undo leads to another run.
        state.records = Records()

    def _index(self, labels: Labels) -> int:
        return int(self.run.viewer.layers.index(labels))

    def _copied(self, array: Any) -> Any:
        if array is None:
            return None
        copy = self.run.new_map(array.dtype)
        for part in tiles(whole_of(array.shape), SIDE):
            copy[part] = np.asarray(array[part])
        return copy
