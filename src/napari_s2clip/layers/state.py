"""What is remembered about a layer of ours for as long as it lives.

It is no metadata: a duplicate of the layer belongs to the user and must not have it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from .baseline import Baseline, Versions
from .boxes import Box
from .history import Step
from .said import Records

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Labels

    from ..classes import ClassSet

__all__ = ["Rows", "State", "remember", "state_of"]

_STEPS: Final = 100
"""napari forgets older steps."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Regions of a layer.

    Attributes
    ----------
    table : pandas.DataFrame
        Those that are there.
    past : pandas.DataFrame
        Those of earlier runs, which undo brings back; their ids are not used again.
    first : int
        The last run's regions have ids from this one on.
    """

    table: pd.DataFrame
    past: pd.DataFrame
    first: int

    @property
    def all(self) -> pd.DataFrame:
        """All that the map may show, now or after undo."""
        import pandas as pd

        if not len(self.past):
            return self.table
        return pd.concat([self.table, self.past], ignore_index=True)

    @property
    def next(self) -> int:
        """The first id that no region has had."""
        return 1 + max(
            (int(t["region"].max()) for t in (self.table, self.past) if len(t)),
            default=0,
        )


@dataclass(eq=False)
class State:
    """Of one layer.

    Attributes
    ----------
    versions : Versions
        What runs wrote.
    classes : ClassSet
        As they are shown.
    step : Step or None
        What the last run did, None once the user has changed something.
    before : Rows or None
        Regions before the last run.
    rows : Rows or None
        Regions after it.
    boxes : list of tuple of slice
        What the last run covered.
    owners : array_like or None
        Of a refined map: the region that gave a pixel its class, 0 where none did.
    placement : dict
        Of the layer when the run began.
    costs : deque of int
        Bytes of our undo steps.
    colours : dict
        As they were given to the layer.
    writing : bool
        Whether it is us who change the layer just now.
    aside : bool
        Whether it was hidden because a later run made another one.
    records : Records
        What each of the last runs said of it.
    packed : Baseline or None
        The owners before the last run.
    strayed : bool
        Whether a run went on from what undo had gone back to.
    axes : (int, int)
        Rows and columns of the slices.
    """

    versions: Versions
    classes: ClassSet
    step: Step | None = None
    before: Rows | None = None
    rows: Rows | None = None
    boxes: list[Box] = field(default_factory=list)
    owners: Any = None
    placement: dict[str, Any] = field(default_factory=dict)
    costs: deque[int] = field(default_factory=lambda: deque(maxlen=_STEPS))
    colours: dict[int, str] = field(default_factory=dict)
    writing: bool = False
    aside: bool = False
    records: Records = field(default_factory=Records)
    packed: Baseline | None = None
    strayed: bool = False
    axes: tuple[int, int] = (-2, -1)


_STATES: WeakKeyDictionary[Labels, State] = WeakKeyDictionary()


def remember(labels: Labels, state: State) -> None:
    """Keep the state of a layer that we made."""
    _STATES[labels] = state
    labels.events.paint.connect(_on_change)
    labels.events.data.connect(_on_change)
    # Undo and redo emit nothing else.
    labels.events.set_data.connect(_on_look)


def state_of(labels: Labels) -> State | None:
    """State of a layer; None if it is not ours."""
    return _STATES.get(labels)


def _on_change(event: Any) -> None:
    state = _STATES.get(event.source)
    if state is not None and not state.writing:
        state.step = None
        record = state.records.look(event.source)
        # From here on an older label may be the user's, and no undo.
        state.versions.forget(None if record is None else record.labels)


def _on_look(event: Any) -> None:
    state = _STATES.get(event.source)
    if state is not None and not state.writing:
        state.records.look(event.source)
