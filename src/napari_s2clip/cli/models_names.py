"""What the names on the command line stand for: models and presets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..models.cards import CARDS, ModelCard
from ..models.specs import SPECS, ModelSpec
from .console import UsageError

if TYPE_CHECKING:
    from ..models.own import Catalogue

__all__ = ["find_card", "find_cards", "find_name", "read_catalogue"]


def read_catalogue() -> tuple[Catalogue, ValueError | None]:
    """All that can be named; without the user's own if their file is wrong, and why."""
    from ..models.errors import OwnFileError
    from ..models.own import Catalogue, catalogue

    try:
        return catalogue(), None
    except OwnFileError as error:
        return Catalogue(dict(CARDS), dict(SPECS), frozenset()), error


def find_name(
    name: str, known: Catalogue, problem: ValueError | None
) -> ModelCard | ModelSpec:
    """A model or a preset; a CLIP of open_clip stands for its preset, as elsewhere.

    Raises
    ------
    UsageError
        If there is no such name.
    ValueError
        If the user's file, which is wrong, may hold it.
    """
    if name in known.cards:
        return known.cards[name]
    if name in known.specs:
        return known.specs[name]
    from ..models.find import find_spec
    from ..models.plain_vit import find_clip

    try:
        # Its plain ViTs have capitals; a slip of the pen need not wait for torch.
        if name != name.lower() and find_clip(name) is not None:
            return find_spec(name)
    except ValueError as error:
        raise UsageError(str(error).removeprefix("spec: ")) from error
    if problem is not None:
        raise problem
    raise UsageError(
        f"there is no model or preset {name!r}; `napari-s2clip models list` shows all"
    )


def find_card(name: str, known: Catalogue, problem: ValueError | None) -> ModelCard:
    """A single model.

    Raises
    ------
    UsageError
        If there is no such name, or it stands for a preset.
    ValueError
        If the user's file, which is wrong, may hold it.
    """
    found = find_name(name, known, problem)
    if isinstance(found, ModelCard):
        return found
    parts = ", ".join(card.name for card in found.parts)
    raise UsageError(f"{name} is a preset; name one of its models: {parts}")


def find_cards(
    names: Sequence[str], known: Catalogue, problem: ValueError | None
) -> list[ModelCard]:
    """The models that are named, those of presets too, each once."""
    cards: dict[str, ModelCard] = {}
    for name in names:
        found = find_name(name, known, problem)
        parts = (found,) if isinstance(found, ModelCard) else found.parts
        cards |= {card.name: card for card in parts}
    return list(cards.values())
