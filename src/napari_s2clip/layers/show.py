"""Shows the result of a run as Labels layers of the whole image."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .baseline import Versions
from .boxes import Box, box_of, tiles
from .entry import STAGES, entry_of, our_maps
from .make import describe, insert_labels
from .place import candidates, default_look, look_of, place_for
from .probabilities import show_probabilities
from .regions import add_rows, ids_around, no_rows
from .run import Run
from .state import Rows, State, state_of
from .write import SIDE, Left, Rule, Source, fill, fill_but, is_free, same, update

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..targets import TargetResult

__all__ = ["Shown", "show_result"]


class Shown(dict[str, "Labels"]):
    """Layers by stage.

    Attributes
    ----------
    notes : tuple of str
        What did not go the usual way, for people.
    """

    notes: tuple[str, ...] = ()


def show_result(
    viewer: ViewerModel,
    layer: Image,
    result: TargetResult,
    *,
    edited: Literal["keep", "merge"] = "keep",
    amend: bool | Collection[str] = False,
    stages: Sequence[str] = STAGES,
    between: Callable[[], object] = lambda: None,
) -> Shown:
    """Show a result: a Labels layer a stage, and an image of each class's probability.

    Each layer covers the whole image, and a run writes into the part that it covered.
    Layers of earlier runs are changed in place, with one undo step each; where they
    were edited by hand, the edits stay. How they look stays too.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Image
        The segmented image; it need not be in the viewer any more.
    result : TargetResult
    edited : {"keep", "merge"}
        What is done with a layer that somebody edited where the run writes: it is kept
        as it is and the result gets a layer of its own, with a number, or the result
        goes into those pixels that were not edited. The latter leaves pixels with a
        label alone too where the layer preserves its labels.
    amend : bool or collection of str
        Whether this run takes the place of the one before, as when a threshold is
        dragged: then undo goes back to what was there before the two. Or the stages for
        which it does.
    stages : sequence of str
        Those of "coarse", "regions", "refined" that are shown.
    between : callable, optional
        Called between layers and between parts of 1024 × 1024 pixels, so that a window
        can draw itself while maps are written. It must not change layers.

    Returns
    -------
    Shown
        The layers by stage, with notes.

    Raises
    ------
    ValueError
        If the maps have another size than the target, or ``edited`` or a stage is
        unknown.
    """
    if edited not in ("keep", "merge"):
        raise ValueError(f"edited: {edited!r} is unknown; give 'keep' or 'merge'")
    for stage in stages:
        if stage not in STAGES:
            raise ValueError(f"stages: {stage!r} is unknown; give {', '.join(STAGES)}")
    expected = (len(result.target.planes), *result.target.plane_shape)
    for stage in stages:
        if getattr(result, stage).shape != expected:
            raise ValueError(
                f"result: its maps are {getattr(result, stage).shape} px but the "
                f"target of {layer.name!r} has {expected}; segment the image again"
            )
    amended = stages if amend is True else amend or ()
    work = _Show(Run(viewer, layer, result, between), edited == "merge", amended)
    return work.show(stages)


@dataclass(eq=False)
class _Job:
    """What happens to the layer of one stage."""

    stage: str
    labels: Labels | None = None
    state: State | None = None
    amend: bool = False
    left: Sequence[Left] = ()

    @property
    def rows(self) -> Rows | None:
        """Regions of the layer that the run's are added to."""
        if self.state is None:
            return None
        return self.state.before if self.amend else self.state.rows


