"""One label map in one file: compressed TIFF, or zarr for what is not in memory.

What is read may come from anywhere: nothing is decoded beyond the shape that the caller
expects.
"""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .atomic import sync

if TYPE_CHECKING:
    from tifffile import TiffPage

__all__ = ["MakeMap", "label_file", "read_labels", "write_labels"]

MakeMap: TypeAlias = Callable[[tuple[int, ...], "np.dtype[Any]"], Any]
"""Makes an array of zeros that can be written to: of NumPy, or zarr on disk."""

IN_MEMORY: Final = 256 * 1024**2
"""Lazy arrays up to this many bytes become a TIFF, in bytes."""

_BLOCK: Final = 16 * 1024**2  # bytes that are copied at a time
_LEVEL: Final = 1  # of zlib: label maps are small anyway
_DAMAGE: Final = (
    *(zlib.error, struct.error, ArithmeticError, AttributeError, EOFError),
    *(LookupError, TypeError),
)
"""What reading a file raises that is none of ours, besides OSError and ValueError."""

_DEFLATE: Final = frozenset({8, 32946})


def label_file(array: Any) -> str:
    """Ending of the file that `write_labels` makes of an array: .tif or .zarr."""
    if isinstance(array, np.ndarray):
        return ".tif"
    of_zarr = type(array).__module__.partition(".")[0] == "zarr"
    size = math.prod(array.shape) * np.dtype(array.dtype).itemsize
    return ".zarr" if of_zarr or size > IN_MEMORY else ".tif"


def write_labels(path: Path, array: Any) -> None:
    """Write an array of integers with two or more axes.

    Parameters
    ----------
    path : Path
        Ends as `label_file` says.
    array : array_like
        Lazy ones are read piece by piece.

    Raises
    ------
    OSError
    """
    if path.suffix == ".zarr":
        _write_zarr(path, array)
    else:
        _write_tiff(path, array)
        sync(path)


def read_labels(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    make: MakeMap = np.zeros,
) -> Any:
    """Read what `write_labels` wrote, into an array of its own.

    Parameters
    ----------
    path : Path
    shape : tuple of int
    dtype : dtype
        What the file must hold.
    make : callable, optional

    Raises
    ------
    ValueError
        If it holds something else, or is damaged; the message lacks the name.
    OSError
    """
    labels = make(shape, dtype)
    if path.suffix == ".zarr":
        _read_zarr(path, labels)
    else:
        _read_tiff(path, labels)
    return labels


# ------------------------------------------------------------------------- TIFF


def _write_tiff(path: Path, array: Any) -> None:
    from tifffile import TiffWriter

    shape, dtype = tuple(array.shape), np.dtype(array.dtype).newbyteorder("<")
    planes = (
        np.ascontiguousarray(array[index], dtype) for index in np.ndindex(*shape[:-2])
    )
    options: dict[str, Any] = {
        "photometric": "minisblack",
        "compression": "zlib",
        "compressionargs": {"level": _LEVEL},
    }
    large = math.prod(shape) * dtype.itemsize > 2**31
    with TiffWriter(path, byteorder="<", bigtiff=large) as tiff:
        if shape[-1] > 1 or len(shape) == 2:
            tiff.write(planes, shape=shape, dtype=dtype, metadata={}, **options)
        else:  # tifffile would draw columns one pixel wide together
            for plane in planes:
                tiff.write(plane, metadata=None, **options)


def _read_tiff(path: Path, labels: Any) -> None:
    from tifffile import TiffFile, TiffFileError

    try:
        with TiffFile(path) as tiff:
            pages = iter(tiff.pages)
            for index in np.ndindex(*labels.shape[:-2]):
                page = next(pages, None)
                if page is None:
                    raise ValueError("it holds fewer planes than it should")
                labels[index] = _page(
                    tiff.filehandle, page, labels.shape[-2:], labels.dtype
                )
            if next(pages, None) is not None:
                raise ValueError("it holds more planes than it should")
    except (TiffFileError, *_DAMAGE) as error:
        raise ValueError(f"it is damaged ({' '.join(str(error).split())})") from error


