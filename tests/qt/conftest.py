"""Windows need a screen; `python tools/headless.py pytest` brings one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    import napari

    from napari_s2clip._qt.widget import S2CLIPWidget


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fail here: Qt would abort the whole run where there is no screen."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    here = [item for item in items if "qt" in item.path.parts]
    if here and sys.platform.startswith("linux") and not screen:
        pytest.exit(
            "tests/qt opens windows and there is no display; "
            "run `python tools/headless.py pytest`",
            returncode=4,
        )


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> napari.Viewer:
    """A real window that has not been shown, with an image in it."""
    viewer = make_napari_viewer()
    viewer.add_image(np.full((8, 12, 3), 90, np.uint8), rgb=True, name="photo")
    return viewer


@pytest.fixture
def widget(viewer: napari.Viewer, models: Any) -> S2CLIPWidget:
    """The widget in a dock of the window, with class names and without weights."""
    from napari_s2clip._qt.widget import S2CLIPWidget

    widget = S2CLIPWidget(napari_viewer=viewer)
    viewer.window.add_dock_widget(widget, name="S2CLIP")
    widget.classes.names.setPlainText("cat\ndog")
    return widget