class _Show:
    """One call of `show_result`."""

    def __init__(self, run: Run, merge: bool, amend: Collection[str]) -> None:
        self.run = run
        self.merge = merge
        self.amend = amend
        self.notes: list[str] = []

    def show(self, stages: Sequence[str]) -> Shown:
        run = self.run
        selected = set(run.viewer.layers.selection)
        jobs = [self._job(stage) for stage in STAGES if stage in stages]
        first = self._first_id(jobs)
        for job in jobs:
            self._write(job, first)
            run.between()
        group = self._regroup(jobs)
        self._add_regions(jobs, first)
        shown = Shown()
        for job in jobs:
            if job.labels is not None and job.state is not None:
                source = run.source(job.stage, first)
                describe(run, job.labels, job.state, source, group)
                shown[job.stage] = job.labels
        show_probabilities(run)
        shown.notes = tuple(self.notes)
        self._select(selected, shown)
        return shown

    def _regroup(self, jobs: list[_Job]) -> int:
        """Number of the set that the layers make from now on, the highest of all.

        A layer that is kept beside them stays behind in its set; those of stages that
        are not shown go along.
        """
        ours = our_maps(self.run.viewer, self.run.layer)
        group = 1 + max((entry.get("group", 0) for _, entry in ours), default=0)
        mine = [job.labels for job in jobs]
        stages = [job.stage for job in jobs]
        before = {entry.get("group") for labels, entry in ours if labels in mine}
        for labels, entry in ours:
            others = labels not in mine and entry["stage"] not in stages
            if others and entry["group"] in before:
                entry["group"] = group
        return group

    def _job(self, stage: str) -> _Job:
        """Choose the layer that a stage is written into, if there is one."""
        run, kept = self.run, False
        for labels in candidates(run.viewer, run.layer, run.result.target, stage):
            state = state_of(labels)
            assert state is not None
            if self.merge or is_free(labels, state, run.boxes, run.between):
                step = state.step
                amend = (
                    stage in self.amend
                    and step is not None
                    # A run that changed nothing left no step to take the place of.
                    and step.item is not None
                    and list(step.boxes) == run.boxes
                    and step.is_last(labels)
                )
                return _Job(stage, labels, state, amend)
            if not kept:
                self.notes.append(_kept(labels.name))
            kept = True
        return _Job(stage)

    def _first_id(self, jobs: list[_Job]) -> int:
        """Id of the run's first region, such that no other has or had one of them."""
        for job in jobs:
            if job.stage == "regions" and self._same_regions(job.state):
                # They keep their ids, so that nothing changes.
                assert job.state is not None
                assert job.state.rows is not None
                return job.state.rows.first
        return max((job.rows.next for job in jobs if job.rows is not None), default=1)

    def _same_regions(self, state: State | None) -> bool:
        """Whether the last run found the very same regions, with the same classes."""
        if state is None or state.rows is None or state.boxes != self.run.boxes:
            return False
        table = state.rows.table
        last = table[table["region"] >= state.rows.first]["class_id"]
        new = self.run.result.region_table["class_id"]
        return np.array_equal(last, new) and same(
            state, self.run.source("regions", state.rows.first)
        )

    def _write(self, job: _Job, first: int) -> None:
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
            if job.state.owners is None:
                job.state.owners = self.run.new_map(np.int32)
            owners = self.run.source("owners", first)
            fill_but(job.state.owners, owners, job.left)

    def _write_anew(
        self, job: _Job, source: Source, old: Labels, state: State, rule: Rule
    ) -> None:
        """Write where the history of a layer has no room for the change."""
        self.notes.append(f"{old.name}: the change was too large to be undone")
        job.amend = False
        whole = box_of([slice(None)] * old.ndim, old.data.shape)
        if is_free(old, state, [whole], self.run.between):
            place, look, entry = self._index(old), look_of(old), entry_of(old)
            fill(old.data, state, source)
            state.costs.clear()
            self.run.viewer.layers.remove(old)
            self._insert(job, old.data, state, look, place, entry)
        elif rule.merge:
            self.notes.append(_kept(old.name))
            # The edits go along, and are still known as such.
            copy = replace(
                state,
                versions=state.versions.copy(),
                owners=self._copied(state.owners),
                costs=deque(),
            )
            array = self._copied(old.data)
            job.left = fill(array, copy, source, rule=rule)
            self._insert(job, array, copy, look_of(old), None, entry_of(old))
        else:
            self.notes.append(_kept(old.name))
            self._add(job, source)

    def _add(self, job: _Job, source: Source) -> None:
        array = self.run.new_map(source.planes.dtype)
        state = State(Versions(array.shape, array.dtype), self.run.result.classes)
        fill(array, state, source)
        self._insert(job, array, state, default_look(job.stage), None, {})

    def _insert(
        self,
        job: _Job,
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
            run, job.stage, array, state, look=look, place=place, entry=entry
        )
        job.state = state

    def _index(self, labels: Labels) -> int:
        return int(self.run.viewer.layers.index(labels))

    def _copied(self, array: Any) -> Any:
        if array is None:
            return None
        copy = self.run.new_map(array.dtype)
        for part in tiles(box_of([slice(None)] * array.ndim, array.shape), SIDE):
            copy[part] = np.asarray(array[part])
        return copy

    def _add_regions(self, jobs: list[_Job], first: int) -> None:
        """Bring the tables of the layers up to date."""
        run, maps = self.run, []
        for job in jobs:
            if job.stage == "regions" and job.labels is not None:
                maps.append(job.labels.data)
            elif job.stage == "refined" and job.state is not None:
                maps.append(job.state.owners)
        present = {
            position: self._present(box, maps)
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

    def _present(self, box: Box, maps: list[Any]) -> set[int]:
        """Ids of regions in a plane, as far as the run may have left some."""
        shape = self.run.result.target.shape
        covered = all(box[axis] == slice(0, shape[axis]) for axis in self.run.shown)
        if not maps or (covered and not self.merge):
            return set()
        return ids_around(box, self.run.shown, maps)

    def _select(self, selected: set[Any], shown: Shown) -> None:
        """Select the refined map, unless somebody works on another layer."""
        layers = self.run.viewer.layers
        still = selected & set(layers)
        if still - {self.run.layer} or (self.amend and still):
            if set(layers.selection) != still:
                layers.selection = still
        elif shown:
            # Class names are shown on hover for the selected layer.
            layers.selection.active = list(shown.values())[-1]


def _kept(name: str) -> str:
    return f"{name} was edited and stays as it is"
