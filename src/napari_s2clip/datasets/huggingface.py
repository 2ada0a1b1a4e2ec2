"""Hugging Face ``ImageFolder``: images with label maps and objects as their metadata.

``train/name.png``, ``train/labels/name.png``, ``train/instances/name.png`` and
``train/metadata.jsonl``, with ``validation`` for our "val"; ``id2label.json`` and
``classes.json`` for all. ``load_dataset("imagefolder", data_dir=...)`` makes of these
the columns image, label, instances and objects. Only rows of the metadata are examples
there, so maps are not taken for images.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from ..io.atomic import replace_text, replacing
from .class_file import to_indices, write_classes
from .format import DatasetError, Entry, Reader, Record
from .huggingface_rows import (
    METADATA,
    NAMES,
    item_of,
    kinds_of,
    metadata_of,
    name_in,
    rows_of,
)
from .instances import each
from .own import restored
from .pictures import write_image, write_png

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .item import Item

__all__ = ["HuggingFace"]

_FOLDERS: Final = {"train": "train", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class HuggingFace(Reader):
    """A folder for ``load_dataset("imagefolder")``, and what it means.

    Label maps hold the index of ``id2label.json``, 0 for background; the highest value,
    255 or with more than 254 classes 65535, is "ignore". Maps of instances count the
    objects of a row from 1, in their order. The library asks that the same is known of
    every part, so scores have a column if all objects have one, and a part in which no
    image has an object cannot be loaded with one that has some. Its versions 3.6, 4.0
    and 5.2 load such folders, 2.21 does not; where only some rows have an image, 5.2.
    """

    name: ClassVar[str] = "hf"

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """Write the image, the label map and the map of instances."""
        part, file = _FOLDERS[split], f"{item.name}.png"
        found, of = item.objects()
        if len(of) > 65_535:
            raise DatasetError(
                f"{item.name}: a PNG holds up to 65535 objects, there are {len(of)}; "
                "export tiles"
            )
        indices = {value: index for index, value in enumerate(item.classes.ids, 1)}
        objects = [
            {
                "id": one.id,
                "bbox": list(one.bbox),
                "category": indices[one.class_id],
                "area": one.area,
                "attributes": dict(item.attributes.get(one.id, {})),
            }
            for one in each(found, of)
        ]
        files, skipped = write_image(item, folder, f"{part}/{file}")
        values = to_indices(item.labels, item.classes)
        ignore = _ignore(len(item.classes))
        if item.ignore is not None:
            values[item.ignore] = ignore
        numbers = np.searchsorted(np.array([0, *sorted(of)]), found)
        row: dict[str, str | None] = {"file_name": file if files else None}
        for kind, pixels, deep in (
            ("label", values, ignore > 255),
            ("instances", numbers, len(of) > 255),
        ):
            inside = f"{'labels' if kind == 'label' else kind}/{file}"
            row[f"{kind}_file_name"] = inside
            files += (f"{part}/{inside}",)
            write_png(
                folder / files[-1], pixels.astype(np.uint16 if deep else np.uint8)
            )
        data = {"row": row, "objects": objects}
        size = item.shape
        return Record(item.name, split, *size, files, len(of), skipped, data)

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """Write the metadata of every part, and the lists of classes."""
        columns = _columns(records)
        with contextlib.ExitStack() as stack:
            streams: dict[str, Any] = {}
            for record in records:
                part = _FOLDERS[record.split]
                if part not in streams:
                    new = stack.enter_context(replacing(folder / part / METADATA))
                    streams[part] = stack.enter_context(
                        new.open("w", encoding="utf-8", newline="\n")
                    )
                row = _row(record.data, columns)
                streams[part].write(json.dumps(row, ensure_ascii=False) + "\n")
        for part in set(_FOLDERS.values()) - set(streams):
            (folder / part / METADATA).unlink(missing_ok=True)
        names = dict(enumerate(["background", *classes.names]))
        text = json.dumps(names, indent=1, ensure_ascii=False)
        replace_text(folder / NAMES, text + "\n")
        write_classes(folder, classes, ignore=_ignore(len(classes)))

    def entries(self, path: Path) -> Iterator[Entry]:
        """Read the parts of such a folder; also without objects and instances."""
        return restored(Path(path), self._entries(Path(path)))

    def _entries(self, path: Path) -> Iterator[Entry]:
        kinds = kinds_of(path)
        taken: set[str] = set()
        for file in metadata_of(path):
            for where, line in rows_of(file):
                name = name_in(where, line, taken)
                yield Entry(name, partial(item_of, name, file, where, line, kinds))


def _ignore(classes: int) -> int:
    return 255 if classes < 255 else 65_535


def _columns(records: Iterable[Record]) -> tuple[bool, bool, bool]:
    """Whether any image is there, all objects have scores, and some have more."""
    pictured, scored, more, objects = False, True, False, False
    for record in records:
        pictured |= record.data["row"]["file_name"] is not None
        for one in record.data["objects"]:
            objects = True
            score = one["attributes"].get("score")
            has = isinstance(score, int | float) and math.isfinite(score)
            scored &= has
            more |= len(one["attributes"]) > has
    return pictured, scored and objects, more or not scored


def _row(data: Mapping[str, Any], columns: tuple[bool, bool, bool]) -> dict[str, Any]:
    """A line of the metadata. The library wants the file of the image to be first."""
    pictured, scored, more = columns
    objects: dict[str, list[Any]] = {
        key: [one[key] for one in data["objects"]]
        for key in ("id", "bbox", "category", "area")
    }
    rest = [dict(one["attributes"]) for one in data["objects"]]
    if scored:
        objects["score"] = [float(known.pop("score")) for known in rest]
    if more:
        # As text, because attributes differ and columns have one type.
        objects["attributes"] = [json.dumps(known) for known in rest]
    row = dict(data["row"])
    if not pictured:
        del row["file_name"]
    return {**row, "objects": objects}
