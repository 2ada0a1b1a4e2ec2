"""The actions of the ``models`` command that bring, check or delete weight files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .console import TransferBar, complain, print_json, say, sentence
from .models_names import find_card, find_cards, read_catalogue

if TYPE_CHECKING:
    from ..models.cards import ModelCard
    from ..models.own import Catalogue
    from ..store import TransferCallback, WeightStore

__all__ = ["download", "remove", "verify"]


def _by_file(
    cards: Iterable[ModelCard], store: WeightStore
) -> list[tuple[str, list[ModelCard]]]:
    """Models that share a file together, below their names."""
    groups: dict[Any, list[ModelCard]] = {}
    for card in cards:
        place = store.find(card) or card.path or store.home(card)
        groups.setdefault((place, card.sha256), []).append(card)
    return [(", ".join(c.name for c in group), group) for group in groups.values()]


def download(names: Sequence[str], *, as_json: bool, quiet: bool) -> int:
    """Bring what is not here; one that fails does not stop the others."""
    from ..store import StoreError, WeightStore

    store = WeightStore()
    items: list[dict[str, Any]] = []
    with TransferBar(enabled=not quiet) as bar:
        for title, group in _by_file(find_cards(names, *read_catalogue()), store):
            facts: dict[str, Any] = {"ok": True, "downloaded": False, "path": None}
            try:
                here = store.find(group[0])
                path = here or store.download(group[0], progress=bar)
                facts |= {"downloaded": here is None, "path": str(path)}
            except StoreError as error:
                facts |= {"ok": False, "error": sentence(error)}
                bar.clear()
                complain(f"{title}: {facts['error']}")
            else:
                if not (quiet or as_json):
                    bar.clear()
                    done = "downloaded to" if here is None else "already here,"
                    say(f"{title}: {done} {path}")
            items += [{"name": card.name, **facts} for card in group]
    if as_json:
        print_json(items)
    return 0 if all(item["ok"] for item in items) else 1


def verify(names: Sequence[str], *, repair: bool, as_json: bool, quiet: bool) -> int:
    """Compare checksums; 1 if a file stays damaged, or one that is named is missing."""
    from ..store import WeightStore

    store = WeightStore()
    known, problem = read_catalogue()
    if names:
        cards = find_cards(names, known, problem)
    else:
        cards = [c for c in known.cards.values() if store.find(c) is not None]
    items: list[dict[str, Any]] = []
    with TransferBar(enabled=not quiet) as bar:
        for title, group in _by_file(cards, store):
            facts = _verify(group[0], store, bar, repair=repair)
            bar.clear()
            if not facts["ok"]:
                complain(f"{title}: {facts['state']}{_because(facts)}")
            elif not (quiet or as_json):
                say(f"{title}: {facts['state']}{_because(facts)}")
            items += [{"name": card.name, **facts} for card in group]
    if as_json:
        print_json(items)
    if not names and problem is not None:
        complain(str(problem))
        return 1
    return 0 if all(item["ok"] for item in items) else 1


def _because(facts: dict[str, Any]) -> str:
    return f" ({facts['note']})" if facts["note"] else ""


def _verify(
    card: ModelCard, store: WeightStore, progress: TransferCallback, *, repair: bool
) -> dict[str, Any]:
    """What is found of one file, and done about it."""
    path = store.find(card)
    facts = {"ok": True, "path": None if path is None else str(path), "note": ""}
    try:
        verdict = store.verify(card, progress=progress)
    except OSError as error:
        return facts | {"ok": False, "state": "unreadable", "note": sentence(error)}
    if verdict == "good":
        return facts | {"state": "good"}
    if verdict == "unverified":
        note = "no checksum was known; this one is recorded now"
        return facts | {"state": "unverified", "note": note}
    if verdict == "missing":
        remedy = f"`napari-s2clip models download {card.name}`"
        note = remedy if card.can_be_downloaded else f"put it at {_place(card, store)}"
        return facts | {"ok": False, "state": "missing", "note": note}
    reason = _why_not_repaired(card, store, repair=repair)
    if reason:
        note = f"{path}; {reason}"
        return facts | {"ok": False, "state": "damaged", "note": note}
    # Held to the checksum that was known, which is forgotten with the file.
    known = replace(card, sha256=store.state(card).sha256)
    try:
        store.remove(card)
        new = store.download(known, progress=progress)
    except OSError as error:
        return facts | {"ok": False, "state": "damaged", "note": sentence(error)}
    note = "it was damaged, and downloaded again"
    return facts | {"path": str(new), "state": "good", "note": note}


def _why_not_repaired(card: ModelCard, store: WeightStore, *, repair: bool) -> str:
    """Why a damaged file stays; empty if it can be brought again."""
    if card.built_in:
        return "reinstall napari-s2clip"
    if not card.can_be_downloaded:
        return "it is your own file, and nothing was done about it"
    if not repair:
        return f"`napari-s2clip models verify --repair {card.name}` brings it again"
    if store.offline:
        return "the network may not be used, and nothing was deleted"
    return ""


def _place(card: ModelCard, store: WeightStore) -> str:
    return str(card.path or store.home(card))


def remove(names: Sequence[str], *, as_json: bool) -> int:
    """Delete downloaded files; the user's own models also leave their file."""
    from ..store import WeightStore

    store = WeightStore()
    known, problem = read_catalogue()
    cards = [find_card(name, known, problem) for name in dict.fromkeys(names)]
    items = []
    for card in cards:
        item: dict[str, Any] = {"name": card.name, "ok": True}
        try:
            item |= (
                _remove_own(card, known, store)
                if card.name in known.own
                else _remove_file(card, known, store)
            )
        except (OSError, ValueError) as error:
            item |= {"ok": False, "error": sentence(error).removeprefix("name: ")}
            complain(f"{card.name}: {item['error']}")
        else:
            if not as_json:
                say(f"{card.name}: {_removed_words(item)}")
        items.append(item)
    if as_json:
        print_json(items)
    return 0 if all(item["ok"] for item in items) else 1


