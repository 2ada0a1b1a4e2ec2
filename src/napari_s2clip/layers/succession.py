"""Hides layers whose place a newer one takes, and selects that one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .entry import our_maps
from .job import Job
from .run import Run
from .state import state_of

if TYPE_CHECKING:
    from napari.layers import Labels

__all__ = ["hide_the_kept", "select"]


def hide_the_kept(run: Run, jobs: list[Job]) -> tuple[dict[Labels, Labels], list[str]]:
    """Hide layers of earlier runs that would lie over or under the new ones.

    Nothing is deleted. A layer that goes on as it was hides nothing, and one that was
    renamed is the user's.

    Returns
    -------
    dict of Labels to Labels
        The layers that were hidden or kept, with those that are there instead.
    list of str
        What was done, for people.
    """
    instead: dict[Labels, Labels] = {}
    notes = []
    for job in jobs:
        labels, state = job.labels, job.state
        assert labels is not None
        assert state is not None
        back = state.aside and not labels.visible
        state.aside = False
        if not (job.new or job.kept or back):
            continue
        seen = False
        for old in _earlier(run, job):
            old_state = state_of(old)
            assert old_state is not None
            instead[old] = labels
            how = "hidden" if old.visible else ""
            if old in job.kept:
                how = f"kept, {how}" if how else "kept"
                notes.append(f"{old.name} was edited and is {how}: see {labels.name}")
            elif how:
                notes.append(f"{old.name} is {how}: see {labels.name}")
            if old.visible:
                seen = old_state.aside = True
                old.visible = False
        if seen or job.stage == "refined":
            labels.visible = True
    return instead, notes


def _earlier(run: Run, job: Job) -> list[Labels]:
    return [
        labels
        for labels, entry in our_maps(run.viewer, run.layer)
        if entry["stage"] == job.stage
        and labels is not job.labels
        and state_of(labels) is not None
        and (labels in job.kept or (labels.visible and entry["name"] == labels.name))
    ]


def select(
    run: Run,
    jobs: list[Job],
    selected: set[Any],
    instead: dict[Labels, Labels],
    *,
    amend: bool,
) -> None:
    """Select the refined map, unless somebody works on another layer."""
    layers = run.viewer.layers
    # Nobody works on what is hidden: the next stroke belongs into the new layer.
    still = {instead.get(layer, layer) for layer in selected} & set(layers)
    taken = any(layer in instead for layer in selected)
    if still - {run.layer} or (amend and still):
        if taken and len(still) == 1:
            (layers.selection.active,) = still
        elif set(layers.selection) != still:
            layers.selection = still
    elif jobs:
        # Class names are shown on hover for the selected layer.
        layers.selection.active = jobs[-1].labels
