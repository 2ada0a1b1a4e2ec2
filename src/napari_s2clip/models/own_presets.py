"""Presets of the user's own: written, forgotten, and made from a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomlkit

from .own import Catalogue, add_own, catalogue, change_own, remove_own

if TYPE_CHECKING:
    from .cards import ModelCard
    from .parts import PartName
    from .specs import ModelSpec

__all__ = ["forget_model", "preset_with_file"]

_ROLES: Final = ("clip", "vfm", "sam")


def preset_with_file(spec: ModelSpec, role: PartName, path: Path | str) -> ModelSpec:
    """A specification with one part from a file; both are kept in the user's file.

    The file is taken for the architecture of the part it replaces. What is there
    already is not added again.

    Parameters
    ----------
    spec : ModelSpec
    role : {"clip", "vfm", "sam"}
    path : path

    Raises
    ------
    ValueError
        If there is no such file, the part is built in, or the user's file is wrong.
    OSError
        If the user's file cannot be written.
    """
    old: ModelCard = getattr(spec, role)
    if old.built_in:
        raise ValueError(f"{role}: {old.title} is built in; choose another preset")
    card = _card_of(old, Path(path).expanduser())
    known = catalogue()
    parts = {name: getattr(spec, name).name for name in _ROLES} | {role: card.name}
    for found in known.specs.values():
        if {name: getattr(found, name).name for name in _ROLES} == parts:
            return found
    name = _free(f"{spec.name}-{card.name}", known)
    title = f"{spec.title.partition(' (')[0]} with {card.title}"
    change_own(lambda content: _append(content, {"name": name, "title": title} | parts))
    return catalogue().specs[name]


def forget_model(name: str) -> None:
    """Take a model, and the presets that need it, out of the user's file.

    Raises
    ------
    ValueError
        If it is none of the user's, or their file is wrong.
    """

    def drop(content: tomlkit.TOMLDocument) -> None:
        presets: Any = content.get("preset", [])
        for index in reversed(range(len(presets))):
            if name in [presets[index].get(role) for role in _ROLES]:
                del presets[index]

    if name in catalogue().own:
        change_own(drop)
    remove_own(name)


def _card_of(old: ModelCard, path: Path) -> ModelCard:
    known = catalogue()
    if not path.is_file():
        raise ValueError(f"file: there is no file {path}")
    for card in known.of_role(old.role).values():
        same = card.path is not None and card.path == path.resolve()
        if same and card.architecture == old.architecture:
            return card
    return add_own(
        name=_free(path.stem, known),
        role=old.role,
        architecture=old.architecture,
        file=str(path),
        title=path.name,
        about=f"Your own file, in place of {old.title}.",
    )


def _free(text: str, known: Catalogue) -> str:
    """A name made of ``text`` that no model and no preset has."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.casefold()).strip("-._")[:56] or "file"
    number, found = 1, name
    while found in known.cards or found in known.specs:
        number += 1
        found = f"{name}-{number}"
    return found


def _append(content: tomlkit.TOMLDocument, preset: dict[str, str]) -> None:
    table = tomlkit.table()
    table.update(preset)
    if "preset" not in content:
        content["preset"] = tomlkit.aot()
    presets: Any = content["preset"]
    presets.append(table)
