"""Maps as a job wrote them, kept when they are corrected for the first time."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..io.atomic import replacing
from ..io.results import MAPS
from .inputs import OWN_FOLDER

if TYPE_CHECKING:
    from .finished import FinishedImage

__all__ = ["corrected_names", "keep_written", "written_path", "written_results"]


def written_results(folder: Path) -> Path:
    """Where they lie, in the folder of the results."""
    return folder / OWN_FOLDER / "written"


def written_path(image: FinishedImage, stage: str) -> Path:
    """Where a map is kept as the job wrote it."""
    return written_results(image.folder) / f"{image.name}_{stage}.tif"


def keep_written(image: FinishedImage, stage: str) -> None:
    """Keep a map as it is now.

    Raises
    ------
    OSError
    """
    path = written_path(image, stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as new:
        shutil.copyfile(image.path(f"_{stage}.tif"), new)


def corrected_names(folder: Path) -> set[str]:
    """Names of the images of a folder of results of which maps are kept."""
    home = written_results(folder)
    found = set()
    for path in home.rglob("*.tif"):
        stem, _, stage = path.stem.rpartition("_")
        if stage in MAPS:
            found.add((path.parent.relative_to(home) / stem).as_posix())
    return found
