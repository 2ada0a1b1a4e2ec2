"""Results of one image, read for somebody who corrects them: edits included."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from ..io.annotations import Annotations
from ..io.map_files import digest_of
from ..io.results import MAPS
from ..maps import new_map
from ..results import REGION_COLUMNS
from ..review.record import read_record
from .finished import FinishedImage
from .written import written_path, written_results

if TYPE_CHECKING:
    import pandas as pd

    from ..classes import ClassSet

__all__ = [
    "OpenedResults",
    "edited_maps",
    "mapping_of",
    "open_results",
    "position_of",
    "stamp_of",
]

MakeMap: TypeAlias = Callable[[tuple[int, ...], Any], Any]

_ROWS: Final = 1 << 24  # values that are read together

_LARGEST: Final = {"coarse": 2**16 - 1, "refined": 2**16 - 1}
_DTYPES: Final = {"coarse": np.uint16, "refined": np.uint16}


@dataclass(frozen=True, eq=False)
class OpenedResults:
    """Results of one image as they were read, or saved last.

    Attributes
    ----------
    image : FinishedImage
    annotations : Annotations
        Maps as the label files have them now, ``written`` as the job wrote those that
        were edited since, as far as that is known.
    reviewed : bool or None
        Whether somebody looked through it; None if that is not known.
    digests : mapping of str to str
        What the maps in the files are known by.
    stamps : mapping of str to (int, int)
        Size and time of writing of the files.
    """

    image: FinishedImage
    annotations: Annotations
    reviewed: bool | None
    digests: Mapping[str, str]
    stamps: Mapping[str, tuple[int, int]]


def open_results(image: FinishedImage, *, make: MakeMap = new_map) -> OpenedResults:
    """Read the results of one image. The arrays are copies: they change no file.

    Parameters
    ----------
    image : FinishedImage
    make : callable
        Makes the arrays, ``make(shape, dtype)``; large ones on the disk, by default.

    Raises
    ------
    ValueError
        If a file is damaged or does not belong to the others; the message names it.
    OSError
    """
    image = FinishedImage(image.folder, image.name)  # as it is now
    classes = image.classes
    stages = [s for s in MAPS if image.path(f"_{s}.tif").is_file()]
    if not stages:
        raise ValueError(f"{image.path('.json')}: there is no label map beside it")
    stamps = {ending: stamp_of(image.path(ending)) for ending in _endings(stages)}
    maps, digests = {}, {}
    for stage in stages:
        maps[stage] = _read_map(image, stage, make)
        digests[stage] = digest_of(maps[stage])
        if maps[stage].shape != maps[stages[0]].shape:
            raise ValueError(
                f"{image.path(f'_{stage}.tif')}: its shape {maps[stage].shape} is not "
                f"{maps[stages[0]].shape} as that of {stages[0]}"
            )
    edited = edited_maps(image, digests)
    written = {stage: _read_written(image, stage, make) for stage in edited}
    review = _review(image)
    annotations = Annotations(
        classes=classes,
        maps=maps,
        region_table=_table(image, classes, maps[stages[0]].shape),
        edited=edited,
        written={
            stage: labels for stage, labels in written.items() if labels is not None
        },
        provenance=mapping_of(image, "provenance"),
        review=review,
    )
    return OpenedResults(image, annotations, image.reviewed, digests, stamps)


def _endings(stages: list[str]) -> list[str]:
    return [".json", "_regions.csv", *(f"_{stage}.tif" for stage in stages)]


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of writing of a file: what tells that it was replaced."""
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def mapping_of(image: FinishedImage, key: str) -> dict[str, Any]:
    """A mapping in the description of an image; empty where there is none."""
    found = image.description.get(key)
    return found if isinstance(found, dict) else {}


def _review(image: FinishedImage) -> dict[str, Any]:
    """Decisions on regions; only whole ones, since saving would lose the others."""
    review = mapping_of(image, "review")
    if review:
        try:
            for _ in read_record(review):
                pass
        except ValueError as error:
            raise ValueError(f"{image.path('.json')}: {error}") from None
    return review


def edited_maps(image: FinishedImage, digests: Mapping[str, str]) -> tuple[str, ...]:
    """Maps that are not what the job wrote; unknown ones as the description says."""
    known, said = mapping_of(image, "maps"), image.description.get("edited")
    said = said if isinstance(said, list) else []
    return tuple(
        stage
        for stage in MAPS
        if stage in digests
        and (known[stage] != digests[stage] if stage in known else stage in said)
    )


def _read_map(image: FinishedImage, stage: str, make: MakeMap) -> Any:
    """A map in memory, or on the disk; its file may be of any whole numbers."""
    path = image.path(f"_{stage}.tif")
    largest = _LARGEST.get(stage, 2**31 - 1)
    with image.open(stage) as opened:
        labels = make(opened.shape, np.dtype(_DTYPES.get(stage, np.int32)))
        *hidden, height, width = opened.shape
        step = max(1, _ROWS // width)
        for index in np.ndindex(*hidden):
            for first in range(0, height, step):
                at = (*index, slice(first, first + step), slice(None))
                part = np.asarray(opened.data[at])
                if part.dtype != bool and not (
                    int(part.min()) >= 0 and int(part.max()) <= largest
                ):
                    raise ValueError(
                        f"{path}: labels must be 0 to {largest}, it has "
                        f"{int(part.min())} to {int(part.max())}"
                    )
                labels[at] = part
    return labels


def _read_written(image: FinishedImage, stage: str, make: MakeMap) -> Any:
    """What the job wrote of a map that was edited; None if that is not known."""
    path = written_path(image, stage)
    if not path.is_file():
        return None
    kept = FinishedImage(written_results(image.folder), image.name)
    try:
        labels = _read_map(kept, stage, make)
    except (OSError, ValueError):
        return None  # it only tells which pixels were edited
    return labels if digest_of(labels) == mapping_of(image, "maps").get(stage) else None


def _table(
    image: FinishedImage, classes: ClassSet, shape: tuple[int, ...]
) -> pd.DataFrame:
    """The table of regions, with ``plane`` and ``position`` as a run has them."""
    import pandas as pd

    path, table = image.path("_regions.csv"), image.table
    missing = [name for name in REGION_COLUMNS if name not in table]
    if missing:
        raise ValueError(f"{path}: the column {missing[0]!r} is missing")
    try:
        numbers = {k: v for k, v in REGION_COLUMNS.items() if k != "class_name"}
        table = table.astype(numbers)
        planes = table["plane"].astype(np.int64) if "plane" in table else None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: it is damaged ({error})") from None
    if planes is None:
        planes = pd.Series(np.zeros(len(table), np.int64), table.index)
    if len(table) and not 0 <= planes.min() <= planes.max() < math.prod(shape[:-2]):
        raise ValueError(f"{path}: a region is in a plane that the image does not have")
    known = {0, *classes.ids}
    odd = [value for value in table["class_id"].tolist() if value not in known]
    if odd:
        raise ValueError(f"{path}: there is no class {odd[0]}")
    positions = [position_of(plane, shape[:-2]) for plane in planes.tolist()]
    names = [classes.name_of(value) for value in table["class_id"].tolist()]
    table = table.assign(class_name=pd.Series(names, table.index, object))
    return table.assign(
        plane=planes, position=pd.Series(positions, table.index, object)
    )


def position_of(plane: int, hidden: tuple[int, ...]) -> tuple[int, ...]:
    """Where a plane is on the axes of a stack before rows and columns."""
    return tuple(int(n) for n in np.unravel_index(plane, hidden)) if hidden else ()
