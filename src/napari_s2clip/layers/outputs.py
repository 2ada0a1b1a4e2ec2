"""What runs left in the layers of an image, for panels that work on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .boxes import whole_of
from .entry import our_maps
from .past import owners_now, rows_now
from .state import State, state_of

if TYPE_CHECKING:
    import pandas as pd
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..classes import ClassSet
    from .said import Record

__all__ = ["OutputSet", "is_edited", "outputs_of"]


@dataclass(frozen=True, eq=False)
class OutputSet:
    """Layers of one image that belong together.

    Attributes
    ----------
    coarse, regions, refined : Labels or None
        None where the layer was deleted, or where a later run went on with it;
        ``regions`` also where undo took it to another run than ``refined``.
    owners : array_like of int32 or None
        Of the shape of the layers: id of the region that gave ``refined`` its class
        when the run wrote it that its labels belong to, 0 where none did and where
        edits were kept. None where that run is not remembered any more: some runs
        back, undo leads to it all the same.
    region_table : pandas.DataFrame
        Regions of all slices that runs had covered then, with ``plane`` and
        ``position``; see `TargetResult`.
    classes : ClassSet
        As they are called and coloured now.
    provenance : dict
        Of that run.
    axes : (int, int)
        Of the layers, that are the rows and columns of the slices.
    """

    coarse: Labels | None
    regions: Labels | None
    refined: Labels | None
    owners: Any
    region_table: pd.DataFrame
    classes: ClassSet
    provenance: dict[str, Any]
    axes: tuple[int, int] = (-2, -1)
    _records: tuple[tuple[Labels, State, Record | None], ...] = ()

    @property
    def current(self) -> bool:
        """Whether this is still so: undo, redo and further runs make it untrue."""
        return all(
            state.records.look(labels) is record
            for labels, state, record in self._records
        )

    @property
    def layers(self) -> tuple[Labels, ...]:
        """Those that are there."""
        three = (self.coarse, self.regions, self.refined)
        return tuple(layer for layer in three if layer is not None)


def outputs_of(viewer: ViewerModel, layer: Image) -> list[OutputSet]:
    """Layers that runs on an image made and that are still in the viewer.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Image
        It need not be in the viewer any more.

    Returns
    -------
    list of OutputSet
        The newest first. There is more than one where a layer that was edited was kept
        beside a newer result, and where several levels of a pyramid were segmented.
    """
    groups: dict[int, dict[str, tuple[Labels, dict[str, Any], State]]] = {}
    for labels, entry in our_maps(viewer, layer):
        state = state_of(labels)
        # One that is just being made belongs to no set yet.
        if state is not None and "group" in entry:
            groups.setdefault(entry["group"], {})[entry["stage"]] = (
                labels,
                entry,
                state,
            )
    return [_set(groups[number]) for number in sorted(groups, reverse=True)]


def _set(stages: dict[str, tuple[Labels, dict[str, Any], State]]) -> OutputSet:
    def labels(stage: str) -> Labels | None:
        return stages[stage][0] if stage in stages else None

    # The refined map is what is reviewed; its owners and its regions go together.
    chosen, entry, state = next(
        stages[s] for s in ("refined", "regions", "coarse") if s in stages
    )
    record = state.records.look(chosen)
    classes, table = state.classes, rows_now(chosen, state)
    names = dict(zip(classes.ids, classes.names, strict=True))
    called = [
        names.get(value, name)
        for value, name in zip(table["class_id"], table["class_name"], strict=True)
    ]
    # pandas makes a type of its own of texts.
    table = table.assign(class_name=called).astype({"class_name": object})
    in_step = "regions" in stages and _in_step(stages["regions"], chosen, state)
    return OutputSet(
        coarse=labels("coarse"),
        regions=labels("regions") if in_step else None,
        refined=labels("refined"),
        owners=owners_now(chosen, state),
        region_table=table,
        classes=classes,
        provenance=entry["provenance"] if record is None else record.provenance,
        axes=state.axes,
        _records=tuple(
            (other, its, its.records.look(other)) for other, _, its in stages.values()
        ),
    )


def _in_step(
    regions: tuple[Labels, dict[str, Any], State], chosen: Labels, state: State
) -> bool:
    """Whether undo has not taken two maps to different runs."""
    labels, _, other = regions
    here, there = state.records.look(chosen), other.records.look(labels)
    if here is None or there is None:
        return here is there
    if here is state.records.latest and there is other.records.latest:
        # One that was behind when the last run wrote has regions of its own.
        rows, more = rows_now(chosen, state), rows_now(labels, other)
        together = not (state.strayed or other.strayed)
        return together or set(more["region"]) <= set(rows["region"])
    return here.run == there.run


def is_edited(labels: Labels) -> bool:
    """Whether a layer of ours has pixels that no run wrote.

    Undo of an edit takes it back, and so does painting the same label again. A layer
    that is not ours, or has become the user's, is edited.
    """
    state = state_of(labels)
    if state is None:
        return True
    whole = whole_of(labels.data.shape)
    return state.versions.is_edited(labels.data, whole)
