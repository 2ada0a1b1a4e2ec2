"""Which weight file each part of a specification takes.

Nothing here opens a network connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ..store import WeightStore
from .errors import WeightsNotFound
from .parts import PartName

if TYPE_CHECKING:
    from .cards import ModelCard
    from .specs import ModelSpec

__all__ = ["locate", "locate_all", "missing_parts"]


def locate(
    card: ModelCard,
    given: Path | str | None = None,
    store: WeightStore | None = None,
) -> Path:
    """Path of a card's weight file.

    Parameters
    ----------
    card : ModelCard
    given : path, optional
        A file that the user chose instead of the one in the store.
    store : WeightStore, optional

    Raises
    ------
    WeightsNotFound
        If the file is not there; the message says which one it is, where it is
        published, and how to get it or point to a copy.
    """
    if given is not None or card.path is not None:
        path = Path(given or card.path or "").expanduser()
        if not path.is_file():
            raise WeightsNotFound(
                f"weights[{card.role!r}]: there is no file {path}; give the path of one"
            )
        return path
    store = store or WeightStore()
    found = store.find(card)
    if found is not None:
        return found
    if card.built_in:
        raise WeightsNotFound(
            f"The built-in {card.title} is missing from this installation "
            f"({card.filename}); reinstall napari-s2clip"
        )
    folder = store.home(card).parent
    if card.can_be_downloaded:
        raise WeightsNotFound(
            f"{card.title} is not on this computer: download it, or put "
            f"{card.filename} into {folder}; it is published at {card.source}",
            f"command line: `napari-s2clip models download {card.name}`, or --weights "
            f"{card.role}=PATH for a copy; Python: S2CLIP.load(…, download=True), or "
            f"weights={{{card.role!r}: PATH}}",
        )
    raise WeightsNotFound(
        f"{card.title} is not on this computer: put {card.filename} into {folder}",
        f"or point to a copy with weights={{{card.role!r}: PATH}} (command line: "
        f"--weights {card.role}=PATH)",
    )


def missing_parts(
    spec: ModelSpec, store: WeightStore | None = None
) -> tuple[ModelCard, ...]:
    """The cards of a specification whose weight files are not on this computer."""
    store = store or WeightStore()
    return tuple(card for card in spec.parts if store.find(card) is None)


def locate_all(
    spec: ModelSpec,
    given: Mapping[str, Path | str] | None = None,
    store: WeightStore | None = None,
    needed: Iterable[PartName] = get_args(PartName),
) -> dict[PartName, Path]:
    """Paths of all parts, before anything is loaded.

    A SAM that is fusion model too follows the file of ``"sam"``, unless it is given
    another. Parts that are not needed may be missing.

    Raises
    ------
    ValueError
        If ``given`` names a part that does not exist.
    WeightsNotFound
        For the first file that is missing.
    """
    given, needed = dict(given or {}), frozenset(needed)
    roles = [card.role for card in spec.parts]
    for role in given:
        if role not in roles:
            raise ValueError(f"weights: no part {role!r}; the parts are {roles}")
    found: dict[PartName, Path] = {}
    for card in spec.parts:
        follows = card.role not in given and card.same_model(spec.sam)
        # What is missing is named "sam" then: one file serves both.
        source = spec.sam if follows else card
        try:
            found[card.role] = locate(source, given.get(source.role), store)
        except WeightsNotFound:
            if card.role in needed:
                raise
    return found
