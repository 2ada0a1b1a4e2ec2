"""The dock imports torch and its companions into a window that is already drawn.

In a process of its own: here torch is loaded after OpenGL, as it is for users.
"""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import napari
import numpy as np
from qtpy.QtWidgets import QApplication
from napari_s2clip._qt.widget import S2CLIPWidget

viewer = napari.Viewer(show=True)
viewer.add_image(np.zeros((16, 16, 3), np.uint8), rgb=True)
viewer.screenshot(canvas_only=True, flash=False)
assert "torch" not in sys.modules
widget = S2CLIPWidget(napari_viewer=viewer)
viewer.window.add_dock_widget(widget)
while not widget.engine.warm:
    QApplication.processEvents()
print({"torch", "open_clip", "segment_anything"} <= set(sys.modules))

from napari_s2clip.pipeline import S2CLIP

load = S2CLIP.load
S2CLIP.load = lambda spec, **options: load(spec, weights="random", **options)
widget.classes.set_lines("cat; dog")
widget.start()
while widget.run.running:
    QApplication.processEvents()
print([layer.name for layer in viewer.layers][1:])
widget.desk.open()
print(widget.desk.dialog.memory.text())
widget.desk.dialog.free_button.click()
print(widget.desk.dialog.memory.text())
viewer.close()
"""


def test_torch_can_be_loaded_into_a_window() -> None:
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    # Imported before the first run, as the dock is shown.
    assert run.stdout.startswith("True\n")
    assert "Image refined" in run.stdout
    # The models are real, if their weights are not.
    assert "In memory: CLIP 37.9 MB, DINO 3.35 MB, SAM 4.79 MB on " in run.stdout
    assert run.stdout.endswith("No model is in memory.\n")