def _remove_own(
    card: ModelCard, known: Catalogue, store: WeightStore
) -> dict[str, Any]:
    """Take a model out of the user's file, and delete what was downloaded for it."""
    from ..models.own import own_file, remove_own

    remove_own(card.name)
    facts: dict[str, Any] = {"taken_out_of": str(own_file())}
    path = store.find(card)
    others = [
        other.name
        for other in known.cards.values()
        if other.name != card.name
        # What the hub's client keeps of a repository is deleted together.
        and (
            (card.repository and other.repository == card.repository)
            or (path is not None and store.find(other) == path)
        )
    ]
    if path is not None and (card.path is not None or others):
        return facts | {"kept": str(path), "needed_by": others}
    if card.path is not None:
        return facts
    return facts | _remove_file(card, known, store)


def _remove_file(
    card: ModelCard, known: Catalogue, store: WeightStore
) -> dict[str, Any]:
    """Delete a file, and tell which other models lose theirs by that."""
    path = store.find(card)
    lost = [
        other
        for other in known.cards.values()
        if other.name != card.name and store.find(other) is not None
    ]
    freed = store.remove(card)
    return {
        "deleted": None if path is None else str(path),
        "freed": freed,
        "also": [other.name for other in lost if store.find(other) is None],
    }


def _removed_words(item: dict[str, Any]) -> str:
    from ..sizes import format_size

    words = []
    if "taken_out_of" in item:
        words.append(f"taken out of {item['taken_out_of']}")
    if item.get("kept"):
        stays = f"its file {item['kept']} stays"
        if item["needed_by"]:
            stays += f", {', '.join(item['needed_by'])} may need it"
        words.append(stays)
    if item.get("deleted"):
        words.append(f"deleted {item['deleted']}, {format_size(item['freed'])} freed")
    elif item.get("freed"):
        freed = format_size(item["freed"])
        words.append(f"deleted an unfinished download, {freed} freed")
    elif "freed" in item:
        words.append("nothing of it was downloaded")
    if item.get("also"):
        words.append(f"{', '.join(item['also'])} used the same file")
    return "; ".join(words)
