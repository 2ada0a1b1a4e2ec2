"""What a user last used: classes, model, settings, state of the panels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .io.class_lists import classes_from_dict
from .settings import Settings

if TYPE_CHECKING:
    from .classes import ClassSet

__all__ = ["Remembered"]

_MAX_PANEL: Final = 64 * 1024  # characters of JSON


@dataclass(frozen=True)
class Remembered:
    """What was used last; what is empty or None was not chosen.

    Attributes
    ----------
    classes : ClassSet or None
        With background words.
    model : str
        Name of the preset.
    settings : Settings
        The method among them. Only what differs from the defaults is written, so that
        better defaults of a later version reach the user.
    device, precision : str
    panel : mapping
        Which tab is open and the like: plain data, at most 64 kB as JSON.
    """

    classes: ClassSet | None = None
    model: str = ""
    settings: Settings = field(default_factory=Settings)
    device: str = ""
    precision: str = ""
    panel: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON.

        Raises
        ------
        ValueError
            If `panel` is not plain data, or too large.
        """
        _check_panel(self.panel)
        return {
            "classes": None if self.classes is None else self.classes.to_dict(),
            "model": self.model,
            "settings": self.settings.model_dump(mode="json", exclude_defaults=True),
            "device": self.device,
            "precision": self.precision,
            "panel": dict(self.panel),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> tuple[Remembered, list[str]]:
        """What can be used of plain data, and why the rest cannot, a line each."""
        found: dict[str, Any] = {}
        notes: list[str] = []
        for name in ("model", "device", "precision"):
            value = content.get(name, "")
            if isinstance(value, str):
                found[name] = value
            else:
                notes.append(f"{name}: {value!r} is no text")
        if content.get("classes") is not None:
            try:
                found["classes"] = classes_from_dict(content["classes"])
            except ValueError as error:
                notes.append(str(error))
        for name in ("settings", "panel"):
            value = content.get(name, {})
            if isinstance(value, dict):
                found[name] = value
            else:
                notes.append(f"{name}: it holds no fields")
        if "settings" in found:
            found["settings"] = _usable(found["settings"], notes)
        try:
            _check_panel(found.get("panel", {}))
        except ValueError as error:
            notes.append(str(error))
            del found["panel"]
        return cls(**found), notes


def _check_panel(panel: Mapping[str, Any]) -> None:
    try:
        size = len(json.dumps(panel, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"panel: {error}; give plain data for JSON") from None
    if size > _MAX_PANEL:
        raise ValueError(
            f"panel: it takes {size} characters; give at most {_MAX_PANEL}"
        )


def _usable(given: Mapping[str, Any], notes: list[str]) -> Settings:
    """The settings without those that this version does not take."""
    kept: dict[str, Any] = {}
    # One after another: whether a value may be can depend on those before it.
    for name, value in given.items():
        try:
            Settings.model_validate({**kept, name: value})
        except ValueError as error:
            notes.append(str(error))
        else:
            kept[name] = value
    return Settings(**kept)
