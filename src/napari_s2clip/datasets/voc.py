"""Pascal VOC segmentation: palette PNGs of classes and of objects.

Values count the classes from 1 in their order; 0 is background, 255 void.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from ..image import to_rgb
from ..io.atomic import replace_bytes, replace_text
from .class_file import from_indices, read_classes, to_indices, write_classes
from .folders import files_of, labelled, name_of
from .format import SPLITS, DatasetError, Entry, Reader, Record
from .instances import from_ids, lost
from .own import restored
from .pictures import NO_IMAGE, read_png, write_png
from .voc_classes import IGNORED, colour_map, label_map

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .item import Item

__all__ = ["Voc"]

_VOID: Final = 255
_LISTS: Final = Path("ImageSets", "Segmentation")
_LONGEST: Final = 65_500  # px, of a JPEG


@dataclass(frozen=True)
class Voc(Reader):
    """Pascal VOC segmentation, as torchvision's ``VOCSegmentation`` reads it."""

    name: ClassVar[str] = "voc"

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """Write the image as JPEG, and the maps of classes and objects."""
        if len(item.classes) >= _VOID:
            raise DatasetError(
                f"{item.name}: VOC has up to 254 classes, there are "
                f"{len(item.classes)}; choose another format"
            )
        found, of = item.objects()
        skipped = lost(of, item.attributes)
        files = []
        if item.image is None:
            skipped += (NO_IMAGE,)
        else:
            files.append(f"JPEGImages/{item.name}.jpg")
            skipped += _write_jpeg(folder / files[0], item, item.image)
        classes = to_indices(item.labels, item.classes).astype(np.uint8)
        ids = np.array([0, *sorted(of)])
        objects = np.searchsorted(ids, found)
        for kind, values in (("Class", classes), ("Object", objects)):
            file = f"Segmentation{kind}/{item.name}.png"
            files.append(file)
            deep = values.max() >= _VOID
            if item.ignore is not None:
                values[item.ignore] = 65_535 if deep else _VOID
            if not deep:
                palette = colour_map().tobytes()
                write_png(folder / file, values.astype(np.uint8), palette)
            elif len(of) < 65_535:
                write_png(folder / file, values.astype(np.uint16))
                text = f"{len(of)} objects are too many for a palette; their map is a "
                skipped += (text + "grey PNG of 16 bits",)
            else:
                raise DatasetError(
                    f"{item.name}: VOC has up to 65534 objects, there are {len(of)}"
                )
        data = {"void": item.ignore is not None and bool(item.ignore.any())}
        size = item.shape
        return Record(item.name, split, *size, tuple(files), len(of), skipped, data)

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """Write the lists of images, ``labelmap.txt`` and ``classes.json``."""
        (folder / _LISTS).mkdir(parents=True, exist_ok=True)
        names: dict[str, list[str]] = {split: [] for split in SPLITS}
        void = False
        for record in records:
            names[record.split].append(record.name)
            void |= bool(record.data.get("void"))
        names["trainval"] = sorted(names["train"] + names["val"])
        for split, members in names.items():
            text = "".join(f"{name}\n" for name in members)
            replace_text(folder / _LISTS / f"{split}.txt", text)
        lines = ["# label:color_rgb:parts:actions"]
        for name, colour in zip(
            ["background", *classes.names], colour_map().tolist(), strict=False
        ):
            lines.append(f"{name}:{','.join(map(str, colour))}::")
        if void:  # others read no colour that has no name
            lines.append(f"{IGNORED}:{','.join(map(str, colour_map()[_VOID]))}::")
        replace_text(folder / "labelmap.txt", "\n".join(lines) + "\n")
        write_classes(folder, classes, ignore=_VOID)

    def entries(self, path: Path) -> Iterator[Entry]:
        """Read a folder with ``SegmentationClass`` and a list of classes."""
        return restored(Path(path), self._entries(Path(path)))

    def _entries(self, path: Path) -> Iterator[Entry]:
        found = read_classes(path)
        classes, colours = label_map(path) if found is None else (found[0], None)
        splits = _splits(path)
        taken: set[str] = set()
        for file, inside in files_of(path / "SegmentationClass", ".png"):
            name = name_of(inside, taken)
            split = splits.get(inside.stem)
            read = partial(_item, name, path, file, inside, classes, colours, split)
            yield Entry(name, read)


