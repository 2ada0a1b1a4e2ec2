"""Files of a dataset by part: ``masks/train/name.png`` and the image of that name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from .format import DatasetError
from .item import Item
from .names import folded, unique_name

if TYPE_CHECKING:
    import numpy as np

    from ..classes import ClassSet

__all__ = ["files_of", "image_of", "labelled", "name_of", "part_of"]

_IMAGES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
_PARTS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def part_of(words: Iterable[str]) -> str | None:
    """The part of a dataset that one of some words is, as others also call it."""
    found = (_PARTS.get(word.casefold()) for word in words)
    return next((part for part in found if part is not None), None)


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

    stem = name_of(inside)
    for suffix in (s for ending in _IMAGES for s in (ending, ending.upper())):
        path = folder / inside.parent / (stem + suffix)
        if path.is_file():
            try:
                return read_image(path), path
            except ValueError as error:
                raise DatasetError(str(error)) from None
    return None


def name_of(inside: Path, taken: set[str] | None = None) -> str:
    """The name of the image of a label file; with its folders if it is taken.

    Parameters
    ----------
    inside : Path
        Of the file in the folder of labels.
    taken : set of str, optional
        Names that others have, `folded`; this one is added.
    """
    name = inside.name.removesuffix(inside.suffix)
    if taken is not None and folded(name) in taken:
        return unique_name(inside.as_posix(), taken)
    if taken is not None:
        taken.add(folded(name))
    return name


def labelled(
    name: str,
    file: Path,
    inside: Path,
    images: Path,
    labels: NDArray[Any],
    classes: ClassSet,
    *,
    ignore: NDArray[np.bool_] | None = None,
    **fields: Any,
) -> Item:
    """The item of a file of labels and of the image with its name.

    Parameters
    ----------
    name : str
        Of the item.
    file : Path
    inside : Path
        Of the file in the folder of labels.
    images : Path
        The folder where the image lies under the same path.
    labels, classes, ignore, **fields
        Of the item.
    """
    image = image_of(images, inside)
    return Item(
        name,
        labels,
        classes,
        image=image[0] if image else None,
        ignore=ignore if ignore is not None and ignore.any() else None,
        source=str(image[1] if image else file),
        **({"split": part_of(inside.parts[:-1])} | fields),
    )
