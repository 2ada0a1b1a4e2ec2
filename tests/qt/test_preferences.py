"""napari's settings page of the plugin, where there is one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import npe2
import pytest

import napari_s2clip
from napari_s2clip._qt import preferences
from napari_s2clip._qt.preferences import Preferences, read_preferences

MANIFEST = Path(napari_s2clip.__file__).parent / "napari.yaml"
SETTINGS = preferences._settings


@pytest.fixture
def page(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, npe2pm: Any
) -> Any:
    """napari's own object for the settings, in a folder of the test."""
    pytest.importorskip("napari", minversion="0.9")
    request.getfixturevalue("plugin_settings")
    npe2pm.register(npe2.PluginManifest.from_file(MANIFEST))
    monkeypatch.setattr(preferences, "_settings", SETTINGS)
    return SETTINGS()


def test_the_manifest_names_the_settings_that_are_read() -> None:
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    found = {
        name: p.default
        for category in manifest.contributions.configurations.values()
        for name, p in category.properties.items()
    }
    assert Preferences(**found) == Preferences()


def test_without_a_page_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path))
    assert read_preferences() == Preferences()
    store = Preferences().store()
    assert (store.folder, store.offline) == (tmp_path, False)
    monkeypatch.setenv("NAPARI_S2CLIP_OFFLINE", "1")
    assert store.offline


@pytest.mark.parametrize(
    "error", [None, KeyError("unknown"), ValueError("damaged"), OSError("refused")]
)
def test_a_page_that_cannot_be_read_is_none(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    def get(name: str) -> Any:
        if error is not None:
            raise error
        # Of another version, without most of the settings.
        return SimpleNamespace(models=SimpleNamespace(device="cpu"))

    monkeypatch.setattr(preferences, "_settings", SETTINGS)
    monkeypatch.setattr("napari.settings.get_plugin_settings", get, raising=False)
    wanted = Preferences() if error else Preferences(device="cpu")
    assert read_preferences() == wanted


def test_the_widget_begins_with_the_settings_and_follows_them(
    page: Any, viewer: Any, models: Any, tmp_path: Path, have: Any
) -> None:
    from napari_s2clip._qt.widget import S2CLIPWidget

    page.models.device = "cpu"
    page.models.cache_folder = str(tmp_path / "elsewhere")
    widget = S2CLIPWidget(napari_viewer=viewer)
    viewer.window.add_dock_widget(widget, name="S2CLIP")
    assert (widget.models.device, widget.models.precision) == ("cpu", "auto")
    assert widget.models.store.folder == tmp_path / "elsewhere"
    widget.models.choose("fast")
    have()
    assert widget.models.state.label.text() == "690 kB to download"
    widget.models.where.choose("auto", "auto")
    page.models.precision = "fp32"
    # What was chosen here stays; what was set now is taken.
    assert (widget.models.device, widget.models.precision) == ("auto", "fp32")
    page.models.cache_folder = ""
    assert widget.models.state.label.text() == "On this computer"
    page.models.offline = True
    assert widget.models.store.offline
    page.models.offline = False
    assert not widget.models.store.offline
    # And nobody follows any more.
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
