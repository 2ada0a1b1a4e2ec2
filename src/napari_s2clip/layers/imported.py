"""Labelled images of a dataset as layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .entry import KEY
from .legend import Legend, label_colormap
from .place import default_look

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from ..datasets import Item

__all__ = ["add_item", "layers_of"]


def add_item(viewer: ViewerModel, item: Item) -> tuple[list[Layer], tuple[str, ...]]:
    """Add the image of an item, its labels and its objects to a viewer.

    Returns
    -------
    layers : list of Layer
    notes : tuple of str
        What could not be brought in, a sentence each.
    """
    layers, notes = layers_of(item)
    for layer in layers:
        viewer.layers.append(layer)
    return layers, notes


def layers_of(item: Item) -> tuple[list[Layer], tuple[str, ...]]:
    """Layers of an item, which belong to nobody yet.

    Classes have their names and colours; they belong to the image, so that exports and
    annotations find them. Objects are a second Labels layer, hidden at first.
    """
    from napari.layers import Image, Labels

    place, notes = _place(item)
    layers: list[Layer] = []
    entry: dict[str, Any] = {**item.classes.to_dict()}
    if item.image is None:
        notes += ("there is no image, only labels",)
    else:
        image = Image(item.image, rgb=item.image.ndim == 3, name=item.name, **place)
        image.metadata = {KEY: {"classes": list(item.classes.names)}}
        entry["image"] = str(image.unique_id)
        layers.append(image)
    legend = Legend.of(item.classes, {})
    labels = Labels(
        item.labels.astype(np.uint16),
        name=f"{item.name} labels",
        colormap=label_colormap(legend.class_colours()),
        features=legend.class_features({}),
        metadata={KEY: {**entry, "stage": "refined"}},
        **place,
    )
    layers.append(labels)
    if item.instances is not None and item.instances.any():
        table = _table(item)
        objects = Labels(
            item.instances.astype(np.int32),
            name=f"{item.name} objects",
            colormap=label_colormap(legend.region_colours(table)),
            features=_features(item, table, legend),
            metadata={KEY: {**entry, "stage": "regions"}},
            **place,
        )
        for name, value in default_look("regions").items():
            setattr(objects, name, value)
        layers.append(objects)
    if item.ignore is not None and item.ignore.any():
        count = int(np.count_nonzero(item.ignore))
        notes += (f"{count} pixels are to be ignored; here they have no label",)
    return layers, (*item.notes, *notes)


def _place(item: Item) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Scale and units of the layers, and a sentence where a unit is not known."""
    if item.pixel_size is None:
        return {}, ()
    place: dict[str, Any] = {"scale": item.pixel_size}
    if not item.unit:
        return place, ()
    from napari.layers import Labels

    units = (item.unit, item.unit)
    try:
        Labels(np.zeros((1, 1), np.uint8), units=units)
    # Units that pint does not know are an AttributeError.
    except (AttributeError, TypeError, ValueError):
        return place, (f"the unit {item.unit!r} of its pixels is not known",)
    return {**place, "units": units}, ()


def _table(item: Item) -> Any:
    import pandas as pd

    ids = sorted(item.instance_classes)
    classes = [item.instance_classes[n] for n in ids]
    return pd.DataFrame({"region": ids, "class_id": classes}, dtype=np.int64)


def _features(item: Item, table: Any, legend: Legend) -> dict[str, Any]:
    """What hovering tells of objects: the class, and what else is known."""
    ids = table["region"].tolist()
    names = [legend.name(value) for value in table["class_id"].tolist()]
    found: dict[str, Any] = {"index": [0, *ids], "class": ["no object", *names]}
    kinds = {key for known in item.attributes.values() for key in known}
    for key in sorted(kinds - found.keys()):
        values = [item.attributes.get(n, {}).get(key) for n in ids]
        if all(v is None or isinstance(v, int | float) for v in values):
            numbers = [float("nan") if v is None else float(v) for v in values]
            found[key] = [float("nan"), *numbers]
        else:
            found[key] = ["", *("" if v is None else str(v) for v in values)]
    return found
