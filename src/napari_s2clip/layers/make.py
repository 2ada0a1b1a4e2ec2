"""Makes Labels layers for a result, and writes into their metadata what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .entry import KEY, entry_of
from .legend import Legend, label_colormap
from .place import put_on
from .state import State, remember
from .tell import shares, show_legend

if TYPE_CHECKING:
    from napari.layers import Labels

    from .run import Run
    from .write import Source

__all__ = ["describe", "insert_labels"]


def insert_labels(
    run: Run,
    stage: str,
    array: Any,
    state: State,
    *,
    look: dict[str, Any],
    place: int,
    entry: dict[str, Any],
    shift: int = 0,
) -> Labels:
    """Put a new layer into the list of the viewer.

    Parameters
    ----------
    run : Run
    stage : str
    array : array_like
        Its pixels; they are not copied.
    state : State
        What is remembered about them.
    look : dict
        Attributes as the user has set them, or as they are at first.
    place : int
        In the list.
    entry : dict
        Our entry of the layer that it stands for, or nothing.
    shift : int
        Added to the ids of regions of the run.
    """
    from napari.layers import Labels

    placement = run.result.target.placement
    # Most often those that it will have. A change is drawn, and napari goes through all
    # 65,536 values for each map of colours.
    colours = _colours(run, stage, entry, shift)
    labels = Labels(
        array,
        name=run.name(stage),
        colormap=label_colormap(colours),
        # What is not shown is not read.
        visible=look["visible"],
        **placement,
    )
    for name, value in look.items():
        setattr(labels, name, value)
    labels.metadata = {
        KEY: {
            **entry,
            "stage": stage,
            "image": str(run.layer.unique_id),
            "layer": str(labels.unique_id),
            "level": run.result.target.level,
        }
    }
    run.between()
    run.viewer.layers.insert(place, labels)
    state.placement, state.colours = placement, colours
    remember(labels, state)
    return labels


def _colours(run: Run, stage: str, entry: dict[str, Any], shift: int) -> dict[int, str]:
    legend = Legend.of(run.result.classes, entry)
    if stage != "regions":
        return legend.class_colours()
    table = run.result.region_table
    return legend.region_colours(table.assign(region=table["region"] + shift))


def describe(
    run: Run, labels: Labels, state: State, source: Source, group: int
) -> None:
    """Bring name, place, colours, features and metadata of a layer up to date."""
    result, old = run.result, entry_of(labels)
    stage, name = old["stage"], run.name(old["stage"])
    put_on(labels, state.placement, result.target.placement)
    state.placement = result.target.placement
    if old.get("title", name) != name:
        labels.name = name
    state.boxes, state.classes = run.boxes, result.classes
    legend = Legend.of(result.classes, old)
    facts = run.facts()
    where = ("positions", "window")
    others = [
        other
        for other in old.get("runs", [])
        if any(other[key] != facts[key] for key in where)
    ]
    entry = {
        "stage": stage,
        "image": str(run.layer.unique_id),
        "layer": str(labels.unique_id),
        "image_name": str(run.layer.name),
        "level": result.target.level,
        # Layers of one number belong together; the last run has the highest.
        "group": group,
        "title": name,
        # The viewer may have added a number to it.
        "name": labels.name,
        "provenance": result.provenance,
        # What is where in the layer, the last run last.
        "runs": [*others, facts],
        "shares": {} if stage == "regions" else shares(source),
        **result.classes.to_dict(),
        "removed": legend.plain_removed(),
    }
    labels.metadata = {**labels.metadata, KEY: entry}
    show_legend(labels, state, legend)
