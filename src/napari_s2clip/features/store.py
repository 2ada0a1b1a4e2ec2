"""Arrays kept on disk under a key of what they were made from.

An entry is complete or not there: it is written into a folder of its own, which then
gets its name in one step. Many processes may share a store.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..sizes import format_size, parse_size
from ..store import cache_folder
from .entry import Arrays, folder_size, last_use, read_entry, touch, write_entry

__all__ = ["DEFAULT_LIMIT", "FORMAT", "LIMIT_VARIABLE", "FeatureStore"]

log = logging.getLogger(__name__)

FORMAT: Final = 1
"""Part of every key. Raise it when equal settings begin to give other features, or
entries another form; old entries are then never found and leave as the least used."""

DEFAULT_LIMIT: Final = 10 * 1000**3
"""Bytes."""

LIMIT_VARIABLE: Final = "NAPARI_S2CLIP_FEATURES_LIMIT"

_KEY = re.compile(r"[0-9a-f]{40}")
_NEW, _OLD = ".new-", ".old-"
_ABANDONED = 3600.0  # seconds after which a folder of a writer that died is removed


class FeatureStore:
    """A folder of entries; the least recently used ones make room for new ones.

    Parameters
    ----------
    folder : path, optional
        Made when the first entry is put; ``features`` in the folder of the weights
        (`napari_s2clip.store.cache_folder`) if not given. Nothing else in it
        is ever touched.
    limit : int, optional
        Bytes of all entries; if not given, what the environment variable
        ``NAPARI_S2CLIP_FEATURES_LIMIT`` says (``"5 GB"``), else 10 GB.

    Attributes
    ----------
    warned : bool
        For the caller: whether the user was told that this store does not work.

    Raises
    ------
    ValueError
        If the limit is negative, or the variable is not a size.

    Examples
    --------
    >>> store = FeatureStore()
    >>> features = model.encode(image, store=store)
    """

    def __init__(
        self, folder: Path | str | None = None, limit: int | None = None
    ) -> None:
        if limit is None:
            given = os.environ.get(LIMIT_VARIABLE)
            limit = parse_size(given, LIMIT_VARIABLE) if given else DEFAULT_LIMIT
        if limit < 0:
            raise ValueError(f"limit is {limit}; give bytes, 0 or more")
        self.folder = Path(folder) if folder else cache_folder() / "features"
        self.limit = limit
        self.warned = False

    @staticmethod
    def key(
        image: NDArray[Any], settings: Mapping[str, Any], origin: Mapping[str, Any]
    ) -> str:
        """Name of an entry by what it is made from, 40 hexadecimal digits.

        Parameters
        ----------
        image : ndarray
            Its values, shape and dtype count, its memory layout does not.
        settings : mapping
            What the entry depends on, as plain data; the order does not matter.
        origin : mapping
            The models it was made with, likewise.

        Raises
        ------
        ValueError
            If the image holds Python objects, or a mapping is not plain data.
        """
        if image.dtype.hasobject:
            raise ValueError("image holds Python objects; give an array of numbers")
        digest = hashlib.blake2b(digest_size=20)
        about = {
            "format": FORMAT,
            "shape": image.shape,
            "dtype": image.dtype.str,
            "settings": settings,
            "origin": origin,
        }
        try:
            text = json.dumps(about, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"settings, origin: {error}; give plain data, ready for JSON"
            ) from error
        # JSON holds no zero byte, so text and pixels cannot be mistaken for another.
        digest.update(text.encode() + b"\0")
        digest.update(np.ascontiguousarray(image).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def put(
        self, key: str, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]
    ) -> bool:
        """Keep an entry. One that is there already stays: its key names its content.

        Parameters
        ----------
        key : str
            Of `key`.
        arrays : mapping of str to ndarray
            Any dtype without Python objects, any shape.
        meta : mapping
            Plain data; tuples come back as lists.

        Returns
        -------
        bool
            Whether the entry is in the store now; not if it exceeds the limit alone.

        Raises
        ------
        ValueError
            If the key, an array or ``meta`` is not as described.
        OSError
            If it cannot be written, on a full disk or in a read-only folder; nothing
            of it is left behind then. Callers say so once and go on without a store.
        """
        entry = self._entry(key)
        if entry.is_dir():
            return True
        size = sum(array.nbytes for array in arrays.values())
        if size > self.limit:
            return self._too_large(size)
        self.folder.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=self.folder, prefix=_NEW))
        try:
            write_entry(new, arrays, meta)
            size = folder_size(new)
            if size > self.limit:
                return self._too_large(size)
            self._make_room(size)
            try:
                new.rename(entry)
            except OSError as error:
                # Someone else was faster, with the same content; it may be gone again.
                there = error.errno in {errno.ENOTEMPTY, errno.EEXIST}
                if not there and not entry.is_dir():
                    raise
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return True

    def get(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Read an entry and note that it was used; None if there is none.

        A damaged entry is removed, which is logged, and counts as none.

        Returns
        -------
        arrays : dict of str to ndarray
            Mapped from the files copy-on-write: writing to them changes no file. On
            Windows an entry cannot be deleted while its arrays are alive.
        meta : dict

        Raises
        ------
        ValueError
            If the key is not one of `key`.
        OSError
            If the entry is there and cannot be read.
        """
        entry = self._entry(key)
        try:
            try:
                found = read_entry(entry)
            except (FileNotFoundError, ValueError):
                if not entry.is_dir():
                    return None
                # Another process may have evicted it and put it again meanwhile.
                found = read_entry(entry)
        except (FileNotFoundError, ValueError) as error:
            log.warning("%s is damaged (%s); it is removed", entry, error)
            self._remove(entry)
            return None
        try:
            touch(entry)
        except OSError as error:  # a store that may only be read
            log.debug("%s: the use is not noted: %s", entry, error)
        return found

    def discard(self, key: str) -> bool:
        """Remove an entry; False if there is none, or it is in use elsewhere."""
        return self._remove(self._entry(key))

    def clear(self) -> int:
        """Remove all entries that are not in use elsewhere; the bytes that are freed.

        What another process is putting at this moment is removed too; its `put` raises
        `OSError`.
        """
        freed = 0
        for entry in [*self._entries(), *self._leftovers()]:
            size = folder_size(entry)
            freed += size if self._remove(entry) else 0
        return freed

    def usage(self) -> tuple[int, int]:
        """Number of entries and their bytes."""
        sizes = [folder_size(entry) for entry in self._entries()]
        return len(sizes), sum(sizes)

    def _entry(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"key is {key!r}; make it with FeatureStore.key")
        return self.folder / key

    def _too_large(self, size: int) -> bool:
        log.warning(
            "features of %s are not kept: the limit is %s (set %s to change it)",
            format_size(size),
            format_size(self.limit),
            LIMIT_VARIABLE,
        )
        return False

    def _make_room(self, size: int) -> None:
        """Remove the least recently used entries until ``size`` bytes fit."""
        now = time.time()
        for path in self._leftovers():
            try:
                abandoned = now - path.stat().st_mtime > _ABANDONED
            except OSError:
                continue
            if abandoned:
                shutil.rmtree(path, ignore_errors=True)
        entries = [(last_use(e), e.name, folder_size(e)) for e in self._entries()]
        total = size + sum(entry[2] for entry in entries)
        for _, name, bytes_ in sorted(entries):
            if total <= self.limit:
                return
            if self._remove(self.folder / name):
                total -= bytes_

    def _entries(self) -> Iterator[Path]:
        return (p for p in self._folders() if _KEY.fullmatch(p.name))

    def _leftovers(self) -> Iterator[Path]:
        return (p for p in self._folders() if p.name.startswith((_NEW, _OLD)))

    def _folders(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.is_dir()]
        except FileNotFoundError:
            return []

    def _remove(self, entry: Path) -> bool:
        """Remove a folder as a whole; False if it is gone or in use elsewhere.

        It loses its name first, so that nobody reads the half that is left. Windows
        refuses that step while one of the files is open.
        """
        old = self.folder / f"{_OLD}{uuid.uuid4().hex}"
        try:
            entry.rename(old)
        except OSError as error:
            log.debug("%s is not removed: %s", entry, error)
            return False
        shutil.rmtree(old, ignore_errors=True)
        return True
