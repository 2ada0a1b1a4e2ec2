"""What the ``models`` command says of models, presets and places."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from .console import complain, print_json, say
from .models_names import find_card, find_name, read_catalogue

if TYPE_CHECKING:
    from ..models.cards import ModelCard
    from ..models.own import Catalogue
    from ..models.specs import ModelSpec
    from ..store import CardState, WeightStore

__all__ = ["model_facts", "show_info", "show_list", "show_path"]

_WIDTH: Final = 79
_INDENT: Final = 14


def show_list(*, as_json: bool) -> int:
    """Show all models and presets; 1 if the user's own cannot be read."""
    from ..models.own import own_file
    from ..store import WeightStore

    known, problem = read_catalogue()
    store = WeightStore()
    if as_json:
        print_json(
            [
                model_facts(card, store, own=card.name in known.own)
                for card in known.cards.values()
            ]
        )
    else:
        _say_models(known, store)
        say("")
        _say_presets(known, store)
        if known.own:
            say(f"\n* your own, from {own_file()}")
    if problem is not None:
        complain(str(problem))
    return 0 if problem is None else 1


def _say_models(known: Catalogue, store: WeightStore) -> None:
    rows, about = [("MODEL", "PART", "STATE", "SIZE", "LICENCE")], [""]
    for card in known.cards.values():
        state = store.state(card)
        star = " *" if card.name in known.own else ""
        rows.append(
            (
                card.name + star,
                card.role,
                _state_words(card, state),
                _size_words(card, state) or "-",
                card.licence or "-",
            )
        )
        about.append(card.about)
    for line, text in zip(_columns(rows), about, strict=True):
        say(line)
        for part in textwrap.wrap(text, _WIDTH - 2):
            say(f"  {part}")


def _say_presets(known: Catalogue, store: WeightStore) -> None:
    rows = [("PRESET", "CLIP, VFM, SAM", "MISSING")]
    for spec in known.specs.values():
        star = " *" if spec.name in known.own else ""
        names = ", ".join(card.name for card in spec.parts)
        rows.append((spec.name + star, names, _missing_words(spec, store)))
    for line in _columns(rows):
        say(line)


def _columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def show_info(name: str, *, as_json: bool) -> int:
    """Show all that is known of a model or a preset."""
    from ..models.cards import ModelCard
    from ..store import WeightStore

    known, problem = read_catalogue()
    found, store = find_name(name, known, problem), WeightStore()
    own = name in known.own
    if as_json:
        print_json(
            model_facts(found, store, own=own)
            if isinstance(found, ModelCard)
            else _preset_facts(found, store, own=own)
        )
        return 0
    lines = (
        _model_lines(found, store)
        if isinstance(found, ModelCard)
        else _preset_lines(found, store)
    )
    for field, text in lines:
        if text:
            _say_field(field, text)
    return 0


def _say_field(field: str, text: str) -> None:
    # Paths, addresses and checksums stay whole, to be copied.
    lines = textwrap.wrap(
        text, _WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False
    )
    if field in {"path", "belongs to"}:
        lines = [text]
    say(f"{field + ':':<{_INDENT}}{lines[0]}")
    for line in lines[1:]:
        say(" " * _INDENT + line)


def _model_lines(card: ModelCard, store: WeightStore) -> list[tuple[str, str]]:
    from ..sizes import format_size

    state = store.state(card)
    place = "path" if state.installed else "belongs to"
    memory = f"about {format_size(card.memory)} in fp32" if card.memory else ""
    return [
        ("model", card.name),
        ("title", card.title),
        ("part", card.role),
        ("architecture", card.architecture),
        ("about", card.about),
        ("state", _state_words(card, state)),
        (place, str(state.path or card.path or store.home(card))),
        ("file", card.filename),
        ("size", _size_words(card, state) or "not known"),
        ("source", card.source or ("the package" if card.built_in else "not known")),
        ("SHA-256", _checksum_words(state)),
        ("memory", memory),
        ("licence", card.licence or "not known"),
        ("citation", card.citation),
    ]


