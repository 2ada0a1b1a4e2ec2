"""What the user feels: how long the window stands still, how soon a threshold acts."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.demo.vocabulary import VOCABULARY

__all__ = ["window_figures"]

SIZE = 1024
CLASSES = 10
LONGEST = 300.0
"""Seconds after which something is wrong."""


class Dock:
    """A viewer with a scene and the dock; one image after another."""

    def __init__(self) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_s2clip._qt.widget import S2CLIPWidget

        # What somebody used last is no part of a comparison.
        os.environ["NAPARI_S2CLIP_REMEMBER"] = "0"
        self.viewer = napari.Viewer()
        self.app = QApplication.instance()
        self.widget = S2CLIPWidget(napari_viewer=self.viewer)
        self.viewer.window.add_dock_widget(self.widget)
        self.gaps: list[float] = []
        # Torch is imported while somebody writes class names.
        self.turn(lambda: self.widget.engine.warm)

    def add(self, seed: int) -> None:
        """Another scene, with ten classes."""
        scene = draw_scene(SIZE, np.random.default_rng(seed), difficulty="hard")
        layer = self.viewer.add_image(scene.image, rgb=True)
        self.widget.image.choose(layer)
        others = [name for name in VOCABULARY if name not in scene.names]
        self.widget.classes.set_lines("\n".join([*scene.names, *others][:CLASSES]))
        self.rest()

    def turn(self, until: Callable[[], bool]) -> None:
        """Turn the event loop as Qt does, and note when it stood still."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop, beat = QEventLoop(), QTimer()
        beat.setInterval(5)
        last = [time.perf_counter()]
        end = last[0] + LONGEST

        def look() -> None:
            now = time.perf_counter()
            self.gaps.append(now - last[0])
            last[0] = now
            if until() or now > end:
                loop.quit()

        beat.timeout.connect(look)
        beat.start()
        getattr(loop, "exec", getattr(loop, "exec_", None))()
        beat.stop()

    def rest(self) -> None:
        """Let the window finish what is due."""
        end = time.perf_counter() + 0.5
        self.turn(lambda: time.perf_counter() > end)

    def run(self) -> tuple[float, float]:
        """One run; how long the window stood still at most, in ms.

        While the run was computing, and until its result was shown.
        """
        self.gaps.clear()
        computed: list[int] = []
        engine = self.widget.engine
        segment = engine.segment

        def noted(*given: Any) -> Any:
            try:
                return segment(*given)
            finally:
                computed.append(len(self.gaps))

        engine.segment = noted
        self.widget.start()
        self.turn(lambda: self.widget.settled)
        engine.segment = segment
        computing = 1e3 * max(self.gaps[: computed[0]])
        longest = 1e3 * max(self.gaps)
        self.rest()
        return computing, longest

    def insert(self) -> float:
        """How long napari itself stands still for a layer of labels, in ms."""
        from napari.layers import Labels
        from qtpy.QtCore import QTimer

        refined = self.widget.results.output.refined
        labels = Labels(np.array(refined.data), colormap=refined.colormap)
        self.gaps.clear()
        inserted: list[bool] = []

        def insert() -> None:
            self.viewer.layers.insert(len(self.viewer.layers), labels)
            inserted.append(True)

        QTimer.singleShot(20, insert)
        self.turn(lambda: bool(inserted))
        longest = 1e3 * max(self.gaps)
        self.rest()
        self.viewer.layers.remove(labels)
        self.rest()
        return longest

    def change(self, name: str, value: Any) -> tuple[float, float]:
        """Until a changed control has acted, and the longest gap, in ms."""
        ended: list[float] = []
        self.widget.runs.ended.connect(self._note(ended))
        self.gaps.clear()
        started = time.perf_counter()
        self.widget.tune.editors[name].value = value
        self.turn(lambda: bool(ended) and self.widget.settled)
        took = 1e3 * (time.perf_counter() - started)
        longest = 1e3 * max(self.gaps)
        self.rest()
        return took, longest

    def _note(self, ended: list[float]) -> Callable[..., None]:
        return lambda *_: ended.append(time.perf_counter())

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()


def window_figures(rounds: int) -> dict[str, Any]:
    """Needs a screen: ``python tools/headless.py python -m benchmarks``.

    The first run of a window also loads; figures are those of later ones.
    A run ends with three layers of labels, so its standstill is held against that of
    napari when it takes in one. Thresholds go up and down between two values that were
    both seen before.
    """
    dock = Dock()
    try:
        dock.add(0)
        _, first = dock.run()
        computing: list[float] = []
        later, alone = [], []
        for seed in range(1, 4):
            dock.add(seed)
            working, longest = dock.run()
            computing.append(working)
            later.append(longest)
            alone.append(dock.insert())
        changes = {}
        for name, values in (
            ("probability_threshold", (0.1, 0.2)),
            ("coarse_threshold", (0.3, 0.4)),
            ("iou_threshold", (0.7, 0.9)),
            ("min_region_area", (100, 400)),
        ):
            for value in values:
                dock.change(name, value)
            found = [dock.change(name, values[i % 2]) for i in range(rounds)]
            changes[name] = {
                "median_ms": statistics.median(took for took, _ in found),
                "longest_gap_ms": max(gap for _, gap in found),
            }
        return {
            "size": SIZE,
            "classes": CLASSES,
            "first_run_gap_ms": first,
            "computing_gaps_ms": computing,
            "later_run_gaps_ms": later,
            "napari_layer_gaps_ms": alone,
            "gap_ratio": statistics.median(later) / statistics.median(alone),
            "changes": changes,
        }
    finally:
        dock.close()
