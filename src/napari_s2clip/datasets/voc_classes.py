"""Classes of Pascal VOC: its colours, ``labelmap.txt``, and the twenty of 2012."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..classes import ClassEntry, ClassSet
from .format import DatasetError

__all__ = ["IGNORED", "colour_map", "label_map"]

IGNORED: Final = "ignored"
"""How label maps call void, which is no class."""

_TWENTY: Final = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair"),
    *("cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)
"""The classes of VOC 2007 to 2012, in the order of their colours."""

Colours = list[tuple[int, ...]]


def colour_map() -> NDArray[np.uint8]:
    """The 256 colours of VOC: bits of the index, spread over red, green and blue."""
    index = np.arange(256)
    colours = np.zeros((256, 3), np.int64)
    for step in range(8):
        for channel in range(3):
            bit = (index >> (3 * step + channel)) & 1
            colours[:, channel] |= bit << (7 - step)
    return colours.astype(np.uint8)


def label_map(folder: Path) -> tuple[ClassSet, Colours]:
    """The classes of a dataset and the colours of background and classes.

    Without ``labelmap.txt``, as VOC comes, they are VOC's own, if the objects in
    ``Annotations`` are of these.

    Raises
    ------
    DatasetError
        If they are not, or the file is not as it should be.
    """
    path = folder / "labelmap.txt"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        lines = _lines_of_voc(path)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: it is no text ({error})") from None
    names, colours = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, *rest = line.rsplit(":", 3) if line.count(":") >= 3 else line.split(":")
        try:
            red, green, blue = (int(v) for v in rest[0].split(","))
        except (IndexError, ValueError):
            raise DatasetError(
                f"{path}: line {number}: it must be name:r,g,b::, got {line!r}"
            ) from None
        names.append(name)
        colours.append((red, green, blue))
    if not names or names[0].casefold() != "background":
        raise DatasetError(f"{path}: its first class must be background")
    if names[-1].casefold() == IGNORED and colours[-1] == (224, 224, 192):
        del names[-1], colours[-1]
    try:
        classes = ClassSet(
            ClassEntry(name, colour=f"#{red:02x}{green:02x}{blue:02x}")
            for name, (red, green, blue) in zip(names[1:], colours[1:], strict=True)
        )
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
    return classes, [tuple(colour) for colour in colours]


def _lines_of_voc(path: Path) -> list[str]:
    todo = "write a line name:r,g,b:: for each class, background:0,0,0:: first"
    odd = _odd_name(path.parent)
    if odd is None:
        raise DatasetError(f"{path}: there is no such file; {todo}")
    if odd:
        raise DatasetError(
            f"{path}: there is no such file, and {odd} is no class of VOC 2012; {todo}"
        )
    return [
        f"{name}:{','.join(map(str, colour))}::"
        for name, colour in zip(
            ("background", *_TWENTY), colour_map().tolist(), strict=False
        )
    ]


def _odd_name(folder: Path) -> str | None:
    """A name of an object that VOC does not have, "" if all are; None without any."""
    found = None
    for name in _names(folder):
        if name not in _TWENTY:
            return name
        found = ""
    return found


def _names(folder: Path) -> Iterator[str]:
    """The names of the objects of all images that have labels."""
    from xml.etree import ElementTree as ET

    for file in sorted((folder / "SegmentationClass").glob("*.png")):
        path = folder / "Annotations" / f"{file.stem}.xml"
        try:
            tree = ET.parse(path)
        except FileNotFoundError:
            continue
        except ET.ParseError as error:
            raise DatasetError(f"{path}: it is no XML ({error})") from None
        yield from (
            name.text.strip()
            for name in tree.iterfind("object/name")
            if name.text is not None
        )
