"""Which sidecar belongs to an image, and where a new one goes.

Layers of one file, such as its channels or scenes, share its path. The first that is
saved gets ``photo.tif.s2clip``, the next ``photo.tif.2.s2clip``; each says whose it is.
A stack of many files goes by its first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .sidecar import SUFFIX, SidecarError, read_header, sidecar_folders

if TYPE_CHECKING:
    from .image_record import ImageRecord
    from .sidecar_format import Header

__all__ = ["Found", "find_sidecar"]

_MOST: Final = 99


@dataclass(frozen=True)
class Found:
    """The sidecar of an image, or the place for one.

    Attributes
    ----------
    folder : Path
    header : Header or None
        None where there is no sidecar yet.
    changed : bool
        Whether the image has changed since, or is another one of that name.
    notes : tuple of str
        What could not be read, a line each.
    """

    folder: Path
    header: Header | None = None
    changed: bool = False
    notes: tuple[str, ...] = ()


def find_sidecar(path: str | Path, image: ImageRecord) -> Found:
    """Look for the annotations of an image.

    Parameters
    ----------
    path : str or Path
        Its file or address.
    image : ImageRecord
        As it is now.
    """
    found: list[tuple[bool, float, Path, Header]] = []
    notes: list[str] = []
    free: list[Path] = []
    for base in sidecar_folders(path):
        for number in range(1, _MOST):
            folder = _numbered(base, number)
            try:
                header = read_header(folder)
            except SidecarError as error:
                notes.append(str(error))
                continue
            if header is None:
                free.append(folder)
                break
            likeness = header.image.likeness(image)
            if likeness != "other":
                same = likeness == "same"
                found.append((same, header.saved.timestamp(), folder, header))
    if found:
        same, _, folder, header = max(found, key=lambda item: item[:2])
        return Found(folder, header, not same, tuple(notes))
    if not free:
        raise SidecarError(f"{path}: {_MOST} annotations are beside it; remove some")
    return Found(free[0], notes=tuple(notes))


def _numbered(base: Path, number: int) -> Path:
    if number == 1:
        return base
    return base.with_name(f"{base.name.removesuffix(SUFFIX)}.{number}{SUFFIX}")
