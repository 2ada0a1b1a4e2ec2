"""What is kept of images that are corrected: maps as the job wrote them, and a mark."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..io.atomic import replacing
from .inputs import OWN_FOLDER

if TYPE_CHECKING:
    from .finished import FinishedImage

__all__ = [
    "corrected_names",
    "keep_written",
    "mark_corrected",
    "written_path",
    "written_results",
]


_MARK: Final = ".corrected"


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


def mark_corrected(image: FinishedImage) -> None:
    """Note that the description of an image may say something else than the journal.

    Raises
    ------
    OSError
    """
    path = written_results(image.folder) / f"{image.name}{_MARK}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def corrected_names(folder: Path) -> set[str]:
    """Names of the images of a folder of results that have such a mark."""
    home = written_results(folder)
    return {
        path.relative_to(home).as_posix().removesuffix(_MARK)
        for path in home.rglob(f"*{_MARK}")
    }
