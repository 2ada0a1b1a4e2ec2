"""Shows the probability of each class as an Image layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from .boxes import Box, overlap, tiles
from .entry import KEY, our_layers
from .place import place_for, put_on
from .write import SIDE, Source

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ..classes import ClassSet
    from .run import Run

__all__ = ["rename_probabilities", "show_probabilities"]


def show_probabilities(run: Run) -> list[str]:
    """Show the probabilities of a result, where it has them, below the label maps.

    They are hidden at first. Those of classes that the run did not have go. Where the
    result has none, those of an earlier run would tell of labels that are there no
    more: see `_leave_out`.

    Returns
    -------
    list of str
        What went away, for people.
    """
    viewer, layer, result = run.viewer, run.layer, run.result
    if result.probabilities is None:
        return _leave_out(run)
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
        _remember(image, run)
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


@dataclass(frozen=True, eq=False)
class _Written:
    """Where runs wrote into the array of an image."""

    data: Any
    boxes: list[Box]


_WRITTEN: WeakKeyDictionary[Image, _Written] = WeakKeyDictionary()


def _remember(image: Image, run: Run) -> None:
    known = _WRITTEN.get(image)
    before = known.boxes if known is not None and known.data is image.data else []
    boxes = [*(box for box in before if box not in run.boxes), *run.boxes]
    _WRITTEN[image] = _Written(image.data, boxes)


def _leave_out(run: Run) -> list[str]:
    """Take away probabilities in the part that a run covered without giving any.

    Images in which nothing else is are removed; one whose array somebody has replaced
    is only hidden, and a renamed one is the user's.
    """
    notes, removed = [], 0
    for image, _ in _ours(run.viewer, run.layer, run.result.target.level).values():
        written = _WRITTEN.get(image)
        if written is None or image.data is not written.data:
            if image.visible:
                image.visible = False
                notes.append(f"{image.name} was changed and is outdated: it is hidden")
            continue
        left = [
            box
            for box in written.boxes
            if not any(overlap(box, other) == box for other in run.boxes)
        ]
        if left:
            for part in (part for box in run.boxes for part in tiles(box, SIDE)):
                image.data[part] = 0
                run.between()
            image.refresh()
            _WRITTEN[image] = _Written(image.data, left)
        else:
            run.viewer.layers.remove(image)
            removed += 1
    if removed:
        images = "image" if removed == 1 else "images"
        notes.append(f"{removed} probability {images} of an earlier run removed")
    return notes


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
