"""COCO instances: outlines where they are exact, else run lengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .coco_files import (
    attributes_of,
    categories,
    class_set,
    field,
    image_path,
    load,
    number,
    part_of_index,
    pixels_of,
    write_index,
)
from .format import DatasetError, Entry, Reader, Record
from .instances import Instance, each
from .item import Item
from .names import unique_name
from .own import restored
from .pictures import write_image
from .polygons import fill, outlines, rings
from .rle import compress, decode, decompress, encode

if TYPE_CHECKING:
    from ..classes import ClassSet

__all__ = ["Coco", "Segmentation"]

Segmentation: TypeAlias = Literal["auto", "rle", "compressed", "polygons"]

_Part: TypeAlias = tuple[int, int, NDArray[np.bool_]]
"""x, y and pixels of an object."""


@dataclass(frozen=True)
class Coco(Reader):
    """Images, and one JSON file a split with an annotation for each object.

    Category ids are class ids. Labels that are of no instance become one object for
    each connected region.

    Parameters
    ----------
    segmentation : {"auto", "rle", "compressed", "polygons"}
        ``"auto"`` writes polygons, which no consumer fails to read, and uncompressed
        runs of objects with holes, which polygons cannot have. ``"polygons"`` cuts such
        objects into pieces instead. Groups are always runs, as COCO has them.
    """

    segmentation: Segmentation = "auto"

    name: ClassVar[str] = "coco"

    def __post_init__(self) -> None:
        if self.segmentation not in {"auto", "rle", "compressed", "polygons"}:
            raise ValueError(
                "segmentation: must be auto, rle, compressed or polygons, got "
                f"{self.segmentation!r}"
            )

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """See `Format.write`."""
        instances, classes = item.objects()
        annotations, cut = [], 0
        for one in each(instances, classes):
            extra = dict(item.attributes.get(one.id, {}))
            crowd = bool(extra.pop("crowd", False))
            segmentation, pieces = self._segmentation(one, item.shape, crowd)
            cut += pieces
            annotations.append(
                {
                    "category_id": one.class_id,
                    "segmentation": segmentation,
                    "area": one.area,
                    "bbox": list(one.bbox),
                    "iscrowd": int(crowd),
                    "attributes": {**extra, "instance": one.id},
                }
            )
        files, skipped = write_image(item, folder, f"images/{split}/{item.name}.png")
        if cut:
            skipped += (
                f"{cut} objects with holes are several polygons each, cut at the holes",
            )
        if item.ignore is not None and item.ignore.any():
            skipped += ("ignored pixels are background: COCO has no other word",)
        data = {"file_name": f"{item.name}.png", "annotations": annotations}
        size = item.shape
        return Record(item.name, split, *size, files, len(annotations), skipped, data)

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """See `Format.finish`."""
        write_index(folder, "instances", records, categories(classes))

    def entries(self, path: Path) -> Iterator[Entry]:
        """See `Format.entries`; also files of other programs.

        Of objects that overlap, the smaller keeps the pixels, and groups lie lowest.
        """
        return restored(Path(path), self._entries(Path(path)))

    def _entries(self, path: Path) -> Iterator[Entry]:
        taken: set[str] = set()
        for index, data in load(path, "instances", "segmentation"):
            yield from _entries(index, data, taken)

    def _segmentation(
        self, one: Instance, shape: tuple[int, int], crowd: bool
    ) -> tuple[Any, bool]:
        """Of an object, and whether it had to be cut."""
        x, y, _, _ = one.bbox
        at = np.array([x, y])
        if not crowd and self.segmentation in {"auto", "polygons"}:
            if self.segmentation == "auto":
                found = list(rings(one.mask))
                lines = [ring for ring, _ in found]
                whole, cut = not any(hole for _, hole in found), False
            else:
                lines, cut = outlines(one.mask)
                whole = True
            if whole:
                return [(ring + at).ravel().tolist() for ring in lines], cut
        counts: Any = encode(one.mask, x, y, shape)
        if self.segmentation == "compressed":
            counts = compress(counts)
        return {"size": list(shape), "counts": counts}, False


def _entries(index: Path, data: Mapping[str, Any], taken: set[str]) -> Iterator[Entry]:
    images: dict[int, int] = {}
    entries = field(data, "images", list, str(index))
    for number_, entry in enumerate(entries):
        here = f"{index}: images[{number_}]"
        if images.setdefault(number(entry, "id", here), number_) != number_:
            raise DatasetError(f"{here}.id: {entry['id']} is given twice")
    annotations = field(data, "annotations", list, str(index))
    of: dict[int, list[int]] = {image: [] for image in images}
    used = set()
    for number_, entry in enumerate(annotations):
        here = f"{index}: annotations[{number_}]"
        image = number(entry, "image_id", here)
        if image not in of:
            raise DatasetError(f"{here}.image_id: there is no image {image}")
        of[image].append(number_)
        used.add(number(entry, "category_id", here))
    given = field(data, "categories", list, str(index))
    kinds = class_set(given, used, str(index))
    for image, at in images.items():
        file_name = field(entries[at], "file_name", str, f"{index}: images[{at}]")
        name = unique_name(file_name, taken)
        yield Entry(name, partial(_item, name, index, data, at, of[image], kinds))


def _item(
    name: str,
    index: Path,
    data: Mapping[str, Any],
    at: int,
    annotations: list[int],
    kinds: tuple[ClassSet, dict[int, int]],
) -> Item:
    here = f"{index}: images[{at}]"
    entry = data["images"][at]
    file_name = entry["file_name"]
    shape = number(entry, "height", here), number(entry, "width", here)
    if not 0 < shape[0] * shape[1] < 2**31:
        raise DatasetError(f"{here}.height: {shape} is no size of an image")
    classes, known = kinds
    parts: dict[int, tuple[bool, int, int, _Part]] = {}
    attributes: dict[int, dict[str, Any]] = {}
    notes: list[str] = []
    numbers = _numbers([data["annotations"][a] for a in annotations])
    for own, number_ in zip(numbers, annotations, strict=True):
        where = f"{index}: annotations[{number_}]"
        annotation = data["annotations"][number_]
        value = known.get(annotation["category_id"])
        if value is None:
            raise DatasetError(
                f"{where}.category_id: there is no category {annotation['category_id']}"
            )
        given = annotation.get("segmentation")
        if not given:
            notes.append(f"annotations[{number_}] has no segmentation and is left out")
            continue
        x, y, mask = _part(given, shape, f"{where}.segmentation")
        area = int(np.count_nonzero(mask))
        crowd = bool(annotation.get("iscrowd", 0))
        parts[own] = (not crowd, -area, value, (x, y, mask))
        attributes[own] = attributes_of(annotation)
    labels = np.zeros(shape, np.int32)
    instances = np.zeros(shape, np.int32)
    covered = 0
    for own in sorted(parts, key=lambda n: (*parts[n][:2], n)):
        _, area, value, (x, y, mask) = parts[own]
        window = (slice(y, y + mask.shape[0]), slice(x, x + mask.shape[1]))
        covered += int(np.count_nonzero(instances[window][mask]))
        instances[window][mask] = own
        labels[window][mask] = value
    if covered:
        notes.append(
            f"{covered} pixels were of more than one object; the smaller has them"
        )
    found = image_path(index, file_name)
    image, why = pixels_of(found, shape, file_name)
    return Item(
        name,
        labels,
        classes,
        image,
        instances,
        {n: parts[n][2] for n in parts},
        {n: a for n, a in attributes.items() if a},
        split=part_of_index(index),
        source=str(found or file_name),
        notes=(*notes, *why),
    )


def _numbers(annotations: list[Mapping[str, Any]]) -> list[int]:
    """Ids of instances as they were exported, else from 1 in their order."""
    given = [
        a["attributes"].get("instance") if isinstance(a.get("attributes"), dict) else 0
        for a in annotations
    ]
    own = [n for n in given if type(n) is int and 0 < n < 2**31]
    if len(set(own)) == len(annotations):
        return own
    return list(range(1, len(annotations) + 1))


def _part(given: Any, shape: tuple[int, int], where: str) -> _Part:
    try:
        if isinstance(given, Mapping):
            size = given.get("size")
            if size != list(shape):
                raise DatasetError(
                    f"{where}.size: must be {list(shape)} as the image, got {size!r}"
                )
            counts = given.get("counts")
            if isinstance(counts, str):
                counts = decompress(counts)
            x, mask = decode(counts, *shape)
            return x, 0, mask
    except DatasetError:
        raise
    except ValueError as error:
        raise DatasetError(f"{where}.counts: {error}") from error
    try:
        lines = [np.asarray(line, float).reshape(-1, 2) for line in given]
    except (TypeError, ValueError):
        lines = []
    if not lines or not all(np.isfinite(line).all() and len(line) for line in lines):
        raise DatasetError(f"{where}: must be polygons or RLE, got {given!r:.60}")
    return fill(lines, shape)
