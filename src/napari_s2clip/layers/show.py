"""Shows the result of a run as Labels layers of the whole image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Literal

from .entry import STAGES, our_maps
from .job import Job, choose
from .make import describe
from .probabilities import show_probabilities
from .put import Putter
from .run import Run
from .said import Record
from .succession import hide_the_kept, select
from .tables import add_regions, first_id

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
        as it is, but hidden, and the result gets a layer of its own, with a number, or
        the result goes into those pixels that were not edited. The latter leaves pixels
        with a label alone too where the layer preserves its labels.
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
    run = Run(viewer, layer, result, between)
    return _show(run, stages, edited == "merge", amended)


def _show(
    run: Run, stages: Sequence[str], merge: bool, amend: Collection[str]
) -> Shown:
    """Choose the layers, write into them, and tell what they are."""
    selected = set(run.viewer.layers.selection)
    jobs = [
        choose(run, stage, merge=merge, amend=amend)
        for stage in STAGES
        if stage in stages
    ]
    first = first_id(run, jobs)
    putter = Putter(run, merge)
    for job in jobs:
        putter.put(job, first)
        run.between()
    group = _regroup(run, jobs)
    add_regions(run, jobs, first)
    shown = Shown()
    for job in jobs:
        assert job.labels is not None
        assert job.state is not None
        describe(run, job.labels, job.state, run.source(job.stage, first), group)
        shown[job.stage] = job.labels
        _record(run, job, group)
        run.between()
    hidden, notes = hide_the_kept(run, jobs)
    notes += show_probabilities(run)
    shown.notes = (*putter.notes, *notes)
    select(run, jobs, selected, hidden, amend=bool(amend))
    return shown


def _regroup(run: Run, jobs: list[Job]) -> int:
    """Number of the set that the layers make from now on, the highest of all.

    A layer that is kept beside them stays behind in its set; those of stages that are
    not shown go along.
    """
    ours = our_maps(run.viewer, run.layer)
    group = 1 + max((entry.get("group", 0) for _, entry in ours), default=0)
    mine = [job.labels for job in jobs]
    stages = [job.stage for job in jobs]
    before = {entry.get("group") for labels, entry in ours if labels in mine}
    for labels, entry in ours:
        others = labels not in mine and entry["stage"] not in stages
        if others and entry["group"] in before:
            entry["group"] = group
    return group


def _record(run: Run, job: Job, group: int) -> None:
    """Remember what the run said, for when undo comes back to it."""
    labels, state = job.labels, job.state
    assert labels is not None
    assert state is not None
    assert state.rows is not None
    record = Record(group, state.versions.last, state.rows, run.result.provenance)
    item = None if state.step is None else state.step.item
    state.records.add(labels, item, record)
