"""The one place that imports OpenCV.

The Linux wheel of ``opencv-python`` carries a Qt of its own and points Qt's plug-in
search at it while it is imported. A napari window opened afterwards would then load
the wrong platform plug-in and abort, so the variables are put back as they were.
"""

from __future__ import annotations

import os

_QT_VARIABLES = (
    "QT_QPA_PLATFORM_PLUGIN_PATH",
    "QT_QPA_FONTDIR",
    "QT_PLUGIN_PATH",
)

_before = {name: os.environ.get(name) for name in _QT_VARIABLES}

import cv2  # noqa: E402

for _name, _value in _before.items():
    if _value is None:
        os.environ.pop(_name, None)
    else:
        os.environ[_name] = _value

__all__ = ["cv2"]
