"""A picture of a real napari window, for the demo command and the documentation."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ..results import Segmentation

__all__ = ["require_display", "save_window"]


def require_display() -> None:
    """Raise `RuntimeError` where no window can open; Qt would end the program."""
    chosen = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(v) for v in chosen):
        raise RuntimeError(
            "there is no display to open a window on; run under xvfb-run, or without "
            "a window"
        )


def save_window(
    image: NDArray[np.uint8],
    result: Segmentation,
    path: Path,
    *,
    size: tuple[int, int] = (1280, 800),
) -> None:
    """Open a napari window with an image and its maps, save a picture, close it.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)
    result : Segmentation
    path : Path
        A PNG file; its folder is made.
    size : (int, int)
        Width and height of the window, in pixels.
    """
    import napari
    from qtpy.QtWidgets import QApplication

    from ..layers import add_segmentation

    viewer: Any = napari.Viewer(title="napari-s2clip demo", show=True)
    try:
        layer = viewer.add_image(image, name="scene")
        add_segmentation(viewer, layer, result)
        viewer.window.resize(*size)
        viewer.reset_view()
        for _ in range(5):
            QApplication.processEvents()
        path.parent.mkdir(parents=True, exist_ok=True)
        viewer.screenshot(str(path), canvas_only=False, flash=False)
    finally:
        viewer.close()
