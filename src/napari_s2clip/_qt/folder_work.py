"""Reading an image of a folder of results in a thread, without a word of Qt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..batch.reopen import open_results
from ..io.open_image import open_image
from ..layers import Picture

if TYPE_CHECKING:
    from ..batch.finished import FinishedImage
    from ..batch.reopen import OpenedResults
    from ..batch.sources import Sources
    from ..io.opened import OpenedImage

__all__ = ["Loaded", "load"]

_LIMIT: Final = 1 << 29
"""Images that take more bytes are read where they are looked at."""

_SIDE: Final = 2048


@dataclass(frozen=True, eq=False)
class Loaded:
    """An image and its results.

    Attributes
    ----------
    opened : OpenedResults
    picture : Picture
    note : str
        What is missing.
    lost : bool
        Whether that is the image, which may lie elsewhere.
    close : callable
        Closes the file of the image.
    """

    opened: OpenedResults
    picture: Picture
    note: str = ""
    lost: bool = False
    close: Callable[[], None] = lambda: None


def load(image: FinishedImage, sources: Sources) -> Loaded:
    """Read an image and its results; the labels alone where the image is lost.

    Parameters
    ----------
    image : FinishedImage
    sources : Sources

    Raises
    ------
    ValueError, OSError
        If a file is damaged, or the image is of another size than its labels.
    """
    opened = open_results(image)
    image = opened.image
    shape = tuple(next(iter(opened.annotations.maps.values())).shape)
    size, _ = image.pixel_size
    located = sources.find(image)
    source = located.path
    if source is None:
        nothing = np.broadcast_to(np.uint8(0), shape)
        note = f"{located.why}; the labels are shown without it"
        picture = Picture(nothing, pixel_size=size)
        return Loaded(opened, picture, note, image.source is not None)
    file = open_image(source)
    try:
        axis = file.channel_axis
        own = tuple(n for i, n in enumerate(file.shape) if i != axis)
        if own != shape:
            raise ValueError(
                f"{source}: it is {_size(own)} px, its labels are {_size(shape)} px; "
                "segment it again"
            )
        data, lazy = _pixels(file)
    except BaseException:
        file.close()
        raise
    if not lazy:
        file.close()
    close = file.close if lazy else (lambda: None)
    return Loaded(opened, Picture(data, file.rgb, size), close=close)


def _pixels(file: OpenedImage) -> tuple[Any, bool]:
    """All pixels, channels first, and whether they are read later."""
    data, hidden = file.data, len(file.axes) - 2
    lazy = False
    if math.prod(data.shape) * np.dtype(data.dtype).itemsize <= _LIMIT:
        pixels = np.empty(data.shape, data.dtype)
        for index in np.ndindex(*data.shape[:hidden]):
            at = (*index, slice(None), slice(None))
            pixels[at] = np.asarray(data[at])
        data = pixels
    elif not isinstance(data, np.ndarray):
        data, lazy = _later(data, hidden), True
    if file.channel_axis is not None:
        data = _channels_first(data, file.channel_axis)
    return data, lazy


def _later(data: Any, hidden: int) -> Any:
    """A dask array whose planes are read one by one."""
    import dask
    import dask.array as da

    whole = (slice(None), slice(None))
    if not hidden:
        chunks = (_SIDE, _SIDE, *data.shape[2:])
        return da.from_array(data, chunks=chunks)

    def plane(index: tuple[int, ...]) -> Any:
        return np.asarray(data[(*index, *whole)])

    def part(index: tuple[int, ...]) -> Any:
        if len(index) == hidden:
            read = dask.delayed(plane, pure=False)(index)
            return da.from_delayed(read, data.shape[hidden:], data.dtype)
        return da.stack([part((*index, n)) for n in range(data.shape[len(index)])])

    return part(())


def _channels_first(data: Any, axis: int) -> Any:
    if isinstance(data, np.ndarray):
        return np.moveaxis(data, axis, 0)
    import dask.array as da

    return da.moveaxis(data, axis, 0)


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(n) for n in shape)
