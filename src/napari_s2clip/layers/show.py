"""Shows the result of a run as Labels layers of the whole image."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..maps import new_map
from .baseline import Versions
from .boxes import Box, box_of, tiles
from .entry import KEY, STAGES, entry_of, our_maps
from .legend import Legend, label_colormap
from .place import candidates, default_look, look_of, place_for, put_on, title
from .probabilities import show_probabilities
from .regions import add_rows, ids_around, no_rows, position_of
from .state import Rows, State, remember, state_of
from .tell import shares, show_legend
from .write import SIDE, Left, Rule, Source, fill, is_free, same, update

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
    amend: bool = False,
    stages: Sequence[str] = STAGES,
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
    amend : bool
        Whether this run takes the place of the one before, as when a threshold is
        dragged: then undo goes back to what was there before the two.
    stages : sequence of str
        Those of "coarse", "regions", "refined" that are shown.

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
    return _Show(viewer, layer, result, edited == "merge", amend).run(stages)


@dataclass(eq=False)
class _Job:
    """What happens to the layer of one stage."""

    stage: str
    source: Source
    labels: Labels | None = None
    state: State | None = None
    amend: bool = False
    new: bool = False
    left: Sequence[Left] = ()

    @property
    def rows(self) -> Rows | None:
        """Regions of the layer that the run's are added to."""
        if self.state is None:
            return None
        return self.state.before if self.amend else self.state.rows


