"""One entry on disk: a folder of named arrays and what is known about them.

``entry.json`` names the arrays, their files and checksums; ``used`` is an empty file
whose time says when the entry was used last. Each array is a plain ``.npy``.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "folder_size", "last_use", "read_entry", "touch", "write_entry"]

Arrays = dict[str, NDArray[Any]]

_INDEX = "entry.json"
_USED = "used"
_BLOCK = 1 << 20


def write_entry(
    folder: Path, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]
) -> None:
    """Write an entry into an empty folder.

    Raises
    ------
    ValueError
        If an array holds Python objects, or ``meta`` is not plain data.
    OSError
        If it cannot be written.
    """
    index: dict[str, Any] = {"arrays": {}, "meta": dict(meta)}
    # Numbers, because names may hold letters that a file system does not take.
    for number, (name, array) in enumerate(arrays.items()):
        path = folder / f"{number}.npy"
        with path.open("wb") as stream:
            np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)
        index["arrays"][name] = {"file": path.name, "crc32": _checksum(path)}
    try:
        text = json.dumps(index, allow_nan=False)
    except TypeError as error:
        raise ValueError(f"meta: {error}; give plain data, ready for JSON") from error
    (folder / _USED).touch()
    (folder / _INDEX).write_text(text, encoding="utf-8")


def read_entry(folder: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read an entry; its arrays are mapped copy-on-write.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is not what was written.
    OSError
        If it cannot be read.
    """
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    try:
        files, meta = dict(index["arrays"]), dict(index["meta"])
        names = {name: (str(f["file"]), int(f["crc32"])) for name, f in files.items()}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{_INDEX} does not describe an entry") from error
    paths = {name: folder / Path(file).name for name, (file, _) in names.items()}
    # All of it is needed soon; reading it for the checksums warms the cache. Nothing is
    # mapped before all are right: Windows could not delete a damaged entry then.
    for name, (_, checksum) in names.items():
        if _checksum(paths[name]) != checksum:
            raise ValueError(f"{paths[name].name} has changed")
    arrays: Arrays = {
        name: np.load(path, mmap_mode="c", allow_pickle=False)
        for name, path in paths.items()
    }
    return arrays, meta


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value


def touch(folder: Path) -> None:
    """Note that an entry was used now."""
    os.utime(folder / _USED)


def last_use(folder: Path) -> int:
    """When an entry was used last, in ns since the epoch; 0 if that is not known."""
    try:
        return (folder / _USED).stat().st_mtime_ns
    except OSError:
        return 0


def folder_size(folder: Path) -> int:
    """Bytes of the files in a folder; what vanishes meanwhile counts nothing."""
    size = 0
    try:
        for path in folder.iterdir():
            size += path.stat().st_size
    except OSError:
        return size
    return size
