"""OME-Zarr 0.5: a folder an image, with its labels in it.

``train/name.ome.zarr`` has the image, ``labels/classes`` (uint16, ids of the classes,
65535 to ignore) and ``labels/objects`` (int32). What the values mean is said by
``image-label`` of each, so that every image is complete in itself. zarr writes the
arrays, the library ``ome-zarr`` the metadata.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from ..io.atomic import replacing_folder
from ..io.units import standard
from .format import DatasetError, Entry, Reader, Record
from .ome_zarr_read import (
    CLASSES,
    IGNORE,
    OBJECTS,
    RESERVED,
    item_of,
    name_of,
    zarrs_of,
)
from .own import restored
from .pictures import NO_IMAGE

if TYPE_CHECKING:
    import zarr

    from ..classes import ClassSet
    from .item import Item

__all__ = ["OmeZarr"]

_CHUNK: Final = 512
"""Pixels; larger images get smaller copies, each half the size of the one before."""


@dataclass(frozen=True)
class OmeZarr(Reader):
    """OME-Zarr folders; needs the extra ``ome-zarr`` to write."""

    name: ClassVar[str] = "ome-zarr"

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """Write one folder, in one step.

        Raises
        ------
        DatasetError
            If ome-zarr is not installed.
        """
        import zarr
        from zarr.storage import MemoryStore

        _, _, version = _libraries()
        found, of = item.objects()
        values = item.labels.astype(np.uint16)
        if item.ignore is not None:
            values[item.ignore] = IGNORE
        skipped: tuple[str, ...] = () if item.image is not None else (NO_IMAGE,)
        objects, lost = _objects(item, of)
        if lost:
            skipped += (f"what is known as {lost} of objects has no place",)
        file = f"{split}/{item.name}.ome.zarr"
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        # zarr writes from several threads and, where one of them fails, does not wait
        # for the others; so it writes to memory, and the files are written in turn.
        parts: dict[str, Any] = {}
        root = zarr.open_group(MemoryStore(parts), mode="w", zarr_format=3)
        if item.image is not None:
            _write(root, item.image, item, item.name, _mean)
        # The library adds the names, not the version.
        about = {"ome": {"version": version.version}}
        labels = root.create_group("labels", attributes=about)
        for name, pixels, meaning in (
            (CLASSES, values, _classes(item)),
            (OBJECTS, found, objects),
        ):
            group = labels.create_group(name)
            _write(group, pixels, item, name, _nearest)
            _describe(labels, name, *meaning)
        with replacing_folder(path) as new:
            for key, part in parts.items():
                (new / key).parent.mkdir(parents=True, exist_ok=True)
                (new / key).write_bytes(part.to_bytes())
        height, width = item.shape
        return Record(item.name, split, height, width, (file,), len(of), skipped)

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """There is nothing that all images share."""

    def entries(self, path: Path) -> Iterator[Entry]:
        """Read a folder with such folders, or one of them.

        Labels of others are read if they are named ``classes``, and ``objects``.
        """
        return restored(Path(path), self._entries(Path(path)))

    def _entries(self, path: Path) -> Iterator[Entry]:
        taken: set[str] = set()
        for folder in zarrs_of(path):
            name = name_of(folder, taken)
            yield Entry(name, partial(item_of, name, folder))


def _libraries() -> tuple[Any, Any, Any]:
    """Functions that write the metadata, and the version of the format."""
    try:
        from ome_zarr.format import FormatV05
        from ome_zarr.writer import write_label_metadata, write_multiscales_metadata
    except ImportError as error:
        raise DatasetError(
            'writing OME-Zarr needs ome-zarr; pip install "napari-s2clip[ome-zarr]" '
            f"({error})"
        ) from error
    return write_multiscales_metadata, write_label_metadata, FormatV05()


def _write(
    group: zarr.Group,
    pixels: NDArray[Any],
    item: Item,
    name: str,
    half: Callable[[NDArray[Any]], tuple[NDArray[Any], float]],
) -> None:
    """Write an image and smaller copies, as multiscales of a group."""
    write_multiscales, _, version = _libraries()
    axes: list[dict[str, str]] = [
        {"name": axis, "type": "space"} for axis in ("y", "x")
    ]
    unit = standard(item.unit)
    if item.pixel_size is not None and unit is not None:
        axes = [{**axis, "unit": unit} for axis in axes]
    more: dict[str, Any] = {}
    if pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 2, 0)
        axes = [{"name": "c", "type": "channel"}, *axes]
        more = {"metadata": {"omero": _colours(pixels)}}
    size = np.array(item.pixel_size or (1.0, 1.0))
    datasets: list[dict[str, Any]] = []
    factor, shift = 1, 0.0
    while True:
        path = f"s{len(datasets)}"
        array = group.create_array(
            path,
            shape=pixels.shape,
            dtype=pixels.dtype,
            chunks=tuple(min(n, _CHUNK) for n in pixels.shape),
            dimension_names=[axis["name"] for axis in axes],
        )
        array[...] = pixels
        first = [1.0] * (pixels.ndim - 2)
        steps: list[dict[str, Any]] = [
            {"type": "scale", "scale": [*first, *(size * factor).tolist()]}
        ]
        if shift:
            first = [0.0] * (pixels.ndim - 2)
            steps.append(
                {
                    "type": "translation",
                    "translation": [*first, *(size * shift).tolist()],
                }
            )
        datasets.append({"path": path, "coordinateTransformations": steps})
        if max(pixels.shape[-2:]) <= _CHUNK:
            break
        pixels, moved = half(pixels)
        shift += moved * factor
        factor *= 2
    write_multiscales(group, datasets, fmt=version, axes=axes, name=name, **more)


def _nearest(values: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Every other pixel: the first stays where it is."""
    return values[..., ::2, ::2], 0.0


