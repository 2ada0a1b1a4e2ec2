"""Room on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["free_space"]


def free_space(path: Path) -> int:
    """Bytes that may still be written where ``path`` is, or will be."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free
