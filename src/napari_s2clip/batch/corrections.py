"""Results of a job that somebody looks through and corrects, in the job's own folder.

The label files are replaced, and their description says so; what it knows the maps of
the job by stays. So everybody can tell what was edited, and no job replaces it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import reason
from ..io.annotations import Annotations, plain
from ..io.atomic import replacing
from ..io.map_files import digest_of
from ..io.results import write_stage
from ..results import REGION_COLUMNS
from .finished import FinishedImage
from .reopen import (
    OpenedResults,
    edited_maps,
    mapping_of,
    position_of,
    stamp_of,
)
from .written import keep_written, mark_corrected

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CorrectionsError", "ResultsChanged", "same_tables", "save_corrections"]


class CorrectionsError(ValueError):
    """Corrections cannot be saved; one sentence that names the file."""


class ResultsChanged(CorrectionsError):
    """Another program has changed the files meanwhile."""


def save_corrections(
    opened: OpenedResults,
    annotations: Annotations,
    *,
    reviewed: bool | None = None,
    force: bool = False,
) -> OpenedResults:
    """Write what has changed since results were opened; nothing, if nothing has.

    All new files are complete before the first takes its place, the description last.
    Maps that ``annotations`` lacks stay as they are.

    Parameters
    ----------
    opened : OpenedResults
        What `open_results` or this function returned.
    annotations : Annotations
        As it is now.
    reviewed : bool, optional
        Whether somebody has looked through it; None leaves that as it is.
    force : bool
        Also replace what another program has changed meanwhile.

    Returns
    -------
    OpenedResults
        To go on with.

    Raises
    ------
    ResultsChanged
        If another program has changed the files.
    CorrectionsError
        If they cannot be written, or the maps are of another size. The files stay then.
    """
    image = FinishedImage(opened.image.folder, opened.image.name)
    before = opened.annotations
    reviewed = opened.reviewed if reviewed is None else reviewed
    shape = next(iter(before.maps.values())).shape
    maps = {s: m for s, m in annotations.maps.items() if s in opened.digests}
    for stage, labels in maps.items():
        if tuple(labels.shape) != tuple(shape):
            raise CorrectionsError(
                f"{image.path(f'_{stage}.tif')}: the labels are of the shape "
                f"{tuple(labels.shape)}, those in the file {tuple(shape)}"
            )
    digests = {**opened.digests, **{s: digest_of(m) for s, m in maps.items()}}
    changed = [s for s in maps if digests[s] != opened.digests[s]]
    table = annotations.region_table
    new_table = table is not None and not same_tables(table, before.region_table)
    review = _decisions(annotations.review)
    same = reviewed == opened.reviewed and review == _decisions(before.review)
    if not changed and not new_table and same and annotations.classes == before.classes:
        return opened
    try:
        if not force:
            _refuse_changed(opened, image)
        description = dict(image.description)
        mark_corrected(image)
        with ExitStack() as files:
            # What is opened first takes its place last.
            about = files.enter_context(replacing(image.path(".json")))
            pixels = dict(mapping_of(image, "pixels"))
            if new_table:
                assert table is not None
                csv = files.enter_context(replacing(image.path("_regions.csv")))
                _plain_table(table, image).to_csv(
                    csv, index=False, encoding="utf-8", lineterminator="\n"
                )
                description["regions"] = len(table)
                description["provenance"] = dict(annotations.provenance)
            for stage in changed:
                new = files.enter_context(replacing(image.path(f"_{stage}.tif")))
                counts = _write_map(image, stage, maps[stage], annotations, new)
                if stage in pixels:
                    pixels[stage] = _by_class(stage, counts, annotations)
                if mapping_of(image, "maps").get(stage) == opened.digests[stage]:
                    keep_written(image, stage)
            description |= {
                **annotations.classes.to_dict(),
                "edited": list(edited_maps(image, digests)),
                "reviewed": bool(reviewed),
                "review": plain(review, "review"),
            }
            if annotations.classes != before.classes:
                pixels = {s: _of_classes(n, annotations) for s, n in pixels.items()}
            if pixels:
                description["pixels"] = pixels
            text = json.dumps(
                description, indent=2, ensure_ascii=False, allow_nan=False
            )
            about.write_text(text + "\n", encoding="utf-8", newline="\n")
    except CorrectionsError:
        raise
    except OSError as error:
        raise CorrectionsError(
            f"{error.filename or image.path('.json')}: the corrections were not saved: "
            f"{reason(error)}"
        ) from error
    except ValueError as error:
        raise CorrectionsError(f"{image.path('.json')}: {error}") from error
    image = FinishedImage(image.folder, image.name)
    return OpenedResults(
        image,
        replace(
            before,
            classes=annotations.classes,
            region_table=before.region_table if table is None else table,
            review=dict(review),
            provenance=annotations.provenance if new_table else before.provenance,
        ),
        bool(reviewed),
        digests,
        {ending: stamp_of(image.path(ending)) for ending in opened.stamps},
    )


def _refuse_changed(opened: OpenedResults, image: FinishedImage) -> None:
    for ending, stamp in opened.stamps.items():
        path = image.path(ending)
        if not path.exists() or stamp_of(path) != stamp:
            raise ResultsChanged(
                f"{path}: another program has changed it since the image was opened"
            )


def _plain_table(table: pd.DataFrame, image: FinishedImage) -> pd.DataFrame:
    """The columns that the file had, and those of stacks where they are needed."""
    several = "plane" in image.table
    names = [*REGION_COLUMNS, *(("plane", "position") if several else ())]
    return table[[name for name in names if name in table]]


def same_tables(table: pd.DataFrame, other: pd.DataFrame | None) -> bool:
    """Whether two tables say the same of their regions."""
    if other is None or len(table) != len(other):
        return False
    one, two = (
        t[list(REGION_COLUMNS)].reset_index(drop=True).astype(REGION_COLUMNS)
        for t in (table, other)
    )
    return bool(one.equals(two))


def _write_map(
    image: FinishedImage, stage: str, labels: Any, annotations: Annotations, path: Path
) -> dict[int, int]:
    shape = tuple(int(n) for n in labels.shape)
    if len(shape) > 3:
        labels = _Planes(labels)
    axes = mapping_of(image, "image").get("axes")
    if not (isinstance(axes, str) and len(axes) == len(shape)):
        axes = "Q" * (len(shape) - 2) + "YX"
    return write_stage(path, stage, labels, annotations.classes, shape=shape, axes=axes)


class _Planes:
    """An array (…, H, W) as (planes, H, W), read a plane at a time."""

    def __init__(self, labels: Any) -> None:
        self._labels, self._hidden = labels, tuple(labels.shape[:-2])
        self.shape = (math.prod(self._hidden), *labels.shape[-2:])
        self.dtype = labels.dtype

    def __getitem__(self, index: Any) -> Any:
        number, *rest = index if isinstance(index, tuple) else (index,)
        return np.asarray(self._labels[(*position_of(number, self._hidden), *rest)])

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self._labels, dtype).reshape(self.shape)


def _decisions(review: Mapping[str, Any]) -> Mapping[str, Any]:
    """Decisions of a review; empty where nothing is decided."""
    return review if review.get("regions") else {}


def _of_classes(pixels: Any, annotations: Annotations) -> dict[str, int]:
    """Pixels by label value, of the classes that there are."""
    known = pixels if isinstance(pixels, dict) else {}
    return {str(v): known.get(str(v), 0) for v in (0, *annotations.classes.ids)}


def _by_class(
    stage: str, counts: Mapping[int, int], annotations: Annotations
) -> dict[str, int]:
    """Pixels by label value; those of regions by class."""
    classes: dict[int, int] = {}
    if stage in ("regions", "owners") and annotations.region_table is not None:
        table = annotations.region_table
        classes = dict(zip(table["region"], table["class_id"], strict=True))
    found = dict.fromkeys((0, *annotations.classes.ids), 0)
    for value, count in counts.items():
        number = int(classes.get(value, 0)) if stage == "regions" else value
        if number in found:
            found[number] += count
    return {str(value): count for value, count in found.items()}
