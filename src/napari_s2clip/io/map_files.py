"""Label maps of a run as TIFF that other programs open, and what they are known by."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..maps import count_labels

__all__ = ["digest_of", "write_map"]

_TILE: Final = 1024
_ROWS: Final = 1 << 24  # values that are looked at together


def write_map(
    path: Path,
    labels: Any,
    *,
    shape: tuple[int, ...],
    axes: str,
    facts: Mapping[str, Any],
    names: Mapping[int, str] | None = None,
) -> dict[int, int]:
    """Write a map, compressed, and count its values.

    Parameters
    ----------
    path : Path
    labels : array_like of int, (H, W) or (planes, H, W)
        What is not in memory is read in parts.
    shape : tuple of int
        Of the file: that of the stack, whose planes are counted through.
    axes : str
        A letter for each, as tifffile has them.
    facts : mapping
        Goes into the description of the file.
    names : mapping of int to str, optional
        What values are called; the file says it of those that occur.

    Returns
    -------
    dict of int to int
        How many pixels each value has.
    """
    from tifffile import TiffWriter

    height, width = shape[-2:]
    planes = math.prod(shape[:-2])
    dtype = np.dtype(labels.dtype)
    counts = dict(sorted(count_labels(labels).items()))
    metadata: dict[str, Any] = {"axes": axes, **facts}
    if names is not None:  # all of them may be thousands
        metadata["values"] = {str(v): names.get(v, "") for v in counts}
    options: dict[str, Any] = {
        "photometric": "minisblack",
        "compression": "zlib",
        "metadata": metadata,
        "software": f"napari-s2clip {__version__}",
    }
    large = math.prod(shape) * dtype.itemsize > 2**31
    with TiffWriter(path, bigtiff=large) as tiff:
        if isinstance(labels, np.ndarray) or max(height, width) <= _TILE:
            each = (np.asarray(_plane(labels, n)) for n in range(planes))
            if planes == 1 or width == 1:  # tifffile draws narrow planes together
                tiff.write(np.stack(list(each)).reshape(shape), **options)
            else:
                tiff.write(each, shape=shape, dtype=dtype, **options)
        else:
            tiff.write(
                _tiles(labels, planes),
                shape=shape,
                dtype=dtype,
                tile=(_TILE, _TILE),
                **options,
            )
    return counts


def digest_of(labels: Any) -> str:
    """Stands for the values of a map, whatever type of numbers it has.

    Parameters
    ----------
    labels : array_like of int, (…, H, W)
    """
    found = hashlib.blake2b(digest_size=16)
    found.update(repr(tuple(int(n) for n in labels.shape[-2:])).encode())
    for part in _parts(labels):
        found.update(np.ascontiguousarray(part, "<i4").data)
    return found.hexdigest()


def _plane(labels: Any, number: int) -> Any:
    return labels if len(labels.shape) == 2 else labels[number]


def _parts(labels: Any) -> Iterator[NDArray[Any]]:
    """Whole rows, some at a time."""
    *hidden, height, width = labels.shape
    step = max(1, _ROWS // width)
    for index in np.ndindex(*hidden):
        for first in range(0, height, step):
            yield np.asarray(labels[(*index, slice(first, first + step))])


def _tiles(labels: Any, planes: int) -> Iterator[NDArray[Any]]:
    height, width = labels.shape[-2:]
    for number in range(planes):
        index = () if len(labels.shape) == 2 else (number,)
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                here = (slice(top, top + _TILE), slice(left, left + _TILE))
                part = np.asarray(labels[(*index, *here)])
                short = tuple((0, _TILE - n) for n in part.shape)
                yield np.pad(part, short)
