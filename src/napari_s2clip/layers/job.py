"""Chooses the layers that a run writes into, and those that it keeps away from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .past import catch_up
from .place import candidates
from .run import Run
from .state import Rows, State, state_of
from .write import Left, is_free

if TYPE_CHECKING:
    from napari.layers import Labels

__all__ = ["Job", "choose"]


@dataclass(eq=False)
class Job:
    """What happens to the layer of one stage.

    Attributes
    ----------
    stage : str
    labels : Labels or None
        None until there is one.
    state : State or None
        Of that layer.
    amend : bool
        Whether the run takes the place of the one before.
    left : sequence of (box, mask)
        Where pixels were left alone.
    kept : list of Labels
        Edited layers that the run did not write into.
    new : bool
        Whether the layer was made beside others.
    """

    stage: str
    labels: Labels | None = None
    state: State | None = None
    amend: bool = False
    left: Sequence[Left] = ()
    kept: list[Labels] = field(default_factory=list)
    new: bool = False

    @property
    def rows(self) -> Rows | None:
        """Regions of the layer that the run's are added to."""
        if self.state is None:
            return None
        return self.state.before if self.amend else self.state.rows


def choose(run: Run, stage: str, *, merge: bool, amend: Collection[str]) -> Job:
    """Choose the layer that a stage is written into, if there is one."""
    kept: list[Labels] = []
    for labels in candidates(run.viewer, run.layer, run.result.target, stage):
        state = state_of(labels)
        assert state is not None
        if merge or is_free(labels, state, run.boxes, run.between):
            catch_up(labels, state)
            step = state.step
            amended = (
                stage in amend
                and step is not None
                # A run that changed nothing left no step to take the place of.
                and step.item is not None
                and list(step.boxes) == run.boxes
                and step.is_last(labels)
            )
            return Job(stage, labels, state, amended, kept=kept)
        kept.append(labels)
    return Job(stage, kept=kept)