def _checksum_words(state: CardState) -> str:
    if state.published:
        return f"{state.sha256} (published)"
    if state.sha256:
        return f"{state.sha256} (recorded at the first use)"
    return "unverified; none is published, that of the first use is recorded"


def _preset_lines(spec: ModelSpec, store: WeightStore) -> list[tuple[str, str]]:
    return [
        ("preset", spec.name),
        ("title", spec.title),
        ("about", spec.description),
        *(
            (card.role, f"{card.name} ({_state_words(card, store.state(card))})")
            for card in spec.parts
        ),
        ("missing", _missing_words(spec, store)),
    ]


def model_facts(card: ModelCard, store: WeightStore, *, own: bool) -> dict[str, Any]:
    """A model as JSON has it: all fields of its card, and its state."""
    facts = {field.name: getattr(card, field.name) for field in fields(card)}
    state = store.state(card)
    checksum = "published" if state.published else "recorded"
    return {
        "kind": "model",
        **facts,
        "path": None if card.path is None else str(card.path),
        "source": card.source,
        "built_in": card.built_in,
        "own": own,
        "state": {
            "installed": state.installed,
            "path": None if state.path is None else str(state.path),
            "belongs": str(card.path or state.path or store.home(card)),
            "bytes": state.size,
            "sha256": state.sha256 or None,
            "checksum": checksum if state.sha256 else None,
        },
    }


def _preset_facts(spec: ModelSpec, store: WeightStore, *, own: bool) -> dict[str, Any]:
    return {
        "kind": "preset",
        "name": spec.name,
        "title": spec.title,
        "about": spec.description,
        "own": own,
        **{card.role: card.name for card in spec.parts},
        "missing": [card.name for card in _missing(spec, store)],
    }


def show_path(name: str | None, *, as_json: bool) -> int:
    """Show the places, or only where a model's file is or belongs."""
    from ..models.own import own_file
    from ..store import WeightStore
    from ..store.places import hub_folder

    store = WeightStore()
    if name is None:
        places = {
            "cache": str(store.folder),
            "hub": str(hub_folder()),
            "configuration": str(own_file()),
        }
        if as_json:
            print_json(places)
        else:
            for place, folder in places.items():
                say(f"{place + ':':<15}{folder}")
        return 0
    card = find_card(name, *read_catalogue())
    found = store.find(card)
    path = found or card.path or store.home(card)
    if as_json:
        print_json({"name": name, "path": str(path), "installed": found is not None})
    else:
        say(str(path))
    return 0


def _missing(spec: ModelSpec, store: WeightStore) -> list[ModelCard]:
    """What is not here of a preset, each file once."""
    from ..models.weights import missing_parts

    return list({store.home(c): c for c in missing_parts(spec, store)}.values())


def _missing_words(spec: ModelSpec, store: WeightStore) -> str:
    from ..sizes import format_size

    missing = _missing(spec, store)
    if not missing:
        return "nothing"
    names = ", ".join(card.name for card in missing)
    if len(missing) == len(spec.parts):
        names = "all"
    size = sum(card.about_size for card in missing)
    if not all(card.about_size for card in missing):
        return names
    about = "" if all(card.size for card in missing) else "about "
    return f"{names}: {about}{format_size(size)}"


def _state_words(card: ModelCard, state: CardState) -> str:
    from ..sizes import format_size

    if state.installed:
        return "built in" if card.built_in else "on this computer"
    if state.size:
        total = f" of {format_size(card.about_size)}" if card.about_size else " so far"
        return f"{format_size(state.size)}{total}"
    return "to download" if card.can_be_downloaded else "missing"


def _size_words(card: ModelCard, state: CardState) -> str:
    """Exact where it is known; empty if nothing is."""
    from ..sizes import format_size

    exact = state.size if state.installed else card.size
    if exact:
        return format_size(exact)
    return f"about {format_size(card.about_size)}" if card.about_size else ""
