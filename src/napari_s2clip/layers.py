"""The one module that builds napari layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from .planes import Plane, take_plane

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from .classes import ClassSet
    from .results import Segmentation

__all__ = ["KEY", "add_segmentation", "class_names"]

KEY: Final = "napari_s2clip"
"""Our entry in the metadata of a layer."""

_OTHER_LABEL: Final = "#808080"
"""Colour of labels that are no class: a user may paint any number."""


def class_names(layer: Image) -> tuple[str, ...]:
    """Class names that a layer brings along, as the sample data does; else none."""
    entry = layer.metadata.get(KEY)
    names = entry.get("classes") if isinstance(entry, dict) else None
    if not isinstance(names, list | tuple):
        return ()
    return tuple(name for name in names if isinstance(name, str))


def add_segmentation(
    viewer: ViewerModel,
    layer: Image,
    result: Segmentation,
    *,
    plane: Plane | None = None,
) -> dict[str, Labels]:
    """Show a result as three Labels layers: coarse, regions and refined.

    Layers of an earlier run on the same plane are replaced where they are in the
    list, and how they looked is kept. Those that were edited or renamed since stay as
    they are, and the new ones get a number.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Image
        The segmented image; it need not be in the viewer any more.
    result : Segmentation
    plane : Plane, optional
        What was segmented; by default what is shown of ``layer`` now.

    Returns
    -------
    dict of str to Labels
        By stage.

    Raises
    ------
    ValueError
        If the result has another size than the plane.
    """
    plane = plane or take_plane(viewer, layer)
    if result.coarse.shape != plane.shape:
        raise ValueError(
            f"result: its maps are {result.coarse.shape} px but the plane of "
            f"{layer.name!r} is {plane.shape} px; segment the image again"
        )
    selected = set(viewer.layers.selection)
    replaced: list[Labels] = []
    added: dict[str, Labels] = {}
    for stage, values, colours, features in (
        ("coarse", result.coarse, _class_colours(result.classes), None),
        ("regions", result.regions, _region_colours(result), _region_features(result)),
        ("refined", result.refined, _class_colours(result.classes), None),
    ):
        old = _untouched(viewer, layer, plane, stage)
        look = _look(old[-1]) if old else {"visible": stage == "refined"}
        place = viewer.layers.index(old[0]) if old else len(viewer.layers)
        for labels in old:
            viewer.layers.remove(labels)
        replaced += old
        added[stage] = _add_labels(
            viewer,
            # Never the array of the result: painting must not reach into it.
            plane.lift(values.copy()),
            place=place,
            name=f"{_title(layer, plane)} {stage}",
            colours=colours,
            features=_class_features(result.classes) if features is None else features,
            metadata={
                "stage": stage,
                "image": str(layer.unique_id),
                "image_name": layer.name,
                "position": list(plane.position),
                **result.classes.to_dict(),
                "provenance": result.provenance,
            },
            **look,
            **plane.placement,
        )
    # Class names are shown on hover for the selected layer; whoever works on another
    # layer meanwhile keeps it.
    if selected <= {layer, *replaced}:
        viewer.layers.selection.active = added["refined"]
    else:
        viewer.layers.selection = selected & set(viewer.layers)
    return added


def _title(layer: Image, plane: Plane) -> str:
    where = ", ".join(str(p) for p in plane.position)
    return f"{layer.name} slice {where}" if where else str(layer.name)


def _add_labels(
    viewer: ViewerModel,
    data: NDArray[Any],
    *,
    place: int,
    name: str,
    colours: dict[int | None, Any],
    features: dict[str, Any],
    metadata: dict[str, Any],
    **options: Any,
) -> Labels:
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    labels = Labels(
        data,
        name=name,
        colormap=DirectLabelColormap(color_dict=colours),
        features=features,
        **options,
    )
    viewer.layers.insert(place, labels)
    # The viewer may have added a number to the name. The id tells the layer from a
    # duplicate of it, which carries the same metadata but belongs to the user.
    labels.metadata = {
        KEY: {
            **metadata,
            "name": labels.name,
            "layer": str(labels.unique_id),
            "edited": False,
            "checksum": _checksum(labels),
        }
    }
    labels.events.paint.connect(_mark_edited)
    labels.events.data.connect(_mark_edited)
    return labels


def _mark_edited(event: Any) -> None:
    entry = event.source.metadata.get(KEY)
    if isinstance(entry, dict):
        entry["edited"] = True


def _checksum(labels: Labels) -> int:
    """Tells edits that raise no event: scripts and plugins write into the array."""
    return crc32(np.ascontiguousarray(labels.data).data)


def _untouched(
    viewer: ViewerModel, layer: Image, plane: Plane, stage: str
) -> list[Labels]:
    """Our layers of a plane and stage that nobody has edited or renamed."""
    found = []
    for other in viewer.layers:
        entry = other.metadata.get(KEY)
        if (
            isinstance(entry, dict)
            and entry.get("stage") == stage
            and entry.get("image") == str(layer.unique_id)
            and entry.get("position") == list(plane.position)
            and entry.get("layer") == str(other.unique_id)
            and entry.get("name") == other.name
            and not entry.get("edited")
            and entry.get("checksum") == _checksum(other)
        ):
            found.append(other)
    return found


def _look(labels: Labels) -> dict[str, Any]:
    """What a user may have set on a layer that is about to be replaced."""
    return {
        "visible": labels.visible,
        "opacity": labels.opacity,
        "blending": labels.blending,
    }


def _class_colours(classes: ClassSet) -> dict[int | None, Any]:
    return {
        None: _OTHER_LABEL,
        0: "transparent",
        **dict(zip(classes.ids, classes.colours, strict=True)),
    }


def _region_colours(result: Segmentation) -> dict[int | None, Any]:
    table = result.region_table
    ids = zip(table["region"], table["class_id"], strict=True)
    return {
        None: _OTHER_LABEL,
        0: "transparent",
        **{
            int(r): result.classes.colour_of(int(c)) if c else _OTHER_LABEL
            for r, c in ids
        },
    }


def _class_features(classes: ClassSet) -> dict[str, Any]:
    return {
        "index": [0, *classes.ids],
        "class": ["background", *classes.names],
    }


def _region_features(result: Segmentation) -> dict[str, Any]:
    table = result.region_table
    return {
        "index": table["region"].tolist(),
        "class": table["class_name"].tolist(),
        "score": table["mean_probability"].round(3).tolist(),
        "sam_score": table["sam_score"].round(3).tolist(),
    }
