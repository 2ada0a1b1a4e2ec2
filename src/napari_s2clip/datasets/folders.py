"""Files of a dataset by part: ``masks/train/name.png`` and the image of that name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .format import DatasetError

__all__ = ["files_of", "image_of"]

_IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


def files_of(folder: Path, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Each file with an ending and its path in the folder, in order of their paths.

    Raises
    ------
    DatasetError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such folder; choose the dataset's")
    for path in sorted(folder.rglob(f"*{suffix}")):
        if path.is_file() and not path.name.startswith("."):
            yield path, path.relative_to(folder)


def image_of(folder: Path, inside: Path) -> tuple[NDArray[Any], Path] | None:
    """The image with the name of a label file, which may end otherwise."""
    from ..io.files import read_image

    stem = inside.name.removesuffix(inside.suffix)
    for suffix in (s for ending in _IMAGES for s in (ending, ending.upper())):
        path = folder / inside.parent / (stem + suffix)
        if path.is_file():
            try:
                return read_image(path), path
            except ValueError as error:
                raise DatasetError(str(error)) from None
    return None