def _page(
    file: Any, page: TiffPage | Any, shape: tuple[int, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Pixels of one plane, strip by strip; tifffile would unpack what there is."""
    height, width = shape
    facts = page.keyframe
    if (facts.imagelength, facts.imagewidth) != shape or facts.samplesperpixel != 1:
        found = f"{facts.imagelength} × {facts.imagewidth}"
        raise ValueError(f"its planes are {found} px, not {height} × {width}")
    if facts.dtype is None or facts.dtype.newbyteorder("=") != dtype.newbyteorder("="):
        raise ValueError(f"it holds {facts.dtype}, not {dtype}")
    if facts.compression not in _DEFLATE or facts.predictor != 1 or facts.is_tiled:
        raise ValueError("it is compressed in a way that this program does not write")
    stored = dtype.newbyteorder(page.parent.byteorder)
    rows = min(facts.rowsperstrip, height)
    strips = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if rows < 1 or len(strips) != -(-height // rows):
        raise ValueError("it is damaged (its strips)")
    plane = np.empty(shape, dtype)
    for number, (offset, count) in enumerate(strips):
        part = plane[number * rows : (number + 1) * rows]
        # Deflate adds 5 bytes to 16 kB that it cannot compress, and a few at the ends.
        if count > part.nbytes + part.nbytes // 1000 + 100:
            raise ValueError("it is damaged (a strip is too long)")
        file.seek(offset)
        unpack = zlib.decompressobj()
        raw = unpack.decompress(file.read(count), part.nbytes + 1)
        if len(raw) != part.nbytes or not unpack.eof:
            raise ValueError("it is damaged (a strip has another size)")
        part[...] = np.frombuffer(raw, stored).reshape(part.shape)
    return plane


# ------------------------------------------------------------------------- zarr


def _write_zarr(path: Path, array: Any) -> None:
    import zarr

    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or not all(isinstance(n, int) for n in chunks):
        chunks = _chunks(array.shape)
    copy = zarr.create_array(
        store=str(path), shape=array.shape, chunks=chunks, dtype=array.dtype
    )
    for index in _blocks(array.shape, chunks, array.dtype.itemsize):
        values = np.asarray(array[index])
        if values.any():  # zeros need no file
            copy[index] = values


def _read_zarr(path: Path, labels: Any) -> None:
    import zarr

    if not path.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(path))
    try:
        stored = zarr.open_array(store=str(path), mode="r")
        if stored.shape != labels.shape or stored.dtype != labels.dtype:
            raise ValueError(
                f"it holds {stored.dtype} of shape {stored.shape}, not {labels.dtype} "
                f"of {tuple(labels.shape)}"
            )
        if math.prod(stored.chunks) * stored.dtype.itemsize > IN_MEMORY:
            raise ValueError(f"its chunks of {stored.chunks} are too large")
        for index in _blocks(stored.shape, stored.chunks, stored.dtype.itemsize):
            values = stored[index]
            if np.any(values):
                labels[index] = values
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:
        # Codecs raise what they like.
        raise ValueError(f"it is damaged ({' '.join(str(error).split())})") from error


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*(1 for _ in shape[:-2]), *(min(n, 1024) for n in shape[-2:]))


def _blocks(
    shape: tuple[int, ...], chunks: tuple[int, ...], itemsize: int
) -> Iterator[tuple[slice, ...]]:
    """Whole chunks, as many along the last axis as a block may hold."""
    size = math.prod(chunks) * itemsize
    steps = (*chunks[:-1], chunks[-1] * max(1, _BLOCK // max(1, size)))
    for start in itertools.product(
        *(range(0, n, step) for n, step in zip(shape, steps, strict=True))
    ):
        yield tuple(
            slice(first, min(first + step, n))
            for first, step, n in zip(start, steps, shape, strict=True)
        )
