"""What runs left in the layers of an image, for panels that work on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .boxes import box_of
from .entry import our_maps
from .state import State, state_of

if TYPE_CHECKING:
    import pandas as pd
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..classes import ClassSet

__all__ = ["OutputSet", "is_edited", "outputs_of"]


@dataclass(frozen=True, eq=False)
class OutputSet:
    """Layers of one image that belong together.

    Attributes
    ----------
    coarse, regions, refined : Labels or None
        None where the layer was deleted, or where a later run went on with it.
    owners : array_like of int32 or None
        Of the shape of the layers: id of the region that gave ``refined`` its class
        when the last run wrote it, 0 where none did and where edits were kept.
    region_table : pandas.DataFrame
        Regions of all slices that runs have covered, with ``plane`` and ``position``;
        see `TargetResult`.
    classes : ClassSet
        As they are called and coloured now.
    provenance : dict
        Of the last run.
    """

    coarse: Labels | None
    regions: Labels | None
    refined: Labels | None
    owners: Any
    region_table: pd.DataFrame
    classes: ClassSet
    provenance: dict[str, Any]

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
    _, entry, state = next(
        stages[s] for s in ("refined", "regions", "coarse") if s in stages
    )
    classes, table = state.classes, state.table
    names = dict(zip(classes.ids, classes.names, strict=True))
    called = [
        names.get(value, name)
        for value, name in zip(table["class_id"], table["class_name"], strict=True)
    ]
    # pandas makes a type of its own of texts.
    table = table.assign(class_name=called).astype({"class_name": object})
    return OutputSet(
        coarse=labels("coarse"),
        regions=labels("regions"),
        refined=labels("refined"),
        owners=state.owners,
        region_table=table,
        classes=classes,
        provenance=entry["provenance"],
    )


def is_edited(labels: Labels) -> bool:
    """Whether a layer of ours has pixels that no run wrote.

    Undo of an edit takes it back, and so does painting the same label again. A layer
    that is not ours, or has become the user's, is edited.
    """
    state = state_of(labels)
    if state is None:
        return True
    whole = box_of([slice(None)] * labels.data.ndim, labels.data.shape)
    return state.versions.is_edited(labels.data, whole)
