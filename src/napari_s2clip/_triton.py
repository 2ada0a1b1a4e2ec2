"""Keeps triton out of a process in which it would crash.

On Linux torch comes with triton, which carries an LLVM of its own, and importing
torchvision imports both. Mesa, the OpenGL of most Linux desktops, loads the system's
LLVM as soon as a napari window is drawn. Once that has happened, loading triton ends
the process with a segmentation fault. It is only used by ``torch.compile``, so here it
is made to look as if it were not installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["avoid_triton"]

_MAPS = Path("/proc/self/maps")


def avoid_triton() -> bool:
    """Hide triton if it cannot be loaded safely any more; call before torchvision.

    Returns
    -------
    bool
        Whether triton is hidden. It is not where it was imported in time, where no
        other LLVM is loaded, and on other systems than Linux.
    """
    if "triton" in sys.modules:
        return sys.modules["triton"] is None
    try:
        maps = _MAPS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    if "/libLLVM" not in maps:
        return False
    # What Python documents for this: importing it raises ModuleNotFoundError.
    sys.modules["triton"] = None  # type: ignore[assignment]
    return True
