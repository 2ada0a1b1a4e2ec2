"""TIFF files with several planes, read page by page."""

from __future__ import annotations

import math
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .files import DAMAGE, oriented, tiff_pixels
from .opened import OpenedImage
from .tiff_scale import pixel_size_of

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

__all__ = ["open_stack"]

_NAMES: Final = {"Q": "axis", "I": "z", "S": "sample"}


def open_stack(path: Path) -> OpenedImage | None:
    """The first image of a TIFF, if it has more than rows, columns and colours.

    Raises
    ------
    ValueError
        If it cannot be read; the message names the file.
    """
    from tifffile import TiffFile

    tiff = None
    try:
        tiff = TiffFile(path)
        opened = _open(tiff)
    except DAMAGE as error:
        if tiff is not None:
            tiff.close()
        detail = " ".join(str(error).replace(str(path), path.name).split())
        raise ValueError(f"{path}: the TIFF is damaged ({detail})") from error
    except BaseException:
        if tiff is not None:
            tiff.close()
        raise
    if opened is None:
        tiff.close()
    return opened


def _open(tiff: TiffFile) -> OpenedImage | None:
    full = [s for s in tiff.series if not s.keyframe.is_reduced] or list(tiff.series)
    if not full:
        return None
    series = full[0]
    sizes = dict(zip(series.axes, series.shape, strict=True))
    planes = [a for a, n in sizes.items() if a not in "YXS" and n > 1]
    if not planes or not {"Y", "X"} <= sizes.keys():
        # One plane; `read_image` reads it, or says what is wrong.
        return None
    notes: tuple[str, ...] = ()
    if len(full) > 1:
        notes = (f"the first of {len(full)} images in the file",)
    hidden = [a for a in series.axes if a not in "YXS"]
    shape = tuple(sizes[a] for a in hidden)
    data: Any
    if _one_a_page(series, math.prod(shape)):
        data = _Pages(tiff, series, shape)
    else:
        data = _whole(series, hidden)
    axes = tuple(_name(a, hidden) for a in hidden)
    size, unit = pixel_size_of(tiff, series) or (None, "")
    return OpenedImage(
        data,
        (*axes, "y", "x"),
        rgb=data.ndim == len(hidden) + 3,
        channel_axis=hidden.index("C") if "C" in hidden else None,
        pixel_size=size,
        unit=unit,
        notes=notes,
        _close=tiff.close,
    )


def _name(axis: str, hidden: list[str]) -> str:
    name = _NAMES.get(axis, axis.lower())
    # tifffile calls all axes that it does not know Q.
    if axis != "Q":
        return name
    return "z" if len(hidden) == 1 else f"axis{hidden.index(axis)}"


def _one_a_page(series: TiffPageSeries, planes: int) -> bool:
    """Whether each page is a plane: rows, columns, colours."""
    page = series.keyframe
    sides = {a: n for a, n in zip(series.axes, series.shape, strict=True) if a in "YX"}
    return (
        len(series.pages) == planes
        and (page.imagelength, page.imagewidth) == (sides["Y"], sides["X"])
        and series.axes.rstrip("S").endswith("YX")
        and page.samplesperpixel == dict(zip(series.axes, series.shape)).get("S", 1)  # noqa: B905
    )


def _whole(series: TiffPageSeries, hidden: list[str]) -> NDArray[Any]:
    """All pixels, with rows, columns and colours last."""
    pixels = np.asarray(series.asarray())
    order = [series.axes.index(a) for a in (*hidden, "Y", "X")]
    if "S" in series.axes:
        order.append(series.axes.index("S"))
    return pixels.transpose(order)


class _Pages:
    """Planes of a TIFF as an array; the page that was read last is kept."""

    def __init__(
        self, tiff: TiffFile, series: TiffPageSeries, hidden: tuple[int, ...]
    ) -> None:
        self._tiff, self._series, self._hidden = tiff, series, hidden
        self._lock = Lock()  # a file has one position
        self._last: tuple[int, NDArray[Any]] | None = None
        first = self._page(0)
        self.shape = (*hidden, *first.shape)
        self.dtype = first.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Pixels of one plane: a number for each hidden axis, then slices."""
        index = index if isinstance(index, tuple) else (index,)
        count = len(self._hidden)
        numbers = tuple(int(i) for i in index[:count])
        page = self._page(int(np.ravel_multi_index(numbers, self._hidden)))
        return np.asarray(page[index[count:]])

    def _page(self, number: int) -> NDArray[Any]:
        with self._lock:
            if self._last is None or self._last[0] != number:
                page: Any = self._series.pages[number]
                if page is None:
                    raise ValueError(f"the TIFF lacks plane {number}")
                pixels = oriented(tiff_pixels(self._tiff, page), page.keyframe)
                self._last = (number, pixels)
            return self._last[1]
