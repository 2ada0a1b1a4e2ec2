"""Labels layers as labelled images for training, one a slice."""

from __future__ import annotations

import math
from itertools import product
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ..datasets.item import safe_name
from ..datasets.region_scores import region_scores
from ..planes.geometry import current_index, shown_axes
from .entry import KEY, entry_of
from .label_names import Kinds, kinds_of
from .outputs import OutputSet, outputs_of
from .pixels_of import pixels_of, size_of
from .state import state_of
from .training_data import Objects, TrainingData

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..classes import ClassSet
    from ..review.decisions import Decisions

__all__ = ["image_of", "objects_of", "training_data"]

_STILL: Final = 1 << 28
"""Bytes of labels in memory that are copied, so that painting goes on meanwhile."""


def objects_of(viewer: ViewerModel, labels: Labels) -> tuple[Objects, ...]:
    """How the objects of a layer may be told apart, the best way first."""
    output = _output(viewer, labels)
    if output is not None and labels is output.regions:
        return ("ids",)
    if _owners(output, labels) is not None:
        return ("regions", "connected", "ids")
    kinds = kinds_of(labels)
    if kinds is not None and len(kinds.of) > len(kinds.classes):
        return ("ids", "connected")
    return ("connected", "ids")


def training_data(
    viewer: ViewerModel,
    labels: Labels,
    image: Image | None = None,
    *,
    objects: Objects | None = None,
    classes: ClassSet | None = None,
    of: int | Labels | None = None,
    slices: Literal["all", "current"] = "all",
    empty: bool = False,
    review: Decisions | None = None,
) -> TrainingData:
    """Labelled images of a layer; nothing is read before they are gone through.

    Parameters
    ----------
    viewer : ViewerModel
    labels : Labels
        Ours or any other.
    image : Image, optional
        What the labels are of.
    objects : {"regions", "connected", "ids"}, optional
        What one object is: a region that a run found, together with what was painted
        at it; what hangs together and is of one class; or what has one label. By
        default the first of `objects_of`.
    classes : ClassSet, optional
        What labels mean whose layer does not say it; by default one class a label.
    of : int or Labels, optional
        With ``"ids"``: the class of all objects, or a layer of the same size with the
        class of each pixel, instead of what the layer says.
    slices : {"all", "current"}
    empty : bool
        Whether slices without labels are images too.
    review : Decisions, optional
        What was decided of the regions.

    Raises
    ------
    ValueError
        If layers do not fit each other, or nothing is known of the objects.
    """
    possible = objects_of(viewer, labels)
    objects = possible[0] if objects is None else objects
    output = _output(viewer, labels)
    if objects not in possible:
        raise ValueError(
            f"objects: the regions of {labels.name!r} are not known; take connected "
            "parts"
        )
    shape = size_of(labels)
    axes = _axes(viewer, labels)
    hidden = tuple(axis for axis in range(len(shape)) if axis not in axes)
    choices = [range(shape[axis]) for axis in hidden]
    if slices == "current":
        now = current_index(viewer, labels)
        choices = [range(int(now[axis]), int(now[axis]) + 1) for axis in hidden]
    own = kinds_of(labels)
    of = of if objects == "ids" else None
    if isinstance(of, int):
        own = None if classes is None else Kinds.same(classes)
    elif of is not None:
        if size_of(of) != shape:
            raise ValueError(
                f"of: {of.name!r} has not the size of {labels.name!r}; choose another"
            )
        own = kinds_of(of)
    state = state_of(labels)
    path = "" if image is None else str(image.source.path or "")
    stem = PurePath(path).stem or (labels if image is None else image).name
    return TrainingData(
        labels=_held(labels),
        axes=axes,
        hidden=hidden,
        letters=tuple(_letter(labels, axis, hidden) for axis in hidden),
        positions=list(product(*choices)),
        kinds=own or (None if classes is None else Kinds.same(classes)),
        objects=objects,
        of=of if of is None or isinstance(of, int) else _held(of),
        owners=_still(_owners(output, labels)) if objects == "regions" else None,
        pixels=None if image is None else pixels_of(viewer, image, labels, axes),
        size=_pixel_size(labels, axes),
        stem=safe_name(stem),
        source=path or (str(labels.name) if image is None else str(image.name)),
        empty=empty,
        known=_known(output),
        versions=None if state is None else state.versions.copy(),
        reviewed=_reviewed(review),
        provenance={} if output is None else output.provenance,
    )


