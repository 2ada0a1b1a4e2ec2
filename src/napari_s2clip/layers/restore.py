"""Annotations that were saved as layers again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io.annotations import Annotations, LabelsCopy
from ..results import REGION_COLUMNS
from .baseline import Versions
from .boxes import whole_of
from .entry import KEY, STAGES, our_maps
from .legend import Legend, label_colormap
from .place import default_look, place_for
from .said import Record
from .saved import LOOK, PLACE
from .state import Rows, State, remember
from .tell import show_legend

if TYPE_CHECKING:
    import pandas as pd
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

__all__ = ["restore_layers"]


def restore_layers(
    viewer: ViewerModel, layer: Image, annotations: Annotations
) -> list[Labels]:
    """Show annotations as layers that later runs know as ours.

    Layers that are in the viewer stay as they are. Pixels that were edited before the
    annotations were saved are still known as edited.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Image
        They are of this image.
    annotations : Annotations
        Its arrays become those of the layers.

    Returns
    -------
    list of Labels
        The maps from the bottom up, then the copies.

    Raises
    ------
    ValueError
        If a layer cannot be made of them; then none is.
    """
    selected = set(viewer.layers.selection)
    group = 1 + max((e["group"] for _, e in our_maps(viewer, layer)), default=0)
    table = _table(annotations)
    rows = Rows(table, table.iloc[:0], 1)
    made = {
        stage: _stage(layer, annotations, stage, rows, group)
        for stage in STAGES
        if stage in annotations.maps
    }
    copies = [_copy(layer, annotations, copy) for copy in annotations.copies]
    for stage, (labels, state) in made.items():
        entry = labels.metadata[KEY]
        own_name = entry["name"] == labels.name
        viewer.layers.insert(place_for(viewer, layer, entry["level"], stage), labels)
        if own_name:  # the viewer may have added a number
            entry["name"] = labels.name
        remember(labels, state)
        show_legend(labels, state, Legend.of(annotations.classes, entry))
    for labels in copies:
        viewer.layers.append(labels)
    if selected - {layer}:
        viewer.layers.selection = selected
    elif made:
        viewer.layers.selection.active = list(made.values())[-1][0]
    return [*(labels for labels, _ in made.values()), *copies]


def _table(annotations: Annotations) -> pd.DataFrame:
    import pandas as pd

    table = annotations.region_table
    if table is None:
        table = pd.DataFrame(columns=list(REGION_COLUMNS)).astype(REGION_COLUMNS)
    if "plane" not in table:
        table = table.assign(plane=np.zeros(len(table), np.int64))
    if "position" not in table:
        where = pd.Series([annotations.position] * len(table), table.index, object)
        table = table.assign(position=where)
    return table


def _stage(
    layer: Image, annotations: Annotations, stage: str, rows: Rows, group: int
) -> tuple[Labels, State]:
    data = annotations.maps[stage]
    details = annotations.details.get(stage, {})
    title = str(details.get("title") or f"{layer.name} {stage}")
    name = annotations.names.get(stage) or title
    labels = _labels(data, name, annotations.placement)
    for key, value in {**default_look(stage), **_mapping(details, "look")}.items():
        if key in LOOK:
            try:
                setattr(labels, key, value)
            except (TypeError, ValueError):
                raise ValueError(f"details.{stage}.look.{key}: {value!r}") from None
    labels.metadata = {
        KEY: {
            "stage": stage,
            "image": str(layer.unique_id),
            "layer": str(labels.unique_id),
            "image_name": str(layer.name),
            "level": annotations.level,
            "group": group,
            "title": title,
            # Of another name than ours: the user renamed it.
            "name": str(details.get("name", name)),
            "provenance": annotations.provenance,
            "runs": _list(details, "runs"),
            "shares": {
                int(key): value
                for key, value in _mapping(details, "shares").items()
                if key.isdecimal() and isinstance(value, (int, float))
            },
            **annotations.classes.to_dict(),
            "removed": [
                {"id": item["id"], "name": str(item["name"])}
                for item in _list(details, "removed")
                if isinstance(item, dict)
                and isinstance(item.get("id"), int)
                and "name" in item
            ],
        }
    }
    versions, entry = _versions(annotations, stage), labels.metadata[KEY]
    state = State(versions, annotations.classes, axes=_axes(entry["runs"], data.ndim))
    state.before = state.rows = rows
    state.owners = annotations.maps.get("owners") if stage == "refined" else None
    state.placement = {name: getattr(labels, name) for name in PLACE}
    state.placement["affine"] = labels.affine.affine_matrix
    whole = whole_of(data.shape)
    state.boxes = [whole]
    state.records.restart(
        Record(group, versions.last, rows, dict(annotations.provenance))
    )
    return labels, state


def _axes(runs: list[Any], ndim: int) -> tuple[int, int]:
    """Rows and columns of the slices; the last two axes where that is not written."""
    last = runs[-1] if runs else None
    axes = last.get("axes") if isinstance(last, dict) else None
    if isinstance(axes, list) and len(axes) == 2 and set(axes) <= set(range(ndim)):
        return int(axes[0]), int(axes[1])
    return ndim - 2, ndim - 1


def _versions(annotations: Annotations, stage: str) -> Versions:
    """What runs wrote; nothing, where that is not known of a map that was edited."""
    data, written = annotations.maps[stage], annotations.written.get(stage)
    if written is None and stage not in annotations.edited:
        written = data
    versions = Versions(data.shape, data.dtype)
    if written is not None:
        whole = whole_of(data.shape)
        versions.add(versions.last.replaced(whole, written))
        versions.forget()
    return versions


def _copy(layer: Image, annotations: Annotations, copy: LabelsCopy) -> Labels:
    placement = annotations.placement if copy.placement is None else copy.placement
    labels = _labels(copy.data, copy.name, placement)
    labels.visible = copy.visible
    legend = Legend.of(annotations.classes, {})
    labels.colormap = label_colormap(legend.class_colours())
    labels.features = legend.class_features({})
    # Of this image, but the user's: there is no id of a layer of ours.
    labels.metadata = {
        KEY: {"image": str(layer.unique_id), **annotations.classes.to_dict()}
    }
    return labels


def _labels(data: Any, name: str, placement: Mapping[str, Any]) -> Labels:
    from napari.layers import Labels

    unknown = placement.keys() - set(PLACE)
    if unknown:
        raise ValueError(f"placement: {min(unknown)!r} is unknown")
    try:
        return Labels(data, name=name, **placement)
    # Units that pint does not know are an AttributeError.
    except (TypeError, ValueError, AttributeError, np.linalg.LinAlgError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"placement of {name!r}: {reason}") from None


def _mapping(details: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = details.get(key)
    return value if isinstance(value, dict) else {}


def _list(details: Mapping[str, Any], key: str) -> list[Any]:
    value = details.get(key)
    return value if isinstance(value, list) else []
