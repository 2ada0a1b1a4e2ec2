"""What is known of weight files: their checksums.

A file whose size and time of change are as they were is not read through again. The
first checksum of a file that none is published for is remembered, and later loads are
held to it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

__all__ = ["Records", "sha256"]

log = logging.getLogger(__name__)

_BLOCK = 1 << 22


def sha256(path: Path, on_bytes: Callable[[int, int], None] | None = None) -> str:
    """Hexadecimal SHA-256 of a file.

    Parameters
    ----------
    path : Path
    on_bytes : callable, optional
        Called with the bytes read and the size of the file, after each block.
    """
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            done += len(block)
            if on_bytes is not None:
                on_bytes(done, total)
    return digest.hexdigest()


class Records:
    """Checksums in a small file; many processes may use it.

    Parameters
    ----------
    path : Path
        Made when something is first recorded. One that cannot be read, or holds
        something else, counts as empty: what it knew is found out again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def checksum(
        self, file: Path, on_bytes: Callable[[int, int], None] | None = None
    ) -> str:
        """SHA-256 of a file, read through only if it has changed."""
        known = self._read()["files"].get(str(file))
        if isinstance(known, dict) and known.get("state") == _state(file):
            return str(known.get("sha256", ""))
        return self.measure(file, on_bytes)

    def measure(
        self, file: Path, on_bytes: Callable[[int, int], None] | None = None
    ) -> str:
        """SHA-256 of a file, read through in any case, and kept."""
        before = _state(file)
        found = sha256(file, on_bytes)
        if _state(file) == before:
            self.keep(file, found)
        return found

    def keep(self, file: Path, checksum: str) -> None:
        """Take a checksum that was just measured for that of a file as it is now."""
        known = {"state": _state(file), "sha256": checksum}
        self._change(lambda content: content["files"].update({str(file): known}))

    def expected(self, key: str) -> str:
        """The checksum that was recorded for a model's file; empty if none was."""
        found = self._read()["first"].get(key, "")
        return found if isinstance(found, str) else ""

    def expect(self, key: str, checksum: str) -> None:
        """Hold a model's file to a checksum from now on."""
        if self.expected(key) != checksum:
            self._change(lambda content: content["first"].update({key: checksum}))

    def forget(self, key: str, file: Path | None = None) -> None:
        """Drop what is known of a model's file that was removed."""

        def drop(content: dict[str, dict[str, Any]]) -> None:
            content["first"].pop(key, None)
            content["files"].pop(str(file), None)

        self._change(drop)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = {}
        found = content if isinstance(content, dict) else {}
        return {
            name: found[name] if isinstance(found.get(name), dict) else {}
            for name in ("files", "first")
        }

    def _change(self, change: Callable[[dict[str, dict[str, Any]]], None]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"):
                content = self._read()
                change(content)
                handle, name = tempfile.mkstemp(dir=self.path.parent, suffix=".new")
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    json.dump(content, stream, indent=2)
                Path(name).replace(self.path)
        except OSError:
            # Weights may lie where only an administrator writes.
            log.warning("checksums cannot be kept in %s", self.path, exc_info=True)


def _state(file: Path) -> list[int]:
    about = file.stat()
    return [about.st_size, about.st_mtime_ns]
