"""Reading parts of lazy data, and black and white of a whole plane from a sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..image import Levels, choose_levels

__all__ = ["Index", "PlaneLevels", "Source"]

Index: TypeAlias = tuple[int | slice, ...]

_ENOUGH: Final = 1 << 20
"""Pixels of a lazy plane that are read whole for its percentiles."""

_GRID: Final = 3
"""So many parts of a larger plane down and across are read instead."""

_PART: Final = 256
"""Sides of these parts, in px."""


@dataclass(frozen=True, eq=False)
class Source:
    """Where the pixels of a plane come from.

    Attributes
    ----------
    data : array_like
        NumPy, dask, zarr or whatever can be indexed with numbers and slices.
    index : tuple of int or slice
        Two slices with first and last row and column; of channels the first.
    channels : (int, tuple of int), optional
        Axis of channels and indices along it: what is read has them last.
    """

    data: Any
    index: Index
    channels: tuple[int, tuple[int, ...]] | None = None

    @property
    def axes(self) -> tuple[int, int]:
        """Axes of rows and columns."""
        rows, columns = (a for a, i in enumerate(self.index) if isinstance(i, slice))
        return rows, columns

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = (i.stop - i.start for i in self.index if isinstance(i, slice))
        return height, width

    def part(self, rows: slice, columns: slice) -> Source:
        """Some rows and columns, counted from the first one."""
        index = list(self.index)
        for axis, chosen in zip(self.axes, (rows, columns), strict=True):
            whole = self.index[axis]
            assert isinstance(whole, slice)
            first, last, _ = chosen.indices(whole.stop - whole.start)
            index[axis] = slice(whole.start + first, whole.start + last)
        return Source(self.data, tuple(index), self.channels)

    def read(self) -> NDArray[Any]:
        """Pixels (H, W), or with several channels or colours (H, W, C)."""
        return np.asarray(self.lazy())

    def lazy(self, step: int = 1) -> Any:
        """The same, not yet computed where the data can wait; every so many pixels."""
        index = list(self.index)
        for axis in self.axes:
            whole = self.index[axis]
            assert isinstance(whole, slice)
            index[axis] = slice(whole.start, whole.stop, step)
        if self.channels is None:
            return self.data[tuple(index)]
        axis, channels = self.channels
        planes = []
        for channel in channels:
            index[axis] = channel
            planes.append(self.data[tuple(index)])
        # Of dask arrays NumPy makes a dask array.
        return np.stack(planes, axis=-1) if len(planes) > 1 else planes[0]


@dataclass(frozen=True, eq=False)
class PlaneLevels:
    """Finds `Levels` of a plane once, when they are first needed.

    Attributes
    ----------
    source : Source
        The whole plane, whatever part of it is segmented: a pixel is as bright in a
        part as in the whole.
    coarsest : Source
        The same plane on the coarsest level of a pyramid.
    rgb : bool
    contrast_limits : (float, float) or None
    each : bool
        Take percentiles, of each channel.
    """

    source: Source
    coarsest: Source
    rgb: bool
    contrast_limits: tuple[float, float] | None = None
    each: bool = False
    _found: list[Levels] = field(default_factory=list, repr=False)
    _lock: Any = field(default_factory=Lock, repr=False)

    def get(self) -> Levels:
        """What becomes black and white; may read a bounded part of the plane."""
        with self._lock:
            if not self._found:
                self._found.append(self._find())
            return self._found[0]

    def _find(self) -> Levels:
        known = None if self.each else self.contrast_limits
        if known is not None or (self._are_grey_levels and not self.each):
            sample, of = self._nothing(), ""
        else:
            sample, of = self._sample()
        return choose_levels(
            sample, rgb=self.rgb, contrast_limits=known, each=self.each, of=of
        )

    def _nothing(self) -> NDArray[Any]:
        """A pixel of the plane's dtype, where its values do not matter."""
        data, shape = self.source.data, [1, 1]
        if self.rgb:
            shape.append(3 if self.source.channels else int(data.shape[-1]))
        return np.zeros(shape, data.dtype)

    @property
    def _are_grey_levels(self) -> bool:
        dtype = np.dtype(self.source.data.dtype)
        return bool(dtype.kind == "b") or (dtype.kind == "u" and dtype.itemsize == 1)

    def _sample(self) -> tuple[NDArray[Any], str]:
        """Pixels of all of the plane, and what they are a sample of."""
        source = self.source
        if np.prod(source.shape) <= _ENOUGH:
            return source.read(), ""
        if type(source.data) is np.ndarray:  # a memmap is another
            step = int((np.prod(source.shape) / _ENOUGH) ** 0.5) + 1
            return source.lazy(step), f" of every {step}th row and column"
        if np.prod(self.coarsest.shape) <= 4 * _ENOUGH:
            return self.coarsest.read(), " of the coarsest level"
        parts = [
            source.part(rows, columns).lazy()
            for rows in self._spread(0)
            for columns in self._spread(1)
        ]
        # All at once: what dask needs for two of them is computed once.
        found = np.asarray(np.stack(parts))
        sample = found.reshape(-1, 1, *found.shape[3:])
        return sample, f" of {len(parts)} parts of {_PART} px"

    def _spread(self, side: int) -> list[slice]:
        """Evenly spread parts of a side, each within one chunk where that is easy."""
        length = self.source.shape[side]
        size = min(_PART, length)
        count = min(_GRID, length // size)
        axis = self.source.axes[side]
        whole = self.source.index[axis]
        assert isinstance(whole, slice)
        chunk = _chunk(self.source.data, axis)
        found = []
        for i in range(count):
            first = int((i + 0.5) * length / count - size / 2)
            # The next edge of a chunk, if the part would cross it.
            edge = -(-(first + 1) // chunk) * chunk
            if size <= chunk and first < edge < first + size:
                first = min(edge, length - size)
            found.append(slice(first, first + size))
        return found


def _chunk(data: Any, axis: int) -> int:
    """Length of the chunks of lazy data along an axis; 1 if it has none."""
    chunks = getattr(data, "chunks", None)
    if not chunks:
        return 1
    along = chunks[axis]  # of dask one number a chunk
    return int(max(along) if isinstance(along, tuple) else along)
