"""TIFF: images and maps of ids without any loss, with the size of a pixel.

``images/train/name.tif``, ``labels/train/name.tif`` (uint16, ids of the classes, 65535
to ignore), ``instances/train/name.tif`` (int32) and ``classes.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from ..io.atomic import replacing
from ..io.files import DAMAGE
from ..io.units import centimetres
from .class_file import from_indices, require_classes, write_classes
from .folders import files_of, labelled, name_of
from .format import DatasetError, Entry, Reader, Record
from .instances import from_ids
from .own import restored
from .pictures import NO_IMAGE

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .item import Attributes, Item

__all__ = ["Tiff"]

_IGNORE: Final = 65_535


@dataclass(frozen=True)
class Tiff(Reader):
    """Compressed TIFF files of images, classes and objects."""

    name: ClassVar[str] = "tiff"

    def write(self, item: Item, folder: Path, split: str) -> Record:
        """Write the image, the classes and the objects."""
        labels = item.labels.astype(np.uint16)
        if item.ignore is not None:
            labels[item.ignore] = _IGNORE
        found, of = item.objects()
        maps: dict[str, NDArray[Any]] = {"labels": labels, "instances": found}
        skipped: tuple[str, ...] = ()
        if item.image is None:
            skipped += (NO_IMAGE,)
        else:
            maps = {"images": item.image} | maps
        files = []
        for kind, pixels in maps.items():
            files.append(f"{kind}/{split}/{item.name}.tif")
            known = item.attributes if kind == "instances" else {}
            _write(folder / files[-1], pixels, item, known)
        height, width = item.shape
        return Record(item.name, split, height, width, tuple(files), len(of), skipped)

    def finish(
        self, folder: Path, records: Sequence[Record], classes: ClassSet
    ) -> None:
        """Write ``classes.json``."""
        write_classes(folder, classes, ignore=_IGNORE)

    def entries(self, path: Path) -> Iterator[Entry]:
        """Read a folder with ``classes.json`` and ``labels``."""
        return restored(Path(path), self._entries(Path(path)))

    def _entries(self, path: Path) -> Iterator[Entry]:
        classes, _ = require_classes(path)
        taken: set[str] = set()
        for file, inside in files_of(path / "labels", ".tif"):
            name = name_of(inside, taken)
            yield Entry(name, partial(_item, name, path, file, inside, classes))


def _item(name: str, path: Path, file: Path, inside: Path, classes: ClassSet) -> Item:
    values, facts = _read(file)
    ignore = values == _IGNORE
    ids = {value: value for value in classes.ids}
    labels = from_indices(np.where(ignore, 0, values), ids, file)
    instances: NDArray[np.int32] | None = None
    of: dict[int, int] = {}
    attributes: dict[int, dict[str, Any]] = {}
    notes: tuple[str, ...] = ()
    objects = path / "instances" / inside
    if objects.is_file():
        numbers, about = _read(objects)
        if numbers.shape != labels.shape:
            raise DatasetError(f"{objects}: its size is not that of {file}")
        instances, of, notes = from_ids(numbers, labels)
        attributes = _attributes(about, objects)
    size = facts.get("pixel_size")
    return labelled(
        name,
        file,
        inside,
        path / "images",
        labels,
        classes,
        ignore=ignore,
        instances=instances,
        instance_classes=of,
        attributes=attributes,
        notes=notes,
        pixel_size=(float(size[0]), float(size[1])) if size else None,
        unit=str(facts.get("unit", "")),
    )


def _attributes(facts: dict[str, Any], path: Path) -> dict[int, dict[str, Any]]:
    try:
        known = dict(facts.get("attributes", {}))
        return {int(number): dict(one) for number, one in known.items()}
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"{path}: attributes must be objects by the numbers of instances ({error})"
        ) from None


def _write(path: Path, pixels: NDArray[Any], item: Item, known: Attributes) -> None:
    from tifffile import imwrite

    facts: dict[str, Any] = {}
    if known:
        facts["attributes"] = {str(n): dict(one) for n, one in known.items()}
    options: dict[str, Any] = {}
    if item.pixel_size is not None:
        facts |= {"pixel_size": list(item.pixel_size), "unit": item.unit}
        scale = centimetres(item.unit)
        height, width = (s * (scale or 1) for s in item.pixel_size)
        options["resolution"] = (1 / width, 1 / height)
        options["resolutionunit"] = "CENTIMETER" if scale else "NONE"
    if pixels.ndim == 3:
        options["photometric"] = "rgb"
        if pixels.shape[2] == 4:
            options["extrasamples"] = ["unassalpha"]
    else:
        options["photometric"] = "minisblack"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as new:
        imwrite(
            new,
            pixels,
            compression="zlib",
            metadata=facts,
            bigtiff=pixels.nbytes > 2**31,
            **options,
        )


def _read(path: Path) -> tuple[NDArray[Any], dict[str, Any]]:
    from tifffile import TiffFile, TiffFileError

    try:
        with TiffFile(path) as tiff:
            pixels = tiff.pages[0].asarray()
            facts = (tiff.shaped_metadata or ({},))[0]
    except (TiffFileError, *DAMAGE) as error:
        raise DatasetError(f"{path}: it cannot be read ({error})") from None
    if pixels.ndim != 2 or pixels.dtype.kind not in "iu":
        raise DatasetError(f"{path}: it must hold whole numbers, one a pixel")
    return pixels, dict(facts)