def _output(viewer: ViewerModel, labels: Labels) -> OutputSet | None:
    """What a run left of which a layer is a part."""
    image = next(
        (i for i in viewer.layers if str(i.unique_id) == entry_of(labels).get("image")),
        None,
    )
    sets = [] if image is None else outputs_of(viewer, image)
    return next((o for o in sets if labels in o.layers), None)


def _owners(output: OutputSet | None, labels: Labels) -> Any:
    """The regions that the pixels of a map of classes are of; None if unknown."""
    if output is not None and labels is output.refined:
        return output.owners
    if output is not None and labels is output.coarse and output.regions is not None:
        return output.regions.data
    return None


def _axes(viewer: ViewerModel, labels: Labels) -> tuple[int, int]:
    state = state_of(labels)
    rows, columns = shown_axes(viewer, labels.ndim) if state is None else state.axes
    first, last = sorted(axis % labels.ndim for axis in (rows, columns))
    return first, last


def _held(labels: Labels) -> Any:
    return _still(labels.data[0] if labels.multiscale else labels.data)


def _still(data: Any) -> Any:
    copied = type(data) is np.ndarray and data.nbytes <= _STILL
    return data.copy() if copied else data


def _letter(labels: Labels, axis: int, hidden: tuple[int, ...]) -> str:
    """What is called the axis in names of images: its label, else z, then t."""
    label = str(labels.axis_labels[axis])
    if label != str(axis - labels.ndim):  # as napari calls it then
        return safe_name(label)
    place = len(hidden) - hidden.index(axis) - 1
    return "zt"[place] if place < 2 else f"a{axis}-"


def _pixel_size(
    labels: Labels, axes: tuple[int, int]
) -> tuple[tuple[float, float] | None, str]:
    """Height and width of a pixel, and their unit; nothing where none was set."""
    one, other = (labels.units[axis] for axis in axes)
    size = [abs(float(labels.scale[axis])) for axis in axes]
    if not one.is_compatible_with(other) or not all(math.isfinite(s) for s in size):
        return None, ""
    size[1] *= float((1 * other).to(one).magnitude)
    unit = "" if str(one) in {"pixel", "dimensionless"} else str(one)
    if not all(size) or (not unit and size == [1, 1]):
        return None, ""
    return (size[0], size[1]), unit


def _known(output: OutputSet | None) -> dict[int, dict[str, float]]:
    """What runs said of regions."""
    return {} if output is None else region_scores(output.region_table)


def _reviewed(review: Decisions | None) -> dict[tuple[int, ...], bool]:
    """Whether all regions of a slice were decided."""
    found: dict[tuple[int, ...], bool] = {}
    if review is None:
        return found
    for region, position in zip(review.ids.tolist(), review.positions, strict=True):
        decided = review.state(region).status != "open"
        found[position] = found.get(position, True) and decided
    return found


def image_of(
    viewer: ViewerModel, labels: Labels, otherwise: Image | None = None
) -> Image | None:
    """The image that a layer was made of.

    ``otherwise`` is that of a layer which does not say it, if it has the same size.
    """
    from napari.layers import Image

    entry = labels.metadata.get(KEY)
    mark = entry.get("image") if isinstance(entry, dict) else None
    for layer in viewer.layers:
        if isinstance(layer, Image) and str(layer.unique_id) == mark:
            return layer
    if mark is not None or otherwise is None:
        return None
    try:
        pixels_of(viewer, otherwise, labels, _axes(viewer, labels))
    except ValueError:
        return None
    return otherwise
