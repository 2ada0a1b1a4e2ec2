"""Take the pictures of the window that the documentation shows.

``python tools/headless.py python tools/screenshots.py [folder] [page …]`` runs the
built-in models on the demo scene in a window of 1280 × 720 px, in both themes, and
writes ``<page>-<theme>.png``. Look at them before they are kept.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from napari.settings import get_settings
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_s2clip._qt.widget import S2CLIPWidget
from napari_s2clip.sample_data import demo_scene

SIZE = 1280, 720
THEMES = ("dark", "light")
_PATIENCE = 120
"""For one step, in seconds."""


def settle(seconds: float = 0.4) -> None:
    """Let Qt draw what is due."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)  # for the threads


def wait(until: Callable[[], bool]) -> None:
    """Turn the event loop until something holds."""
    end = time.monotonic() + _PATIENCE
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"not after {_PATIENCE} s")
        QApplication.processEvents()
        time.sleep(0.005)  # for the threads


class Studio:
    """A window with the demo scene and the widget."""

    def __init__(self, theme: str, folder: Path) -> None:
        get_settings().appearance.theme = theme
        self.theme, self.folder = theme, folder
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*SIZE)
        ((data, options, _),) = demo_scene()
        self.viewer.add_image(data, **options)
        self.widget = S2CLIPWidget(napari_viewer=self.viewer)
        self.viewer.window.add_dock_widget(self.widget, name="S2CLIP", area="right")
        settle()

    def take(self, page: str) -> None:
        """Write a picture of the whole window."""
        settle()
        path = self.folder / f"{page}-{self.theme}.png"
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        print(path)

    def run(self) -> None:
        """Segment the scene."""
        self.widget.start()
        wait(lambda: self.widget.settled)
        self.viewer.reset_view()

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()
        settle()


def segment(studio: Studio) -> None:
    """Classes and models."""
    studio.widget.pages.setCurrentWidget(studio.widget.pages.segment_page)
    studio.take("segment")


def which(studio: Studio) -> None:
    """Area, slices, channels, contrast and tiles."""
    studio.widget.pages.setCurrentWidget(studio.widget.pages.input_page)
    studio.take("input")


def tune(studio: Studio) -> None:
    """Thresholds that act at once."""
    studio.widget.pages.setCurrentWidget(studio.widget.pages.tune_page)
    studio.take("tune")


def review(studio: Studio) -> None:
    """Regions, the most doubtful first."""
    studio.widget.pages.setCurrentWidget(studio.widget.pages.review_page)
    studio.widget.review.next()
    studio.take("review")


def correct(studio: Studio) -> None:
    """Clicks and boxes."""
    widget, viewer = studio.widget, studio.viewer
    widget.pages.setCurrentWidget(widget.pages.correct_page)
    viewer.reset_view()
    widget.prompts.start()
    widget.prompts.form.classes.setCurrentIndex(2)
    widget.prompts.prompted.clicked.emit(180.0, 122.0, True)
    widget.prompts.prompted.clicked.emit(180.0, 240.0, False)
    wait(lambda: widget.prompts.prompted.found is not None)
    studio.take("correct")
    widget.prompts.stop()


def data(studio: Studio) -> None:
    """Training data, exported and looked into again."""
    panel = studio.widget.data
    studio.widget.pages.setCurrentWidget(studio.widget.pages.data_page)
    with tempfile.TemporaryDirectory() as folder:
        panel.exporting.folder.setText(folder)
        panel.exporting.start()
        wait(lambda: not panel.exporting.busy)
        panel.importing.path.setText(folder)
        panel.importing.look()
        wait(lambda: not panel.importing.busy)
        for edit in (panel.exporting.folder, panel.importing.path):
            edit.setText("datasets/shapes")
        studio.take("data")
        studio.widget.pages.data_page.ensureWidgetVisible(panel.importing.summary)
        studio.take("data-import")


def batch(studio: Studio) -> None:
    """A job that is under way, and its results one by one."""
    widget = studio.widget
    tab = widget.batch
    widget.pages.setCurrentWidget(widget.pages.batch_page)
    ((data, *_),) = demo_scene()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "scenes"
        folder.mkdir()
        for number in range(6):
            scene = np.roll(data, 40 * number, 1)
            Image.fromarray(scene).save(folder / f"scene {number}.png")
        tab.job.images.setText(str(folder))
        tab.job.start()
        wait(lambda: tab.job.bar.value() > 300)
        # The folder is a temporary one.
        tab.job.images.setText("scenes")
        tab.job.out.setText("scenes-s2clip")
        studio.take("batch")
        wait(lambda: not tab.job.busy)
        tab.folder.open_folder(folder.with_name("scenes-s2clip"))
        wait(lambda: not tab.busy)
        tab.folder.accept()
        wait(lambda: not tab.busy)
        studio.take("batch-review")
        tab.folder.close_folder()
        wait(lambda: not tab.busy)


PAGES = {
    "segment": segment,
    "input": which,
    "tune": tune,
    "review": review,
    "correct": correct,
    "data": data,
    "batch": batch,
}


def main() -> None:
    """Take what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"))
    parser.add_argument("pages", nargs="*", choices=[*PAGES, []], default=[])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    # What somebody used last is not to be seen.
    os.environ["NAPARI_S2CLIP_REMEMBER"] = "0"
    for theme in THEMES:
        studio = Studio(theme, options.folder)
        studio.run()
        for name in options.pages or PAGES:
            PAGES[name](studio)
        studio.close()


if __name__ == "__main__":
    main()
