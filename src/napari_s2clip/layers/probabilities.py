"""Shows the probability of each class as an Image layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .entry import KEY, our_layers
from .place import place_for, put_on
from .write import Source

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ..classes import ClassSet
    from .run import Run

__all__ = ["rename_probabilities", "show_probabilities"]


def show_probabilities(run: Run) -> list[str]:
    """Show the probabilities of a result, where it has them, below the label maps.

    They are hidden at first. Those of classes that the run did not have go.
    """
    viewer, layer, result = run.viewer, run.layer, run.result
    if result.probabilities is None:
        return []
    target, classes = result.target, result.classes
    ours = _ours(viewer, layer, target.level)
    for value, (image, _) in ours.items():
        if value not in classes.ids or tuple(image.data.shape) != target.shape:
            viewer.layers.remove(image)
    for number, value in enumerate(classes.ids):
        image, entry = ours.get(value, (None, {}))
        name = run.name(f"p({classes.name_of(value)})")
        if image is None or image not in viewer.layers:
            image, entry = _add(run, name), {}
        channel = _Channel(result.probabilities, number)
        source = Source(channel, run.boxes, run.shown, between=run.between)
        for part, values in source.parts():
            image.data[part] = values
        image.refresh()
        if entry:
            put_on(image, entry["placement"], target.placement)
        _tell(
            image,
            name,
            classes.colour_of(value),
            {
                "stage": "probability",
                "image": str(layer.unique_id),
                "image_name": str(layer.name),
                "layer": str(image.unique_id),
                "level": target.level,
                "class_id": value,
                "title": run.name("").rstrip(),
                "placement": target.placement,
                "provenance": result.provenance,
            },
        )
    return []


def rename_probabilities(viewer: ViewerModel, layer: Image, classes: ClassSet) -> None:
    """Follow the list of classes; the layer of a class that is gone stays as it is."""
    for other, entry in our_layers(viewer, layer):
        value = entry.get("class_id")
        if value in classes.ids and entry.get("name") == other.name:
            name = f"{entry['title']} p({classes.name_of(value)})"
            _tell(other, name, classes.colour_of(value), entry)


def _ours(
    viewer: ViewerModel, layer: Image, level: int
) -> dict[int, tuple[Image, dict[str, Any]]]:
    """Our layers by class; one that was renamed is the user's."""
    return {
        entry["class_id"]: (other, entry)
        for other, entry in our_layers(viewer, layer)
        if entry["stage"] == "probability"
        and entry["level"] == level
        and entry["name"] == other.name
    }


def _add(run: Run, name: str) -> Image:
    from napari.layers import Image

    image = Image(
        run.new_map(np.float32),
        name=name,
        contrast_limits=(0, 1),
        blending="additive",
        visible=False,
        **run.result.target.placement,
    )
    # Whoever hears of it when it comes into the viewer knows whose it is.
    image.metadata = {KEY: {"layer": str(image.unique_id)}}
    place = place_for(run.viewer, run.layer, run.result.target.level, "probability")
    run.viewer.layers.insert(place, image)
    return image


def _tell(image: Image, name: str, colour: str, entry: dict[str, Any]) -> None:
    from napari.utils import Colormap

    if (entry.get("shown_name"), entry.get("colour")) != (name, colour):
        image.name = name
        image.colormap = Colormap(["black", colour], name=colour)
    entry = {**entry, "shown_name": name, "name": image.name, "colour": colour}
    image.metadata = {**image.metadata, KEY: entry}


class _Channel:
    """One class of an array (planes, classes, H, W)."""

    def __init__(self, array: Any, number: int) -> None:
        self._array = array
        self._number = number

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        plane, rows, columns = index
        return self._array[plane, self._number, rows, columns]
