"""COCO panoptic: a PNG an image whose colours are the ids of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

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
from .instances import each, present
from .item import Item
from .names import unique_name
from .own import restored
from .pictures import read_png, write_image, write_png

if TYPE_CHECKING:
    from ..classes import ClassSet

__all__ = ["Panoptic"]

_COLOURS: Final = 1 << 24


@dataclass(frozen=True)
class Panoptic(Reader):
    """PNG files with segment ids, and one JSON file a split that lists them.

    Category ids are class ids, segment ids are instance ids. Background and ignored
    pixels are both void, 0.

    Parameters
    ----------
    stuff : tuple of str
        Names of classes that have no instances: each is one segment an image.
    """

    stuff: tuple[str, ...] = ()

    name: ClassVar[str] = "panoptic"

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """See `Format.write`."""
        instances, classes, skipped = self._segments(item)
        segments = []
        stuff = {item.classes.id_of(name) for name in self.stuff}
        for one in each(instances, classes):
            extra = dict(item.attributes.get(one.id, {}))
            crowd = bool(extra.pop("crowd", False))
            crowd &= one.class_id not in stuff  # only things come in groups
            segments.append(
                {
                    "id": one.id,
                    "category_id": one.class_id,
                    "area": one.area,
                    "bbox": list(one.bbox),
                    "iscrowd": int(crowd),
                    # The format lets segments have more fields.
                    **({"attributes": extra} if extra else {}),
                }
            )
        if item.ignore is not None and item.ignore.any():
            skipped += ("ignored pixels and background are both void",)
        image = f"{item.name}.png"
        png = f"annotations/panoptic_{split}/{image}"  # where COCO has them
        shifts = np.array([0, 8, 16], np.int32)
        colours = (instances[..., None] >> shifts & 255).astype(np.uint8)
        files, notes = write_image(item, folder, f"images/{split}/{item.name}.png")
        skipped += notes
        write_png(folder / png, colours)
        annotation = {"file_name": image, "segments_info": segments}
        data = {"file_name": image, "annotations": [annotation]}
        size = item.shape
        files = (png, *files)
        return Record(item.name, split, *size, files, len(segments), skipped, data)

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """See `Format.finish`."""
        kinds = [
            {**kind, "isthing": int(kind["name"] not in self.stuff)}
            for kind in categories(classes)
        ]
        write_index(folder, "panoptic", records, kinds)

    def entries(self, path: Path) -> Iterator[Entry]:
        """See `Format.entries`; also files of other programs."""
        return restored(Path(path), self._entries(Path(path)))

    def _entries(self, path: Path) -> Iterator[Entry]:
        taken: set[str] = set()
        for index, data in load(path, "panoptic", "segments_info"):
            yield from _entries(index, data, taken)

    def _segments(
        self, item: Item
    ) -> tuple[NDArray[np.int32], dict[int, int], tuple[str, ...]]:
        """Instances as the format has them, and what is lost of them."""
        for name in self.stuff:
            if name not in item.classes.names:
                raise ValueError(f"stuff: {name!r} is no class")
        instances, classes = item.objects()
        notes: tuple[str, ...] = ()
        for value in (item.classes.id_of(name) for name in self.stuff):
            own = sorted(n for n, of in classes.items() if of == value)
            if len(own) > 1:
                instances = np.where(item.labels == value, own[0], instances)
                instances = instances.astype(np.int32)
                classes = {n: classes[n] for n in classes if n not in own[1:]}
                name = item.classes.name_of(value)
                notes += (f"{len(own)} regions of {name} are one segment: it is stuff",)
        if classes and max(classes) >= _COLOURS:
            raise DatasetError(
                f"{item.name}: instance {max(classes)} is above {_COLOURS - 1}, the "
                "highest id that a panoptic PNG holds; number them anew"
            )
        return instances, classes, notes


def _entries(index: Path, data: Mapping[str, Any], taken: set[str]) -> Iterator[Entry]:
    annotations = field(data, "annotations", list, str(index))
    used: set[int] = set()
    of: dict[int, int] = {}
    for at, annotation in enumerate(annotations):
        here = f"{index}: annotations[{at}]"
        image_id = number(annotation, "image_id", here)
        if image_id in of:
            raise DatasetError(f"{here}.image_id: {image_id} is given twice")
        of[image_id] = at
        for nth, segment in enumerate(field(annotation, "segments_info", list, here)):
            used.add(number(segment, "category_id", f"{here}.segments_info[{nth}]"))
    kinds = class_set(field(data, "categories", list, str(index)), used, str(index))
    for at, entry in enumerate(field(data, "images", list, str(index))):
        here = f"{index}: images[{at}]"
        file_name = field(entry, "file_name", str, here)
        image_id = number(entry, "id", here)
        if image_id not in of:
            raise DatasetError(f"{here}.id: {image_id} has no annotation")
        nth = of.pop(image_id)
        name = unique_name(file_name, taken)
        labels = partial(_segmented, index, annotations[nth], nth, kinds)
        yield Entry(name, partial(_item, name, index, file_name, labels))
    if of:
        at = min(of.values())
        raise DatasetError(
            f"{index}: annotations[{at}].image_id: there is no such image"
        )


def _item(
    name: str, index: Path, file_name: str, segmented: Callable[[], Item]
) -> Item:
    """Segments with their image."""
    item = segmented()
    found = image_path(index, file_name)
    image, why = pixels_of(found, item.shape, file_name)
    return replace(
        item,
        name=name,
        image=image,
        split=part_of_index(index),
        source=str(found or file_name),
        notes=(*item.notes, *why),
    )


def _segmented(
    index: Path,
    annotation: Mapping[str, Any],
    at: int,
    kinds: tuple[ClassSet, dict[int, int]],
) -> Item:
    here = f"{index}: annotations[{at}]"
    file = _png_of(index, field(annotation, "file_name", str, here), here)
    pixels = read_png(file)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise DatasetError(f"{file}: it must be RGB of 8 bits")
    instances = pixels[..., :3].astype(np.int32) @ np.array([1, 256, 65536], np.int32)
    classes, known = kinds
    of: dict[int, int] = {}
    attributes = {}
    for nth, segment in enumerate(annotation["segments_info"]):
        where = f"{here}.segments_info[{nth}]"
        own, kind = number(segment, "id", where), number(segment, "category_id", where)
        if own in of or not 0 < own < _COLOURS:
            raise DatasetError(f"{where}.id: {own} is given twice or out of range")
        if kind not in known:
            raise DatasetError(f"{where}.category_id: there is no category {kind}")
        of[own] = known[kind]
        if extra := attributes_of(segment):
            attributes[own] = extra
    ids = present(instances)
    odd = next((n for n in ids.tolist() if n not in of), None)
    if odd is not None:
        raise DatasetError(f"{file}: segment {odd} is not in {here}.segments_info")
    values = np.array([0, *(of[n] for n in ids.tolist())], np.int32)
    labels = values[np.searchsorted(np.array([0, *ids]), instances)]
    absent = len(of) - len(ids)
    notes = (f"{absent} segments have no pixels",) if absent else ()
    return Item(
        "unnamed",
        labels,
        classes,
        None,
        instances,
        of,
        attributes,
        notes=notes,
    )


def _png_of(index: Path, file_name: str, where: str) -> Path:
    """The PNG of an annotation: in the folder named as the index, or beside it."""
    name = file_name.replace("\\", "/").rpartition("/")[2]
    home, above = index.parent, index.parent.parent
    for folder in (above / index.stem, home / index.stem, home, above):
        if name and (folder / name).is_file():
            return folder / name
    raise DatasetError(f"{where}.file_name: {name} is not in {above / index.stem}")
