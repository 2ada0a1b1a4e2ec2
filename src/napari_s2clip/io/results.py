"""Write what a run returns: label maps, pictures, the region table, a description."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__

if TYPE_CHECKING:
    from ..results import Segmentation

__all__ = ["SUFFIXES", "output_paths", "refuse_existing", "write_segmentation"]

SUFFIXES = (
    "_coarse.tif",
    "_regions.tif",
    "_refined.tif",
    "_coarse.png",
    "_regions.png",
    "_refined.png",
    "_regions.csv",
    ".json",
)
"""What follows the stem in the names of the files of one image."""

_PNG_LEVEL = 1  # of zlib: photographs hardly get smaller by working longer


def output_paths(out_dir: str | Path, stem: str) -> list[Path]:
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
    return [Path(out_dir) / f"{stem}{suffix}" for suffix in SUFFIXES]


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
) -> list[Path]:
    """Write the maps, pictures and table of one image.

    All files are complete before the first of them appears under its name, so nothing
    half-written is left behind and a failure keeps what was there.

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

    Returns
    -------
    list of Path
        ``STEM_coarse.tif`` and ``STEM_refined.tif`` (label values, uint16),
        ``STEM_regions.tif`` (region ids, int32), a ``.png`` with legend for each,
        ``STEM_regions.csv`` (`napari_s2clip.results.REGION_COLUMNS`, NaN left empty)
        and ``STEM.json``: image size, classes, pixel counts by map and label value,
        provenance, seconds.

    Raises
    ------
    ValueError
        If ``stem`` is no file name, or image and maps differ in size.
    FileExistsError
        If a file exists and ``overwrite`` is off; nothing is written then.
    OSError
        If the folder cannot be made or written to.
    """
    paths = output_paths(out_dir, stem)
    size = result.coarse.shape
    if image_rgb.shape != (*size, 3) or image_rgb.dtype != np.uint8:
        raise ValueError(
            f"image_rgb must be uint8 of shape {(*size, 3)} like the maps, got "
            f"{image_rgb.dtype} {image_rgb.shape}"
        )
    if not overwrite:
        refuse_existing(paths)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out_dir, prefix=".napari-s2clip-") as folder:
        unfinished = [Path(folder) / path.name for path in paths]
        _write(result, image_rgb, unfinished)
        for source, target in zip(unfinished, paths, strict=True):
            source.replace(target)
    return paths


def _write(result: Segmentation, image: NDArray[np.uint8], paths: list[Path]) -> None:
    """Write the files in the order of `SUFFIXES`."""
    from .overlay import overlay, region_marks

    classes = result.classes
    coarse, regions, refined, *pictures, table, description = paths
    _write_map(coarse, result.coarse.astype(np.uint16, copy=False), result, "coarse")
    _write_map(regions, result.regions.astype(np.int32, copy=False), result, "regions")
    _write_map(refined, result.refined.astype(np.uint16, copy=False), result, "refined")
    region_classes = result.region_classes
    marks, notes = region_marks(result)
    _write_picture(pictures[0], overlay(image, result.coarse, classes))
    _write_picture(
        pictures[1],
        overlay(
            image,
            region_classes,
            classes,
            boundaries=result.regions,
            marks=marks,
            notes=notes,
            unlabelled="no region",
        ),
    )
    _write_picture(pictures[2], overlay(image, result.refined, classes))
    result.region_table.to_csv(
        table, index=False, encoding="utf-8", lineterminator="\n"
    )
    counts = {
        "coarse": result.coarse,
        "regions": region_classes,
        "refined": result.refined,
    }
    text = json.dumps(
        _describe(result, {name: _count(m, result) for name, m in counts.items()}),
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )
    description.write_text(text + "\n", encoding="utf-8", newline="\n")


def _count(labels: NDArray[Any], result: Segmentation) -> dict[str, int]:
    values = (0, *result.classes.ids)
    counts = np.bincount(labels.ravel(), minlength=max(values) + 1)
    return {str(value): int(counts[value]) for value in values}


def _describe(
    result: Segmentation, pixels: dict[str, dict[str, int]]
) -> dict[str, Any]:
    """Plain data of a run; ``pixels[map]`` counts the pixels by label value."""
    height, width = result.coarse.shape
    return {
        "software": f"napari-s2clip {__version__}",
        "image": {"width": width, "height": height},
        **result.classes.to_dict(),
        "pixels": pixels,
        "regions": len(result.region_table),
        "seconds": result.seconds,
        "provenance": result.provenance,
    }


def _write_map(
    path: Path, labels: NDArray[Any], result: Segmentation, stage: str
) -> None:
    from tifffile import imwrite

    metadata: dict[str, Any] = {"axes": "YX", "stage": stage}
    if stage == "regions":
        metadata["values"] = "0 is no region, others are ids of the region table"
    else:
        # Only those that occur: the tag need not hold thousands of names.
        present = np.flatnonzero(np.bincount(labels.ravel()))
        metadata["values"] = {
            str(value): result.classes.name_of(int(value)) for value in present
        }
    imwrite(
        path,
        labels,
        photometric="minisblack",
        compression="zlib",
        metadata=metadata,
        software=f"napari-s2clip {__version__}",
    )


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path, compress_level=_PNG_LEVEL)
