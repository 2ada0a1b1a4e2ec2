"""OpenCV's wheel brings a Qt of its own; a napari window must open all the same."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

SCRIPT = """
import os

before = {k: v for k, v in os.environ.items() if k.startswith("QT_")}
from napari_s2clip._opencv import cv2

assert {k: v for k, v in os.environ.items() if k.startswith("QT_")} == before

import napari
import numpy as np
from qtpy import API_NAME

viewer = napari.Viewer(show=True)
image = np.zeros((64, 64, 3), np.uint8)
cv2.circle(image, (32, 32), 20, (255, 0, 0), -1)
viewer.add_image(image)
viewer.window.resize(800, 600)
picture = viewer.screenshot(canvas_only=True, flash=False)
middle = picture[picture.shape[0] // 2, picture.shape[1] // 2, :3]
print(API_NAME, *middle)
viewer.close()
"""

BINDINGS = {"pyqt6": "PyQt6", "pyside6": "PySide6"}


@pytest.mark.parametrize("api", BINDINGS)
def test_window_opens_after_opencv(api: str) -> None:
    if importlib.util.find_spec(BINDINGS[api]) is None:
        if os.environ.get("S2CLIP_REQUIRE_BOTH_QT") == "1":
            pytest.fail(f"{BINDINGS[api]} must be installed here")
        pytest.skip(f"{BINDINGS[api]} is not installed")
    environment = {**os.environ, "QT_API": api, "NAPARI_CONFIG": ""}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    name, *middle = run.stdout.split()
    assert (name, middle) == (BINDINGS[api], ["255", "0", "0"])