def _mean(image: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Means of four pixels, whose centre lies half a pixel further."""
    *_, height, width = image.shape
    beside = [(0, 0)] * (image.ndim - 2)
    even = np.pad(image, [*beside, (0, height % 2), (0, width % 2)], mode="edge")
    kind = np.result_type(image.dtype, np.float32)
    parts = (even[..., y::2, x::2] for y in (0, 1) for x in (0, 1))
    mean = sum(np.divide(part, 4, dtype=kind) for part in parts)
    if image.dtype.kind in "biu":
        mean = np.rint(mean)
    return np.asarray(mean).astype(image.dtype), 0.5


def _colours(image: NDArray[Any]) -> dict[str, Any]:
    """How viewers show channels: as red, green, blue, and as much as there is."""
    kinds = [("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF")]
    kinds.append(("alpha", "FFFFFF"))
    low, high = 0.0, 255.0
    if image.dtype != np.uint8:
        values = image[np.isfinite(image)]
        low, high = (float(f(values)) if values.size else 0.0 for f in (np.min, np.max))
    return {
        "channels": [
            {
                "label": label,
                "color": colour,
                "active": label != "alpha",
                "window": {"min": low, "max": high, "start": low, "end": high},
            }
            for (label, colour), _ in zip(kinds, image, strict=False)
        ]
    }


def _describe(
    labels: zarr.Group,
    name: str,
    colours: Mapping[int, str],
    properties: Sequence[Mapping[str, Any]],
) -> None:
    """Say what the values of a label image mean. Lists must not be empty."""
    _, write_label, version = _libraries()
    lists: dict[str, Any] = {}
    if properties:
        lists["properties"] = list(properties)
        lists["colors"] = [
            {"label-value": value, "rgba": [*bytes.fromhex(colour[1:])]}
            for value, colour in colours.items()
        ]
    write_label(labels, name, fmt=version, source={"image": "../../"}, **lists)


def _classes(item: Item) -> tuple[dict[int, str], list[dict[str, Any]]]:
    colours = {entry.id or 0: f"{entry.colour}ff" for entry in item.classes}
    properties: list[dict[str, Any]] = [
        {"label-value": entry.id, "class": entry.name} for entry in item.classes
    ]
    if item.ignore is not None:
        colours[IGNORE] = "#00000000"
        properties.append({"label-value": IGNORE, "class": "ignore"})
    return colours, properties


def _objects(
    item: Item, of: Mapping[int, int]
) -> tuple[tuple[dict[int, str], list[dict[str, Any]]], str]:
    """Colours and properties of objects, and names that cannot be among these."""
    lost: set[str] = set()
    colours: dict[int, str] = {}
    properties: list[dict[str, Any]] = []
    for number, value in sorted(of.items()):
        known = dict(item.attributes.get(number, {}))
        odd = {key for key, one in known.items() if key in RESERVED or _no_json(one)}
        lost |= odd
        kept = {key: one for key, one in known.items() if key not in odd}
        own = {"label-value": number, "class": item.classes.name_of(value)}
        properties.append({**own, **kept})
        colours[number] = f"{item.classes.colour_of(value)}ff"
    return (colours, properties), ", ".join(sorted(lost))


def _no_json(value: object) -> bool:
    """Whether strict JSON has no word for it."""
    return isinstance(value, float) and not math.isfinite(value)
