"""Label maps: arrays in memory, or on disk where they are large."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    import zarr

__all__ = ["LIMIT", "Map", "count_labels", "discard", "new_map"]

LIMIT: Final = 1 << 26
"""Maps that are larger, in bytes, lie on disk: 64 MiB, 4096² pixels of int32."""

_CHUNK: Final = 1024
"""Sides of the parts that are compressed and read at once, in px."""

Map: TypeAlias = "NDArray[Any] | zarr.Array[Any]"


def new_map(
    shape: tuple[int, ...],
    dtype: DTypeLike,
    *,
    limit: int = LIMIT,
    folder: Path | None = None,
    plane: tuple[int, int] = (-2, -1),
) -> Map:
    """An array of zeros: of NumPy, or of zarr on disk where it is larger than a limit.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    limit : int
        In bytes.
    folder : Path, optional
        Where the files stay, a folder that does not exist or is empty. If not given
        they lie in the folder of temporary files of this computer, and go with the
        array or at the end of the program.
    plane : (int, int)
        The axes that are read together.

    Returns
    -------
    ndarray or zarr.Array

    Raises
    ------
    FileExistsError
        If there are files in ``folder``.
    """
    dtype = np.dtype(dtype)
    if math.prod(shape) * dtype.itemsize <= limit:
        return np.zeros(shape, dtype)
    import zarr
    from zarr.storage import LocalStore

    if folder is None:
        path = Path(tempfile.mkdtemp(prefix="napari-s2clip-", suffix=".zarr"))
    else:
        path = Path(folder)
        if path.is_dir() and any(path.iterdir()):
            raise FileExistsError(f"folder: {path} is not empty; choose another one")
    store = LocalStore(path)
    if folder is None:
        # Every view of the array holds the store.
        weakref.finalize(store, shutil.rmtree, path, ignore_errors=True)
    together = {axis % len(shape) for axis in plane}
    return zarr.create_array(
        store=store,
        shape=shape,
        chunks=tuple(
            min(_CHUNK, max(1, length)) if axis in together else 1
            for axis, length in enumerate(shape)
        ),
        dtype=dtype,
        fill_value=0,
    )


def count_labels(array: Map) -> dict[int, int]:
    """How many pixels each value of a map has; values without a pixel are left out.

    Parameters
    ----------
    array : array_like of int, (…, H, W)
        Read in parts. Values are not negative.
    """
    *planes, height, width = array.shape
    step = _CHUNK * max(1, _CHUNK // max(1, width))
    counts: dict[int, int] = {}
    for plane in np.ndindex(*planes):
        for first in range(0, height, step):
            part = np.asarray(array[(*plane, slice(first, first + step))])
            values = np.bincount(part.ravel())
            for value in np.flatnonzero(values).tolist():
                counts[value] = counts.get(value, 0) + int(values[value])
    return counts


def discard(array: Map) -> None:
    """Remove the files of a map that nobody wants."""
    root = getattr(getattr(array, "store", None), "root", None)
    if root is not None:
        shutil.rmtree(root, ignore_errors=True)
