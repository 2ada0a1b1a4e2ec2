"""YOLO segmentation: a text file an image, a row an object.

A row is ``class x1 y1 x2 y2 …`` in fractions of the image; classes count from 0. Points
are a quarter of a pixel right of and below the pixel that they mean, so that both
cutting off and rounding give its column and row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..classes import ClassEntry, ClassSet
from ..io.atomic import replace_text
from ..io.class_lists import names_by_number, parse_yaml
from .class_file import read_classes, write_classes
from .contours import Polygon, fill, join, outlines
from .folders import files_of, image_of, name_of, part_of
from .format import SPLITS, DatasetError, Entry, Reader, Record
from .instances import each, lost, present
from .item import Item
from .own import restored, size_of
from .pictures import NO_IMAGE, write_image

__all__ = ["Yolo"]

_OFFSET: Final = 0.25
_INDEX: Final = "data.yaml"


@dataclass(frozen=True)
class Yolo(Reader):
    """YOLO segmentation, as Ultralytics reads it.

    Attributes
    ----------
    parts : "rows" or "bridges"
        What becomes of an object in several parts: a row each, exact but told apart no
        more; or one row, whose bridges cover the pixels between the parts.
    """

    parts: Literal["rows", "bridges"] = "rows"
    name: ClassVar[str] = "yolo"

    def __post_init__(self) -> None:
        if self.parts not in {"rows", "bridges"}:
            raise ValueError(f'parts: must be "rows" or "bridges", got {self.parts!r}')

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """Write the image and its text file."""
        instances, classes = item.objects()
        skipped = lost(classes, item.attributes)
        index = {value: number for number, value in enumerate(item.classes.ids)}
        rows, objects, covered = [], 0, 0
        for thing in each(instances, classes):
            objects += 1
            polygons = outlines(thing.mask)
            if len(polygons) > 1:
                how = f"instance {thing.id} has {len(polygons)} parts"
                if self.parts == "rows":
                    skipped += (f"{how}; each is an object of its own",)
                else:
                    polygons = [join(polygons)]
                    filled = fill(polygons[0], thing.mask.shape)
                    covered = int(filled.sum()) - thing.area
                    skipped += (
                        f"{how}; bridges between them cover {covered} more pixels",
                    )
            shift = np.array(thing.bbox[:2])
            rows += [
                _row(index[thing.class_id], polygon + shift, item.shape)
                for polygon in polygons
            ]
        if item.ignore is not None and item.ignore.any():
            skipped += ("pixels to ignore are background",)
        text = f"labels/{split}/{item.name}.txt"
        path = folder / text
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, "".join(f"{row}\n" for row in rows))
        # After its rows: trainers take an image without them for one without objects.
        files, notes = write_image(item, folder, f"images/{split}/{item.name}.png")
        files, skipped = (*files, text), skipped + notes
        height, width = item.shape
        return Record(item.name, split, height, width, files, objects, skipped)

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """Write ``data.yaml`` and, with ids and colours, ``classes.json``."""
        import yaml

        there = {record.split for record in records}
        content: dict[str, Any] = {}
        for split in SPLITS:
            if split in there:
                content[split] = f"images/{split}"
        # Trainers want both; where there is one, it serves as the other.
        some = next(iter(content.values()), "images/train")
        content = {"train": some, "val": content.get("train", some)} | content
        content["names"] = dict(enumerate(classes.names))
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        text = yaml.dump(content, Dumper=dumper, allow_unicode=True, sort_keys=False)
        replace_text(folder / _INDEX, text)
        write_classes(folder, classes)

    def entries(self, path: Path) -> Iterator[Entry]:
        """Read a folder with ``data.yaml``, ``labels`` and ``images``.

        Images may be missing where we know their size, because we wrote them.
        """
        return restored(Path(path), self._entries(Path(path)))

    def _entries(self, path: Path) -> Iterator[Entry]:
        index = path / _INDEX if path.is_dir() else path
        home = index.parent
        classes = _classes(index)
        # labels/train/name.txt, or train/labels/name.txt as Roboflow has it.
        taken: set[str] = set()
        folders = [home / "labels", *sorted(home.glob("*/labels"))]
        for folder in [f for f in folders if f.is_dir()] or folders[:1]:
            split = part_of([folder.parent.name])
            images = folder.with_name("images")
            for file, inside in files_of(folder, ".txt"):
                name = name_of(file.relative_to(home), taken)
                read = partial(_item, name, file, inside, images, classes, home, split)
                yield Entry(name, read)


def _item(
    name: str,
    file: Path,
    inside: Path,
    images: Path,
    classes: ClassSet,
    home: Path,
    split: str | None,
) -> Item:
    found = image_of(images, inside)
    shape = found[0].shape[:2] if found else size_of(home, name_of(inside))
    if shape is None:
        raise DatasetError(
            f"{file}: its image is missing in {images}, and without it the size is "
            "not known"
        )
    labels = np.zeros(shape, np.uint16)
    instances = np.zeros(shape, np.int32)
    of: dict[int, int] = {}
    for number, row in enumerate(_lines(file), 1):
        value, polygon = _parse(row, shape, classes, f"{file}: line {number}")
        low = np.maximum(polygon.min(0), 0)
        high = polygon.max(0) + 1
        box = slice(low[1], high[1]), slice(low[0], high[0])
        mask = fill(polygon - low, labels[box].shape)
        labels[box][mask] = value
        instances[box][mask] = number
        of[number] = value
    kept = set(present(instances).tolist())
    return Item(
        name,
        labels,
        classes,
        image=found[0] if found else None,
        instances=instances,
        instance_classes={n: v for n, v in of.items() if n in kept},
        split=part_of(inside.parts[:-1]) or split,
        source=str(found[1] if found else file),
        notes=() if found else (NO_IMAGE,),
    )


def _row(number: int, polygon: NDArray[Any], shape: tuple[int, int]) -> str:
    size = np.array([shape[1], shape[0]])
    digits = 6 if max(shape) < 100_000 else 8
    values = ((polygon + _OFFSET) / size).ravel().tolist()
    return f"{number} " + " ".join(f"{value:.{digits}f}" for value in values)


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: it is no text ({error})") from None
    return [line for line in lines if line.strip()]


def _parse(
    row: str, shape: tuple[int, int], classes: ClassSet, where: str
) -> tuple[int, Polygon]:
    try:
        number, *numbers = (float(word) for word in row.split())
    except ValueError:
        raise DatasetError(f"{where}: it must hold numbers only") from None
    if not (0 <= number < len(classes) and number.is_integer()):
        raise DatasetError(
            f"{where}: class must be from 0 to {len(classes) - 1}, got {number:g}"
        )
    if len(numbers) == 4:
        raise DatasetError(
            f"{where}: it is a box, not an outline; only segmentation labels are read"
        )
    if len(numbers) < 6 or len(numbers) % 2:
        raise DatasetError(f"{where}: an outline needs three points or more, x and y")
    points = np.array(numbers).reshape(-1, 2)
    if not (np.isfinite(points).all() and (abs(points - 0.5) <= 0.51).all()):
        raise DatasetError(f"{where}: coordinates must be fractions from 0 to 1")
    size = np.array([shape[1], shape[0]])
    # The sliver makes up for decimals that others cut off.
    pixels = np.floor(points * size + 1e-3).clip(0, size - 1)
    return classes.ids[int(number)], pixels.astype(np.int32)


def _classes(path: Path) -> ClassSet:
    """Those of ``names``; with ids and colours where our file has the same names."""
    try:
        content = parse_yaml(path.read_text(encoding="utf-8-sig"))
        if not isinstance(content, dict):
            raise ValueError("names: they are missing")
        names = names_by_number(content.get("names"), "names")
        if sorted(names) != list(range(len(names))):
            raise ValueError("names: they must be numbered from 0 without gaps")
        order = [names[number] for number in range(len(names))]
        own = read_classes(path.parent)
        if own is not None and list(own[0].names) == order:
            return own[0]
        return ClassSet(ClassEntry(name) for name in order)
    except FileNotFoundError:
        raise DatasetError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: it is no text ({error})") from None
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
