"""Lets a layer tell what its labels mean, and changes that at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .entry import KEY, our_layers
from .legend import Legend, label_colormap
from .probabilities import rename_probabilities
from .state import State, state_of
from .write import Source

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..classes import ClassSet

__all__ = ["apply_classes", "shares", "show_legend"]


def apply_classes(viewer: ViewerModel, layer: Image, classes: ClassSet) -> None:
    """Rename and recolour classes in all layers that we made of an image, at once.

    No pixel changes, so edits and undo are safe. Labels of classes that are no more in
    the list stay; they are grey, and hovering says that the class was removed. A class
    is known by its id.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Image
        It need not be in the viewer any more.
    classes : ClassSet
    """
    for other, entry in our_layers(viewer, layer):
        legend = Legend.of(classes, entry)
        new = {**entry, **classes.to_dict(), "removed": legend.plain_removed()}
        state = state_of(other)
        if state is not None:
            other.metadata = {**other.metadata, KEY: new}
            state.classes = classes
            show_legend(other, state, legend)
    rename_probabilities(viewer, layer, classes)


def shares(source: Source) -> dict[int, float]:
    """Share of each label in what a run wrote, from 0 to 1."""
    counts = np.zeros(1, np.int64)
    for _, values in source.parts():
        more = np.bincount(values.ravel())
        counts, more = (counts, more) if len(counts) >= len(more) else (more, counts)
        counts[: len(more)] += more
    total = counts.sum()
    return {int(v): float(counts[v] / total) for v in np.flatnonzero(counts)}


def show_legend(labels: Labels, state: State, legend: Legend) -> None:
    """Give a layer its colours and what hovering tells."""
    entry: dict[str, Any] = labels.metadata[KEY]
    if entry["stage"] == "regions" and state.rows is not None:
        table = state.rows.all
        colours = legend.region_colours(table)
        labels.features = legend.region_features(table)
    else:
        colours = legend.class_colours()
        labels.features = legend.class_features(entry["shares"])
    # All at once and only where something changed: every change draws the layer anew,
    # and a map that the user chose stays until then.
    if colours != state.colours:
        labels.colormap = label_colormap(colours)
        state.colours = colours
