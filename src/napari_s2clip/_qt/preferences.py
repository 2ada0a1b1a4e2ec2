"""What the user set on napari's settings page of this plugin."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from ..models.parts import Precision
from ..store import WeightStore

__all__ = ["Preferences", "follow_preferences", "read_preferences"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preferences:
    """The properties of the manifest's ``configurations``.

    Attributes
    ----------
    cache_folder : str
        Of the weight files; empty is the default.
    offline : bool
        Whether nothing is downloaded. False leaves it to the environment variables.
    device, precision : str
        What the widget begins with.
    remember : bool
        Whether the widget begins as it was left.
    """

    cache_folder: str = ""
    offline: bool = False
    device: str = "auto"
    precision: Precision = "auto"
    remember: bool = True

    @property
    def store_facts(self) -> tuple[str, bool]:
        """What `store` depends on."""
        return self.cache_folder, self.offline

    def store(self) -> WeightStore:
        """The weight files as they are set."""
        return WeightStore(self.cache_folder or None, offline=self.offline or None)


def read_preferences() -> Preferences:
    """The settings as they are; defaults where napari has no such page."""
    page = _settings()
    categories = [getattr(page, name, None) for name in ("models", "memory")]
    known: dict[str, Any] = {
        f.name: getattr(found, f.name)
        for f in fields(Preferences)
        for found in categories
        if hasattr(found, f.name)
    }
    return Preferences(**known)


def follow_preferences(callback: Callable[..., None]) -> None:
    """Call a method whenever a setting changes, for as long as its object lives."""
    changed = getattr(getattr(_settings(), "events", None), "changed", None)
    if changed is not None:
        changed.connect(callback)


def _settings() -> Any:
    """Napari's object for them; None before napari 0.9, or for an unknown plugin."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return get_plugin_settings("napari-s2clip")
    except KeyError:  # used without being installed as a plugin
        return None
    except (OSError, ValueError) as error:
        _log.warning("napari's settings of the plugins cannot be read: %s", error)
        return None
