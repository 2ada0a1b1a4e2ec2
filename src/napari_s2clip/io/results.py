"""Write what a run returns: label maps, pictures, the region table, a description."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .atomic import sync
from .map_files import digest_of, write_map
from .map_pictures import PICTURES, draw_maps
from .stack import Stack

if TYPE_CHECKING:
    from ..classes import ClassSet
    from ..results import Segmentation

__all__ = [
    "MAPS",
    "SUFFIXES",
    "TEMPORARY",
    "output_paths",
    "refuse_existing",
    "write_segmentation",
    "write_stage",
]

SUFFIXES = (
    "_coarse.tif",
    "_regions.tif",
    "_refined.tif",
    "_owners.tif",
    "_coarse.png",
    "_regions.png",
    "_refined.png",
    "_regions.csv",
    ".json",
)
"""What follows the stem in the names of the files of one image."""

TEMPORARY: Final = ".napari-s2clip-"
"""How the names of folders begin in which files are not complete yet."""

MAPS: Final = ("coarse", "regions", "refined", "owners")
"""Each is one file."""

_OF_CLASSES: Final = frozenset({"coarse", "refined"})


def output_paths(
    out_dir: str | Path, stem: str, *, pictures: bool = True
) -> list[Path]:
    """Paths of the files that `write_segmentation` writes, in its order.

    Raises
    ------
    ValueError
        If ``stem`` is not the plain name of a file.
    """
    if not stem or stem in {".", ".."} or any(c in stem for c in "/\\\0"):
        raise ValueError(
            f"stem {stem!r} must be a plain file name without folder and extension"
        )
    return [
        Path(out_dir) / f"{stem}{suffix}"
        for suffix in SUFFIXES
        if pictures or not suffix.endswith(".png")
    ]


def refuse_existing(paths: Iterable[Path]) -> None:
    """Raise `FileExistsError` if one of the paths exists."""
    found = [path for path in paths if path.exists()]
    if found:
        others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise FileExistsError(
            f"{found[0]}{others} exists already; choose another folder or allow "
            "overwriting"
        )


def write_segmentation(
    result: Segmentation,
    image_rgb: NDArray[np.uint8],
    out_dir: str | Path,
    stem: str,
    *,
    overwrite: bool = False,
    pictures: bool = True,
    stack: Stack | None = None,
    about: Mapping[str, Any] | None = None,
    check: Callable[[], None] | None = None,
    leave: bool = False,
) -> list[Path]:
    """Write the maps, pictures and table of one image.

    All files are complete before the first of them appears under its name, so nothing
    half-written is left behind and a failure keeps what was there. The description
    appears last.

    Parameters
    ----------
    result : Segmentation
    image_rgb : ndarray of uint8, (H, W, 3)
        Under the pictures.
    out_dir : path
        Made if needed.
    stem : str
        First part of every file name.
    overwrite : bool
        Replace files that exist.
    pictures : bool
        Whether pictures are written.
    stack : Stack, optional
        What the maps are, where they are not one plane.
    about : mapping, optional
        More for the description.
    check : callable, optional
        Called when all files are complete and none has its name yet; what it raises
        keeps what was there.
    leave : bool
        Where some files have their places and others cannot get theirs, leave these in
        a hidden folder, whose name begins with `TEMPORARY`.

    Returns
    -------
    list of Path
        ``STEM_coarse.tif`` and ``STEM_refined.tif`` (label values, uint16),
        ``STEM_regions.tif`` and ``STEM_owners.tif`` (region ids, int32; owners are
        those of the refined map), a ``.png`` with legend for the first three,
        ``STEM_regions.csv`` (`napari_s2clip.results.REGION_COLUMNS`, NaN left empty)
        and ``STEM.json``: image size, classes, pixel counts by map and label value,
        what the maps are known by (`digest_of`), provenance, seconds.

    Raises
    ------
    ValueError
        If ``stem`` is no file name, or image and maps differ in size.
    FileExistsError
        If a file exists and ``overwrite`` is off; nothing is written then.
    OSError
        If the folder cannot be made or written to.
    """
    paths = output_paths(out_dir, stem, pictures=pictures)
    stack = Stack(result.coarse.shape) if stack is None else stack
    height, width = (-(-n // stack.step) for n in stack.shape[-2:])
    if image_rgb.shape != (height, width, 3) or image_rgb.dtype != np.uint8:
        raise ValueError(
            f"image_rgb must be uint8 of shape {(height, width, 3)} like the maps, got "
            f"{image_rgb.dtype} {image_rgb.shape}"
        )
    if not overwrite:
        refuse_existing(paths)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out_dir, prefix=TEMPORARY))
    placed = 0
    try:
        # Names may be as long as names can be, so these have their endings only.
        new = {suffix: folder / f"new{suffix}" for suffix in SUFFIXES}
        _write(result, image_rgb, new, stack, pictures, about or {})
        sources = [folder / f"new{path.name[len(stem) :]}" for path in paths]
        for source in sources:
            sync(source)
        if check is not None:
            check()
        for source, path in zip(sources, paths, strict=True):
            source.replace(path)
            placed += 1
    finally:
        # Others tell by them that nobody edited those that were placed.
        if not leave or placed in (0, len(paths)):
            shutil.rmtree(folder, ignore_errors=True)
    return paths


def write_stage(
    path: Path,
    stage: str,
    labels: Any,
    classes: ClassSet,
    *,
    shape: tuple[int, ...],
    axes: str,
) -> dict[int, int]:
    """Write one map: label values as uint16, region ids as int32.

    Parameters
    ----------
    path : Path
    stage : {"coarse", "regions", "refined", "owners"}
    labels : array_like of int, (H, W) or (planes, H, W)
    classes : ClassSet
        What label values are called.
    shape : tuple of int
    axes : str
        See `napari_s2clip.io.map_files.write_map`.

    Returns
    -------
    dict of int to int
        How many pixels each value has.
    """
    of_classes = stage in _OF_CLASSES
    dtype = np.uint16 if of_classes else np.int32
    if labels.dtype != dtype:
        labels = np.asarray(labels).astype(dtype)
    facts: dict[str, Any] = {"stage": stage}
    if not of_classes:
        facts["values"] = "0 is no region, others are ids of the region table"
    names = {
        0: classes.name_of(0),
        **dict(zip(classes.ids, classes.names, strict=True)),
    }
    return write_map(
        path,
        labels,
        shape=shape,
        axes=axes,
        facts=facts,
        names=names if of_classes else None,
    )


def _write(
    result: Segmentation,
    image: NDArray[np.uint8],
    new: Mapping[str, Path],
    stack: Stack,
    pictures: bool,
    about: Mapping[str, Any],
) -> None:
    counts, digests = {}, {}
    for stage in MAPS:
        labels = getattr(result, stage)
        counts[stage] = write_stage(
            new[f"_{stage}.tif"],
            stage,
            labels,
            result.classes,
            shape=stack.shape,
            axes=stack.axes,
        )
        digests[stage] = digest_of(labels)
    del counts["owners"]
    counts["regions"] = _by_class(counts["regions"], result)
    if pictures:
        drawn = {stage: new[f"_{stage}.png"] for stage in PICTURES}
        draw_maps(stack.cut(result), image, drawn, marked=stack.step == 1)
    result.region_table.to_csv(
        new["_regions.csv"], index=False, encoding="utf-8", lineterminator="\n"
    )
    pixels = {
        stage: {str(v): of.get(v, 0) for v in (0, *result.classes.ids)}
        for stage, of in counts.items()
    }
    text = json.dumps(
        {**_describe(result, pixels, stack), "maps": digests, **about},
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )
    new[".json"].write_text(text + "\n", encoding="utf-8", newline="\n")


def _by_class(regions: Mapping[int, int], result: Segmentation) -> dict[int, int]:
    """Pixels by class from pixels by region."""
    table = result.region_table
    classes = dict(zip(table["region"], table["class_id"], strict=True)) | {0: 0}
    counts: dict[int, int] = {}
    for region, count in regions.items():
        value = int(classes[region])
        counts[value] = counts.get(value, 0) + count
    return counts


def _describe(
    result: Segmentation, pixels: dict[str, dict[str, int]], stack: Stack
) -> dict[str, Any]:
    """Plain data of a run; ``pixels[map]`` counts the pixels by label value."""
    *planes, height, width = stack.shape
    return {
        "software": f"napari-s2clip {__version__}",
        "image": {
            "width": width,
            "height": height,
            **({"planes": planes, "axes": stack.axes} if planes else {}),
        },
        **result.classes.to_dict(),
        "pixels": pixels,
        "regions": len(result.region_table),
        "seconds": result.seconds,
        "provenance": result.provenance,
    }
