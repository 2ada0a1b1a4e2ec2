"""What we write into the metadata of a layer, and how ours are found by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

__all__ = [
    "KEY",
    "STAGES",
    "class_names",
    "entry_of",
    "is_ours",
    "our_layers",
    "our_maps",
]

KEY: Final = "napari_s2clip"
"""Our entry in the metadata of a layer."""

STAGES: Final = ("coarse", "regions", "refined")
"""Of the Labels layers, from the bottom of the list up."""


def entry_of(layer: Layer) -> dict[str, Any]:
    """Our entry of a layer that we made; empty for any other.

    A duplicate carries the entry too, but belongs to the user; the id tells it.
    """
    entry = layer.metadata.get(KEY)
    if isinstance(entry, dict) and entry.get("layer") == str(layer.unique_id):
        return entry
    return {}


def is_ours(layer: Layer) -> bool:
    """Whether a run has made a layer, and nobody has duplicated it."""
    return bool(entry_of(layer))


def our_layers(viewer: ViewerModel, image: Image) -> Iterator[tuple[Layer, dict]]:
    """Layers that we made of an image, with their entries, from the bottom up."""
    for layer in list(viewer.layers):
        entry = entry_of(layer)
        if entry.get("image") == str(image.unique_id):
            yield layer, entry


def our_maps(viewer: ViewerModel, image: Image) -> list[tuple[Labels, dict]]:
    """Labels layers of the stages that we made of an image, from the bottom up."""
    return [
        (layer, entry)
        for layer, entry in our_layers(viewer, image)
        if entry.get("stage") in STAGES
    ]


def class_names(layer: Image) -> tuple[str, ...]:
    """Class names that a layer brings along, as the sample data does; else none."""
    entry = layer.metadata.get(KEY)
    names = entry.get("classes") if isinstance(entry, dict) else None
    if not isinstance(names, list | tuple):
        return ()
    return tuple(name for name in names if isinstance(name, str))
