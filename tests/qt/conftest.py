"""Windows need a screen; `python tools/headless.py pytest` brings one."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils.notifications import Notification, notification_manager

from napari_s2clip.models.cards import CARDS, CLIPS, SAMS, VFMS, ModelCard
from napari_s2clip.models.specs import SPECS, ModelSpec

from ..store.servers import FileServer

if TYPE_CHECKING:
    import napari
    from qtpy.QtWidgets import QWidget

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
def show(qtbot: Any) -> Callable[..., None]:
    """Show a panel in a window of its own, which takes no time."""

    def show(panel: QWidget, width: int, height: int) -> None:
        qtbot.addWidget(panel)
        panel.resize(width, height)
        panel.show()
        qtbot.waitExposed(panel)

    return show


@pytest.fixture
def widget(viewer: napari.Viewer, models: Any) -> S2CLIPWidget:
    """The widget in a dock of the window, with class names and without weights."""
    from napari_s2clip._qt.widget import S2CLIPWidget

    widget = S2CLIPWidget(napari_viewer=viewer)
    viewer.window.add_dock_widget(widget, name="S2CLIP")
    widget.classes.set_lines("cat\ndog")
    return widget


@pytest.fixture(autouse=True)
def fresh_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folders and settings of a user who has nothing yet."""
    monkeypatch.setattr("napari_s2clip._qt.preferences._settings", lambda: None)
    home = tmp_path / "user"
    for name in ("CACHE", "CONFIG"):
        monkeypatch.setenv(f"NAPARI_S2CLIP_{name}", str(home / name.lower()))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("NAPARI_S2CLIP_OFFLINE", raising=False)
    return home


@pytest.fixture
def files(only_loopback: Any) -> Iterator[FileServer]:
    """A server without files."""
    with FileServer() as server:
        yield server


@pytest.fixture
def published(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    """The preset "fast" with small files, which the server publishes."""
    parts: dict[str, ModelCard] = {}
    for known, name in ((CLIPS, "clip-b-16"), (VFMS, "dino-s-16"), (SAMS, "sam-b")):
        content = name.encode() * 30_000
        card = replace(
            CARDS[name],
            url=files.add(f"/{name}.pth", content),
            repository="",
            filename=f"{name}.pth",
            folder=name,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        parts[card.role] = card
        for cards in (known, CARDS):
            monkeypatch.setitem(cards, name, card)
    spec = replace(SPECS["fast"], **parts)
    monkeypatch.setitem(SPECS, "fast", spec)
    return spec


@pytest.fixture
def have(published: ModelSpec) -> Callable[..., None]:
    """Put the files of some parts on this computer, all of them if none is named."""
    from napari_s2clip.store import WeightStore

    def put(*roles: str) -> None:
        for card in published.parts:
            if card.role in (roles or ("clip", "vfm", "sam")):
                path = WeightStore().home(card)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(card.name.encode() * 30_000)

    return put


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notifications: what the user was told."""
    told: list[str] = []

    def hear(notification: Notification) -> None:
        told.append(notification.message)

    notification_manager.notification_ready.connect(hear)
    yield told
    notification_manager.notification_ready.disconnect(hear)


@pytest.fixture
def finish(qtbot: Any) -> Callable[[Any], None]:
    """Wait until a run is over."""

    def wait(widget: Any) -> None:
        qtbot.waitUntil(
            lambda: widget.settled and not widget.run.running, timeout=60_000
        )

    return wait
