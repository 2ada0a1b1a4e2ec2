"""Which layers of an earlier run a result belongs to, and where new ones go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..planes import MAX_SIDE
from .entry import STAGES, our_layers, our_maps
from .state import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..planes import Target

__all__ = [
    "candidates",
    "default_look",
    "look_of",
    "place_for",
    "put_on",
    "shown_of",
    "title",
]

_LOOK: Final = (
    "visible",
    "opacity",
    "blending",
    "contour",
    "selected_label",
    "preserve_labels",
    "n_edit_dimensions",
    "contiguous",
    "brush_size",
)


def title(layer: Image, target: Target) -> str:
    """Name of the layers of an image, without the stage."""
    if target.level == _usual_level(layer, target):
        return str(layer.name)
    return f"{layer.name} (level {target.level})"


def _usual_level(layer: Image, target: Target) -> int:
    """Level of a pyramid that a run on whole slices takes."""
    if not layer.multiscale:
        return 0
    # A layer without an axis of channels has one axis less, the first.
    more = layer.ndim - len(target.shape)
    shown = [axis + more for axis in shown_of(target)]
    for level, data in enumerate(layer.data):
        if all(data.shape[axis] <= MAX_SIDE for axis in shown):
            return level
    return len(layer.data) - 1


def shown_of(target: Target) -> tuple[int, int]:
    """Axes of the layers that are the rows and columns of the planes."""
    at = target.planes[0].at
    rows, columns = (a for a, part in enumerate(at) if isinstance(part, slice))
    return rows, columns


def candidates(
    viewer: ViewerModel, layer: Image, target: Target, stage: str
) -> list[Labels]:
    """Our layers of a stage that a result may be written into, newest first.

    A layer that was renamed is the user's. Slices along another axis get layers of
    their own, because they cross those that are there.
    """
    axes = shown_of(target)
    found = [
        (labels, entry)
        for labels, entry in our_maps(viewer, layer)
        if entry["stage"] == stage
        and entry["level"] == target.level
        and entry["name"] == labels.name
        and tuple(labels.data.shape) == target.shape
        and (state := state_of(labels)) is not None
        and state.axes == axes
    ]
    found.sort(key=lambda pair: pair[1]["group"], reverse=True)
    return [labels for labels, _ in found]


def place_for(viewer: ViewerModel, layer: Image, level: int, stage: str) -> int:
    """Where in the list a new layer goes, so that those of one level lie together.

    Above the image, then probabilities, then the stages in their order.
    """
    order = ("probability", *STAGES)
    ours = [
        (viewer.layers.index(other), entry)
        for other, entry in our_layers(viewer, layer)
    ]
    same = [(at, entry) for at, entry in ours if entry["level"] == level]
    below = [
        at for at, entry in same if order.index(entry["stage"]) <= order.index(stage)
    ]
    if below:
        return max(below) + 1
    if same:
        return min(at for at, _ in same)
    if layer in viewer.layers:
        return max([viewer.layers.index(layer), *(at for at, _ in ours)]) + 1
    return len(viewer.layers)


def default_look(stage: str) -> dict[str, Any]:
    """How a new layer looks."""
    return {"visible": stage == "refined"}


def look_of(labels: Labels) -> dict[str, Any]:
    """What a user may have set on a layer that is about to be replaced."""
    return {name: getattr(labels, name) for name in _LOOK}


def put_on(labels: Labels, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Move a layer where the image has been moved since the last run.

    Where only the layer was moved, it stays: somebody wanted it there.
    """
    for name, value in new.items():
        if not np.array_equal(np.asarray(old[name]), np.asarray(value)):
            setattr(labels, name, value)
