"""From a click in the window to the mask that is drawn there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_s2clip import S2CLIP, ClassSet
from napari_s2clip.demo.scenes import draw_scene

from .pairs import Pair

__all__ = ["prompting_pairs"]

SIZE = 1024
LONGEST = 30.0
"""Seconds after which something is wrong."""


class Window:
    """A viewer with a scene, and the panel with a first click in it."""

    def __init__(self) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_s2clip._qt.prompt_panel import PromptPanel
        from napari_s2clip.prompt_engine import ModelEngine

        self.viewer = napari.Viewer()
        self.app = QApplication.instance()
        scene = draw_scene(SIZE, np.random.default_rng(0), difficulty="hard")
        image = self.viewer.add_image(scene.image, rgb=True)
        labels = self.viewer.add_labels(np.zeros((SIZE, SIZE), np.uint16))
        model = S2CLIP.load("demo", device="cpu", parts=("sam",))
        self.panel = PromptPanel(self.viewer, ModelEngine(model))
        self.viewer.window.add_dock_widget(self.panel)
        self.panel.set_image(image)
        self.panel.set_classes(ClassSet(scene.names))
        self.panel.set_target(labels)
        self.drawn = self.shown = 0
        # The canvas is no public part of napari, and nothing else says what is drawn.
        canvas = self.viewer.window._qt_viewer.canvas  # noqa: SLF001
        canvas._scene_canvas.events.draw.connect(self._on_draw)  # noqa: SLF001
        self.panel.prompted.asker.answered.connect(self._on_shown)
        self.panel.start()
        rows, columns = np.nonzero(scene.instances == 1)
        self.first = rows.mean(), columns.mean()
        self.points = list(zip(rows[::97], columns[::97], strict=True))
        self.turn = 0
        self.click(*self.first)

    def _on_draw(self, event: Any) -> None:
        self.drawn += 1

    def _on_shown(self) -> None:
        # The panel heard first, so the mask is in its layer.
        self.shown = self.drawn

    def _wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + LONGEST
        while not condition():
            self.app.processEvents()
            if time.monotonic() > end:
                raise RuntimeError("the window has not drawn the mask")

    def click(self, row: float, column: float) -> None:
        """Click, and wait until the mask is on the screen."""
        from napari.utils.interactions import (
            mouse_press_callbacks,
            mouse_release_callbacks,
        )

        layer = self.viewer.layers.selection.active
        event = SimpleNamespace(
            button=1,
            modifiers=(),
            is_dragging=False,
            position=(row, column),
            pos=np.zeros(2),
        )
        before = self.panel.prompted.found
        mouse_press_callbacks(layer, SimpleNamespace(type="mouse_press", **vars(event)))
        mouse_release_callbacks(
            layer, SimpleNamespace(type="mouse_release", **vars(event))
        )
        self._wait(lambda: self.panel.prompted.found is not before)
        self._wait(lambda: self.drawn > self.shown)

    def rest(self) -> None:
        """Let the window finish what came after the mask."""
        for _ in range(10):
            self.app.processEvents()
            time.sleep(0.01)

    def second_click(self, *, anew: bool = False) -> None:
        """One more click on the object of the first one."""
        if anew:
            self.panel.prompted.asker.set_engine(self.panel.prompted.asker.engine)
        self.turn += 1
        self.click(*self.points[self.turn % len(self.points)])


def prompting_pairs() -> Iterator[Pair]:
    """Needs a screen: ``python tools/headless.py python -m benchmarks``."""
    window = Window()
    try:
        yield Pair(
            f"a second click in an image of {SIZE} px until its mask is drawn, demo",
            window.second_click,
            lambda: window.second_click(anew=True),
            "encoding the image anew",
            window.rest,
        )
    finally:
        window.panel.stop()
        window.viewer.close()
