"""Semantic PNG: one grey image a label map, whose values count the classes from 1.

``images/train/name.png``, ``masks/train/name.png`` and ``classes.json``. 0 is
background; the highest value, 255 or with more than 254 classes 65535, is "ignore".
Trainers that leave the background out (``reduce_zero_label``) read these files as is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .class_file import (
    CLASS_FILE,
    from_indices,
    require_classes,
    to_indices,
    write_classes,
)
from .folders import files_of, labelled, name_of
from .format import DatasetError, Entry, Reader, Record
from .own import restored
from .pictures import read_png, write_image, write_png

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .item import Item

__all__ = ["SemanticPNG"]


@dataclass(frozen=True)
class SemanticPNG(Reader):
    """Label maps as PNG with a list of classes; objects are not told apart."""

    name: ClassVar[str] = "png"

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """Write the image and the label map."""
        files, skipped = write_image(item, folder, f"images/{split}/{item.name}.png")
        files += (f"masks/{split}/{item.name}.png",)
        values = to_indices(item.labels, item.classes)
        ignore = _ignore(item.classes)
        if item.ignore is not None:
            values[item.ignore] = ignore
        pixels = values.astype(np.uint8) if ignore == 255 else values
        write_png(folder / files[-1], pixels)
        if item.instances is not None:
            skipped += ("objects of one class are not told apart",)
        height, width = item.shape
        return Record(item.name, split, height, width, files, 0, skipped)

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """Write ``classes.json``."""
        write_classes(folder, classes, ignore=_ignore(classes), reduce_zero_label=False)

    def entries(self, path: Path) -> Iterator[Entry]:
        """Read a folder with ``masks``, and ``images`` where there are some."""
        return restored(Path(path), self._entries(Path(path)))

    def _entries(self, path: Path) -> Iterator[Entry]:
        classes, facts = require_classes(path)
        ignored = facts.get("ignore", _ignore(classes))
        if not isinstance(ignored, int):
            raise DatasetError(f"{path / CLASS_FILE}: ignore must be a whole number")
        taken: set[str] = set()
        for file, inside in files_of(path / "masks", ".png"):
            name = name_of(inside, taken)
            read = partial(_item, name, path, file, inside, classes, ignored)
            yield Entry(name, read)


def _item(
    name: str, path: Path, file: Path, inside: Path, classes: ClassSet, ignored: int
) -> Item:
    values = read_png(file)
    if values.ndim != 2:
        raise DatasetError(f"{file}: it has colours, not one value a pixel")
    ignore = values == ignored
    ids = dict(enumerate(classes.ids, 1))
    labels = from_indices(np.where(ignore, 0, values), ids, file)
    return labelled(name, file, inside, path / "images", labels, classes, ignore=ignore)


def _ignore(classes: ClassSet) -> int:
    return 255 if len(classes) < 255 else 65_535
