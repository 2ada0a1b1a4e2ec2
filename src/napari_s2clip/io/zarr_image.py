"""OME-Zarr images (0.4 and 0.5) and plain zarr arrays."""

from __future__ import annotations

from pathlib import Path

from ..planes import MAX_SIDE as _MAX_SIDE
from .multiscales import Multiscales, metadata_of, multiscales_of
from .opened import OpenedImage, plain
from .units import short

__all__ = ["open_zarr"]


def open_zarr(path: Path) -> OpenedImage:
    """Open a folder that is a zarr array or an OME-Zarr image.

    Of a pyramid it is the finest level with sides of at most 4096 pixels, else the
    coarsest.

    Raises
    ------
    ValueError
        If it is something else or damaged; the message names the folder.
    """
    import zarr

    try:
        found = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: the zarr is damaged ({error})") from None
    if isinstance(found, zarr.Array):
        return plain(found, path)
    try:
        about = metadata_of(found)
        if "plate" in about or "well" in about:
            raise ValueError("it is a plate; give the fields in it, as A/1/0")
        return _opened(multiscales_of(found))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _opened(image: Multiscales) -> OpenedImage:
    if image.names[-2:] != ("y", "x"):
        raise ValueError("multiscales[0].axes: the last two must be y and x")
    levels = image.levels
    number = next(
        (n for n, one in enumerate(levels) if max(one.array.shape[-2:]) <= _MAX_SIDE),
        len(levels) - 1,
    )
    level = levels[number]
    kinds = [axis.kind for axis in image.axes]
    units = {axis.unit for axis in image.axes[-2:]}
    unit = units.pop() if len(units) == 1 else ""
    size = image.pixel_size(level) if unit else None
    return OpenedImage(
        level.array,
        image.names,
        channel_axis=kinds.index("channel") if "channel" in kinds else None,
        pixel_size=size,
        unit=short(unit) if size else "",
        notes=(f"level {number} of {len(levels)}",) if number else (),
    )
