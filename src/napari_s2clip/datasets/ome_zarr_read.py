"""Images with labels in OME-Zarr folders, versions 0.4 and 0.5, as items."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..classes import ClassEntry, ClassSet
from ..io.multiscales import metadata_of, multiscales_of
from .class_file import from_indices
from .folders import part_of
from .format import DatasetError
from .instances import from_ids
from .item import Item
from .names import folded, unique_name

if TYPE_CHECKING:
    import zarr

__all__ = ["CLASSES", "IGNORE", "OBJECTS", "RESERVED", "item_of", "name_of", "zarrs_of"]

CLASSES: Final = "classes"
OBJECTS: Final = "objects"
IGNORE: Final = 65_535
RESERVED: Final = frozenset({"label-value", "class"})
"""Properties of an object that are not attributes."""

# What zarr raises on metadata and chunks that are damaged.
_DAMAGE: Final = (
    AttributeError,
    KeyError,
    OSError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_ENDINGS: Final = (".ome.zarr", ".zarr")


def zarrs_of(path: Path) -> list[Path]:
    """The folder itself, or those in it and in its folders, in order of their paths.

    Raises
    ------
    DatasetError
        If there are none.
    """
    if path.name.endswith(_ENDINGS):
        return [path]
    found = sorted(
        folder
        for pattern in ("*.zarr", "*/*.zarr")
        for folder in path.glob(pattern)
        if folder.is_dir() and not folder.name.startswith(".")
    )
    if not found:
        raise DatasetError(f"{path}: there is no folder with the ending .ome.zarr")
    return found


def name_of(folder: Path, taken: set[str]) -> str:
    """The name of the image of such a folder; with the one around it if it is taken."""
    name = folder.name
    name = next(name.removesuffix(e) for e in _ENDINGS if name.endswith(e))
    if folded(name) in taken:
        return unique_name(f"{folder.parent.name}/{name}.zarr", taken)
    taken.add(folded(name))
    return name


def item_of(name: str, folder: Path) -> Item:
    """The image and the labels of a folder.

    Raises
    ------
    DatasetError
        Names what is missing, or not as the format has it.
    """
    import zarr

    try:
        root = zarr.open_group(folder, mode="r")
        labels = _group(root, f"labels/{CLASSES}", folder)
        if labels is None:
            raise DatasetError(
                f"{folder}: labels/{CLASSES} is missing; name the label image of the "
                f"classes so, and that of the objects {OBJECTS}"
            )
        return _item(name, folder, root, labels)
    except DatasetError:
        raise
    except _DAMAGE as error:
        text = " ".join(str(error).split())
        raise DatasetError(f"{folder}: it cannot be read ({text})") from error


def _item(name: str, folder: Path, root: zarr.Group, group: zarr.Group) -> Item:
    where = f"{folder}: labels/{CLASSES}"
    values, size, unit = _pixels(group, where)
    if values.ndim != 2 or values.dtype.kind not in "iu":
        raise DatasetError(f"{where}: it must hold whole numbers, one a pixel")
    classes = _classes(group, where)
    ids = {value: value for value in classes.ids}
    ignore = values == IGNORE
    labels = from_indices(np.where(ignore, 0, values), ids, folder / "labels" / CLASSES)
    objects = _group(root, f"labels/{OBJECTS}", folder)
    notes: tuple[str, ...] = ()
    instances: NDArray[np.int32] | None = None
    of: dict[int, int] = {}
    attributes: dict[int, dict[str, Any]] = {}
    if objects is not None:
        there = f"{folder}: labels/{OBJECTS}"
        numbers, _, _ = _pixels(objects, there)
        if numbers.shape != labels.shape or numbers.dtype.kind not in "iu":
            raise DatasetError(f"{there}: it must be a map like that of the classes")
        instances, of, notes = from_ids(numbers, labels)
        attributes = _attributes(objects, there, of)
    image = None
    if "multiscales" in metadata_of(root):
        image, _, _ = _pixels(root, str(folder))
        shape = image.shape
        if shape[:2] != labels.shape or image.shape[2:] not in {(), (3,), (4,)}:
            notes += (f"the image of shape {shape} does not go with its labels",)
            image = None
    else:
        notes += ("there is no image beside the labels",)
    return Item(
        name,
        labels,
        classes,
        image,
        instances,
        of,
        attributes,
        ignore if ignore.any() else None,
        size,
        unit,
        split=part_of([folder.parent.name]),
        source=str(folder),
        notes=notes,
    )


def _group(root: zarr.Group, name: str, folder: Path) -> zarr.Group | None:
    """A group in a group; None if there is none."""
    import zarr

    if name not in root:
        return None
    found = root[name]
    if not isinstance(found, zarr.Group):
        raise DatasetError(f"{folder}: {name} must be a group, not an array")
    return found


def _pixels(
    group: zarr.Group, where: str
) -> tuple[NDArray[Any], tuple[float, float] | None, str]:
    """The finest level as (H, W) or (H, W, C), the size of a pixel and its unit."""
    try:
        found = multiscales_of(group)
    except ValueError as error:
        raise DatasetError(f"{where}: {error}") from None
    names, level = found.names, found.levels[0]
    array = level.array
    if not {"y", "x"} <= set(names):
        raise DatasetError(f"{where}: it must have axes y and x, it has {names}")
    for name, length in zip(names, array.shape, strict=True):
        if name not in {"c", "y", "x"} and length != 1:
            raise DatasetError(
                f"{where}: it has {length} planes along {name}; only single planes are "
                "read"
            )
    kept = [
        name
        for name, length in zip(names, array.shape, strict=True)
        if name in {"y", "x"} or (name == "c" and length > 1)
    ]
    planes = np.asarray(array[...])
    planes = planes.squeeze(tuple(n for n, a in enumerate(names) if a not in kept))
    order = [kept.index(name) for name in ("y", "x", "c") if name in kept]
    unit, size = found.axes[names.index("y")].unit, found.pixel_size(level)
    if size is not None and not unit and set(size) == {1.0}:
        size = None
    return planes.transpose(order), size, unit


def _properties(group: zarr.Group, where: str) -> list[dict[str, Any]]:
    about = metadata_of(group).get("image-label", {})
    found = about.get("properties", []) if isinstance(about, Mapping) else None
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and type(one.get("label-value")) is int for one in found
    ):
        raise DatasetError(
            f"{where}: image-label.properties must be a list of objects with a "
            "label-value"
        )
    return found


def _classes(group: zarr.Group, where: str) -> ClassSet:
    colours: dict[Any, str] = {}
    about = metadata_of(group).get("image-label", {})
    for one in about.get("colors", []) if isinstance(about, Mapping) else []:
        rgba = one.get("rgba") if isinstance(one, dict) else None
        if isinstance(rgba, list) and all(
            isinstance(v, int) and 0 <= v <= 255 for v in rgba
        ):
            colours[one.get("label-value")] = f"#{bytes(rgba[:3]).hex()}"
    entries = [
        ClassEntry(one["class"], (), colours.get(value, ""), value)
        for one in _properties(group, where)
        if (value := one["label-value"]) not in {0, IGNORE} and "class" in one
    ]
    try:
        return ClassSet(entries)
    except ValueError as error:
        raise DatasetError(
            f"{where}: image-label.properties must give each label-value a class "
            f"({error})"
        ) from None


def _attributes(
    group: zarr.Group, where: str, of: Mapping[int, int]
) -> dict[int, dict[str, Any]]:
    found = {}
    for one in _properties(group, where):
        known = {
            str(key): value
            for key, value in one.items()
            if key not in RESERVED and isinstance(value, str | int | float)
        }
        if known and one["label-value"] in of:
            found[one["label-value"]] = known
    return found
