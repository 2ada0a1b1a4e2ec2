"""Label files that a job has placed before it was killed, the others lying beside."""

from __future__ import annotations

import json
from pathlib import Path

from ..io.map_files import digest_of
from ..io.open_image import open_image
from ..io.results import MAPS, TEMPORARY

__all__ = ["digest_now", "half_placed", "half_written", "has_newer_maps"]


def half_placed(folder: Path, name: str) -> dict[str, str]:
    """Maps that a killed job has placed, as far as what it did not still lies there.

    Parameters
    ----------
    folder : Path
        Of the results.
    name : str
        Of the image.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    found = {}
    for stage in MAPS:
        path = folder / f"{name}_{stage}.tif"
        left = half_written(path.parent, stage)
        if left and (now := digest_now(path)) in left:
            found[stage] = str(now)
    return found


def has_newer_maps(folder: Path, name: str) -> bool:
    """Whether a label file is newer than the description, which is written last.

    Only then can it be of results that are half placed; no file is read.
    """
    try:
        described = (folder / f"{name}.json").stat().st_mtime_ns
    except OSError:
        return True  # nobody knows
    paths = (folder / f"{name}_{stage}.tif" for stage in MAPS)
    return any(p.stat().st_mtime_ns > described for p in paths if p.exists())


def digest_now(path: Path) -> str | None:
    """What a label file is known by; None if it is not there."""
    try:
        if not path.exists():
            return None
        with open_image(path) as labels:
            return digest_of(labels.data)
    except ValueError:
        return ""  # nobody but its author knows what it is


def half_written(folder: Path, stage: str) -> set[str]:
    """What a map is known by in results of which a killed job placed some files only.

    The description, which comes last, still lies among the others.
    """
    found = set()
    for path in folder.glob(f"{TEMPORARY}*/new.json"):
        try:
            found.add(str(json.loads(path.read_text(encoding="utf-8"))["maps"][stage]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it was not complete, so no file was placed
    return found
