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

__all__ = ["open_stack", "plane_scale"]

_NAMES: Final = {"I": "z"}


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


def plane_scale(path: Path) -> tuple[tuple[float, float] | None, str]:
    """Height and width of a pixel of a TIFF that `read_image` has read, and the unit.

    Raises
    ------
    OSError
    """
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        return pixel_size_of(tiff, _images(tiff)[0]) or (None, "")


def _images(tiff: TiffFile) -> list[TiffPageSeries]:
    """Images of full size; there may be smaller copies."""
    return [s for s in tiff.series if not s.keyframe.is_reduced] or list(tiff.series)


def _open(tiff: TiffFile) -> OpenedImage | None:
    full = _images(tiff)
    if not full:
        return None
    series = full[0]
    lengths = list(zip(series.axes, series.shape, strict=True))
    hidden = [i for i, (a, _) in enumerate(lengths) if a not in "YXS"]
    if all(lengths[i][1] == 1 for i in hidden) or not {"Y", "X"} <= set(series.axes):
        # One plane; `read_image` reads it, or says what is wrong.
        return None
    notes: tuple[str, ...] = ()
    if len(full) > 1:
        notes = (f"the first of {len(full)} images in the file",)
    shape = tuple(lengths[i][1] for i in hidden)
    data: Any
    if _one_a_page(series, math.prod(shape)):
        data = _Pages(tiff, series, shape)
    else:
        data = _whole(series, hidden)
    letters = [lengths[i][0] for i in hidden]
    axes = tuple(_name(a, n, len(hidden)) for n, a in enumerate(letters))
    size, unit = pixel_size_of(tiff, series) or (None, "")
    return OpenedImage(
        data,
        (*axes, "y", "x"),
        rgb=data.ndim == len(hidden) + 3,
        channel_axis=letters.index("C") if "C" in letters else None,
        pixel_size=size,
        unit=unit,
        notes=notes,
        _close=tiff.close,
    )


def _name(letter: str, number: int, count: int) -> str:
    if letter != "Q":
        return _NAMES.get(letter, letter.lower())
    # tifffile calls all axes that it does not know Q.
    return "z" if count == 1 else f"axis{number}"


def _one_a_page(series: TiffPageSeries, planes: int) -> bool:
    """Whether each page is a plane: rows, columns, colours."""
    page = series.keyframe
    lengths = dict(zip(series.axes, series.shape, strict=True))
    return (
        len(series.pages) == planes
        and (page.imagelength, page.imagewidth) == (lengths["Y"], lengths["X"])
        and series.axes.replace("S", "").endswith("YX")
        and page.samplesperpixel == lengths.get("S", 1)
    )


def _whole(series: TiffPageSeries, hidden: list[int]) -> NDArray[Any]:
    """All pixels, with rows, columns and colours last."""
    pixels = np.asarray(series.asarray())
    last = [series.axes.index(a) for a in "YXS" if a in series.axes]
    return pixels.transpose([*hidden, *last])


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