class _Show:
    """One call of `show_result`."""

    def __init__(
        self,
        viewer: ViewerModel,
        layer: Image,
        result: TargetResult,
        merge: bool,
        amend: bool,
    ) -> None:
        self.viewer = viewer
        self.layer = layer
        self.result = result
        self.merge = merge
        self.amend = amend
        target = result.target
        self.boxes = [box_of(plane.at, target.shape) for plane in target.planes]
        at = target.planes[0].at
        rows, columns = (a for a, part in enumerate(at) if isinstance(part, slice))
        self.shown = (rows, columns)
        self.notes: list[str] = []

    def run(self, stages: Sequence[str]) -> Shown:
        selected = set(self.viewer.layers.selection)
        groups = [entry["group"] for _, entry in our_maps(self.viewer, self.layer)]
        jobs = [self._job(stage) for stage in STAGES if stage in stages]
        had = {entry["stage"] for _, entry in our_maps(self.viewer, self.layer)}
        first = self._first_id(jobs)
        for job in jobs:
            if job.stage == "regions" and first > 1:
                job.source = self._source("regions", first - 1)
            self._write(job)
        # Stages that belong together; one that had to be made anew starts a new set.
        group = max(groups, default=0)
        if not groups or any(job.new and job.stage in had for job in jobs):
            group += 1
        for job in jobs:
            if job.stage == "refined":
                self._add_owners(job, first)
        self._add_regions(jobs, first)
        for job in jobs:
            self._describe(job, group)
        show_probabilities(self.viewer, self.layer, self.result, self.boxes, self.shown)
        shown = Shown({job.stage: job.labels for job in jobs if job.labels is not None})
        shown.notes = tuple(self.notes)
        self._select(selected, shown)
        return shown

    def _source(self, stage: str, shift: int = 0) -> Source:
        return Source(getattr(self.result, stage), self.boxes, self.shown, shift)

    def _job(self, stage: str) -> _Job:
        job = _Job(stage, self._source(stage))
        kept = []
        for labels, _ in candidates(self.viewer, self.layer, self.result.target, stage):
            state = state_of(labels)
            assert state is not None
            if self.merge or is_free(labels, state, self.boxes):
                job.labels, job.state = labels, state
                job.amend = self._can_amend(labels, state)
                return job
            kept.append(labels.name)
        if kept:
            self.notes.append(f"{kept[0]} was edited and stays as it is")
        return job

    def _can_amend(self, labels: Labels, state: State) -> bool:
        step = state.step
        return (
            self.amend
            and step is not None
            and list(step.boxes) == self.boxes
            and step.is_last(labels)
        )

    def _first_id(self, jobs: list[_Job]) -> int:
        """Id of the run's first region, such that no other has or had one of them."""
        for job in jobs:
            # Regions that are as before keep their ids, so that nothing changes.
            if job.stage == "regions" and job.state is not None and job.state.rows:
                first = job.state.rows.first
                if job.state.boxes == self.boxes and same(
                    job.state, self._source("regions", first - 1)
                ):
                    return first
        return max((job.rows.next for job in jobs if job.rows is not None), default=1)

    def _write(self, job: _Job) -> None:
        if job.labels is None or job.state is None:
            self._add(job)
            return
        rule = Rule(self.merge, job.labels.preserve_labels)
        left = update(job.labels, job.state, job.source, rule=rule, amend=job.amend)
        if left is None:
            self._write_anew(job, job.labels, job.state, rule)
        else:
            job.left = left

    def _write_anew(self, job: _Job, old: Labels, state: State, rule: Rule) -> None:
        """Put a layer in the place of one whose history has no room for the change."""
        self.notes.append(f"{old.name}: the change was too large to be undone")
        job.amend = False
        whole = box_of([slice(None)] * old.ndim, old.data.shape)
        if not state.versions.is_edited(old.data, whole):
            fill(old.data, state, job.source)
            place, look = self.viewer.layers.index(old), look_of(old)
            entry = entry_of(old)
            self.viewer.layers.remove(old)
            state.costs.clear()
            self._insert(job, old.data, state, look, place, entry)
            return
        self.notes.append(f"{old.name} was edited and stays as it is")
        if not rule.merge:
            self._add(job)
            return
        array = self._new_map(job)
        for part in tiles(whole, SIDE):
            array[part] = np.asarray(old.data[part])
        # The edits go along, and are still known as such.
        copy = replace(state, versions=state.versions.copy(), costs=deque())
        job.left = fill(array, copy, job.source, rule=rule)
        self._insert(job, array, copy, look_of(old), entry=entry_of(old))

    def _new_map(self, job: _Job) -> Any:
        shape, dtype = self.result.target.shape, job.source.planes.dtype
        return new_map(shape, dtype, plane=self.shown)

    def _add(self, job: _Job) -> None:
        array = self._new_map(job)
        state = State(Versions(array.shape, array.dtype), self.result.classes)
        fill(array, state, job.source)
        self._insert(job, array, state, default_look(job.stage))

    def _insert(
        self,
        job: _Job,
        array: Any,
        state: State,
        look: dict[str, Any],
        place: int | None = None,
        entry: dict[str, Any] | None = None,
    ) -> None:
        """Put a new layer into the list."""
        from napari.layers import Labels

        if place is None:
            place = place_for(self.viewer, self.layer, job.stage)
        state.placement = self.result.target.placement
        state.colours = {}
        visible = look.pop("visible")
        labels = Labels(
            array,
            name=f"{title(self.layer, self.result.target)} {job.stage}",
            colormap=label_colormap({}),
            **self.result.target.placement,
        )
        for name, value in look.items():
            setattr(labels, name, value)
        # A layer that was never visible has no slice, and `data_setitem` needs one.
        labels.visible = visible
        labels.metadata = {
            KEY: {
                **(entry or {}),
                "stage": job.stage,
                "image": str(self.layer.unique_id),
                "layer": str(labels.unique_id),
            }
        }
        self.viewer.layers.insert(place, labels)
        remember(labels, state)
        job.labels, job.state, job.new = labels, state, True

    def _add_owners(self, job: _Job, first: int) -> None:
        """Keep which region gave each pixel its class, unless it was left alone."""
        state, owners = job.state, self.result.owners
        assert state is not None
        if state.owners is None:
            state.owners = new_map(self.result.target.shape, np.int32, plane=self.shown)
        left = dict(zip((_key(part) for part, _ in job.left), job.left, strict=True))
        source = Source(owners, self.boxes, self.shown, first - 1)
        for part, values in source.parts():
            if _key(part) in left:
                values = np.where(left[_key(part)][1], 0, values)
            state.owners[part] = values

    def _add_regions(self, jobs: list[_Job], first: int) -> None:
        """Bring the tables of the layers that know regions up to date."""
        maps = []
        for job in jobs:
            assert job.labels is not None
            assert job.state is not None
            if job.stage == "regions":
                maps.append(job.labels.data)
            elif job.stage == "refined":
                maps.append(job.state.owners)
        present = {
            position_of(plane): self._present(box, maps)
            for plane, box in zip(self.result.target.planes, self.boxes, strict=True)
        }
        table = self.result.region_table
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
        shape = self.result.target.shape
        covered = all(box[axis] == slice(0, shape[axis]) for axis in self.shown)
        if covered and not self.merge:
            return set()
        return ids_around(box, self.shown, maps)

    def _describe(self, job: _Job, group: int) -> None:
        """Colours, features, metadata, name and place of a layer."""
        labels, state, result = job.labels, job.state, self.result
        assert labels is not None
        assert state is not None
        name = f"{title(self.layer, result.target)} {job.stage}"
        old = entry_of(labels)
        if not job.new:
            put_on(labels, state.placement, result.target.placement)
            state.placement = result.target.placement
            if old.get("title") != name:
                labels.name = name
        state.boxes, state.classes = self.boxes, result.classes
        legend = Legend.of(result.classes, old)
        entry = {
            "stage": job.stage,
            "image": str(self.layer.unique_id),
            "layer": str(labels.unique_id),
            "image_name": str(self.layer.name),
            "level": result.target.level,
            "group": group,
            "title": name,
            # The viewer may have added a number to it.
            "name": labels.name,
            "provenance": result.provenance,
            "runs": self._runs(old.get("runs", [])),
            "shares": {} if job.stage == "regions" else shares(job.source),
            **result.classes.to_dict(),
            "removed": legend.plain_removed(),
        }
        labels.metadata = {**labels.metadata, KEY: entry}
        show_legend(labels, state, legend)

    def _runs(self, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is where in the layer: the runs that wrote it, the last one last."""
        rows, columns = (self.boxes[0][axis] for axis in self.shown)
        where = {
            "positions": [list(p) for p in map(position_of, self.result.target.planes)],
            "window": [rows.start, columns.start, rows.stop, columns.stop],
        }
        others = [run for run in before if where != {key: run[key] for key in where}]
        return [*others, {**where, "provenance": self.result.provenance}]

    def _select(self, selected: set[Any], shown: Shown) -> None:
        """Select the refined map, unless somebody works on another layer."""
        layers = self.viewer.layers
        still = selected & set(layers)
        if still - {self.layer} or (self.amend and still):
            layers.selection = still
        elif shown:
            # Class names are shown on hover for the selected layer.
            layers.selection.active = list(shown.values())[-1]


def _key(part: Box) -> tuple[int, ...]:
    return tuple(span.start for span in part)
