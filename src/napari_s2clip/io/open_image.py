"""Open image files with any number of axes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .files import TIFF, read_frames, read_image
from .opened import OpenedImage, of_array, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["is_folder_of_pixels", "open_image"]

_ZARR: Final = ("zarr.json", ".zgroup", ".zarray")


def is_folder_of_pixels(path: Path) -> bool:
    """Whether a folder is one image: a zarr array or group."""
    return path.is_dir() and any((path / name).is_file() for name in _ZARR)


def open_image(path: str | Path) -> OpenedImage:
    """Open an image file.

    Parameters
    ----------
    path : str or Path
        TIFF with stacks and channels, OME-Zarr and plain zarr, ``.npy``, and what
        `napari_s2clip.io.files.read_image` reads, animations included. The content
        counts, not the extension.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If it cannot be opened.
    ValueError
        If it is not an image or damaged; the message names the file and says what to
        do.
    """
    path = Path(path)
    if is_folder_of_pixels(path):
        from .zarr_image import open_zarr

        return open_zarr(path)
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(8)
        if start.startswith(TIFF):
            from .tiff_stack import open_stack, plane_scale

            stack = open_stack(path)
            if stack is not None:
                return stack
            plane = of_array(read_image(path), (), path)
            size, unit = plane_scale(path)
            return replace(plane, pixel_size=size, unit=unit)
        elif start.startswith(b"\x93NUMPY"):
            return _open_npy(path)
        else:
            frames = read_frames(path)
            if frames is not None:
                return of_array(frames, ("t",), path)
    return of_array(read_image(path), (), path)


def _open_npy(path: Path) -> OpenedImage:
    try:
        data: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: the array is damaged ({error})") from None
    return plain(data, path)