def _item(
    name: str,
    path: Path,
    file: Path,
    inside: Path,
    classes: ClassSet,
    colours: list[tuple[int, ...]] | None,
    split: str | None,
) -> Item:
    values = _indices(file, colours)
    ignore = values == _VOID
    ids = dict(enumerate(classes.ids, 1))
    labels = from_indices(np.where(ignore, 0, values), ids, file)
    instances, of, notes = _objects(path / "SegmentationObject" / inside, labels)
    return labelled(
        name,
        file,
        inside,
        path / "JPEGImages",
        labels,
        classes,
        ignore=ignore,
        instances=instances,
        instance_classes=of,
        split=split,
        notes=notes,
    )


def _write_jpeg(path: Path, item: Item, image: NDArray[Any]) -> tuple[str, ...]:
    from PIL import Image

    if max(image.shape[:2]) > _LONGEST:
        raise DatasetError(
            f"{item.name}: a JPEG has sides of up to {_LONGEST} px, this image has "
            f"{max(image.shape[:2])}; export tiles"
        )
    notes: tuple[str, ...] = ()
    if image.dtype != np.uint8 or image.shape[2:] == (4,):
        notes = (f"the image has values of {image.dtype}; its copy is 8-bit RGB",)
        levels = None if image.dtype == np.uint8 else item.levels
        image = to_rgb(image, levels=levels).pixels
    # Into memory: Pillow does not see it when a disk takes a part of its bytes only.
    data = io.BytesIO()
    # Colours at full resolution: edges are what this is about.
    Image.fromarray(np.ascontiguousarray(image)).save(
        data, format="jpeg", quality=95, subsampling=0
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, data.getvalue())
    return notes


def _objects(
    path: Path, labels: NDArray[Any]
) -> tuple[NDArray[np.int32] | None, dict[int, int], tuple[str, ...]]:
    if not path.is_file():
        return None, {}, ()
    values = read_png(path)
    if values.ndim != 2 or values.shape != labels.shape:
        raise DatasetError(f"{path}: it must be a palette PNG of the image's size")
    return from_ids(values.astype(np.int64), labels)


def _splits(path: Path) -> dict[str, str]:
    """The part of each image that a list names."""
    found: dict[str, str] = {}
    for split in SPLITS:
        file = path / _LISTS / f"{split}.txt"
        if file.is_file():
            try:
                names = file.read_text(encoding="utf-8").splitlines()
            except UnicodeDecodeError as error:
                raise DatasetError(f"{file}: it is no text ({error})") from None
            for name in names:
                found.setdefault(name.strip(), split)
    return found


def _indices(path: Path, colours: list[tuple[int, ...]] | None) -> NDArray[Any]:
    """Positions of the classes, of a palette's indices or of colours."""
    values = read_png(path)
    if values.ndim == 2:
        return values
    if colours is None:
        raise DatasetError(f"{path}: it must have a palette, not colours")
    packed = values[..., :3].astype(np.int64) @ [65_536, 256, 1]
    result = np.full(packed.shape, -1)
    for index, (red, green, blue) in enumerate(colours):
        result[packed == red * 65_536 + green * 256 + blue] = index
    result[packed == 224 * 65_536 + 224 * 256 + 192] = _VOID
    if (result < 0).any():
        odd = values[result < 0][0, :3].tolist()
        raise DatasetError(f"{path}: the colour {odd} is not in labelmap.txt")
    return result
