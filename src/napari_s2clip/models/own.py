"""Models and presets of the user's own, from a TOML file in the configuration folder.

A model is a checkpoint that one of the libraries can load: a CLIP of open_clip, a ViT
of timm, a SAM of segment_anything, also fine-tuned ones such as those of micro-sam. It
lies in a file, at an address, or in a repository of the Hugging Face Hub::

    [[model]]
    name = "sam-cells"
    role = "sam"
    architecture = "vit_b"
    file = "/data/vit_b_lm.pth"

    [[preset]]
    name = "cells"
    clip = "clip-b-16"
    vfm = "dino-b-8"
    sam = "sam-cells"
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, Self
from urllib.parse import unquote, urlsplit

import tomlkit
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from tomlkit.exceptions import TOMLKitError

from ..store import config_folder
from .cards import CARDS, CLIPS, DEMO, SAMS, VFMS, ModelCard
from .errors import OwnFileError
from .specs import SPECS, ModelSpec, titles

__all__ = [
    "Catalogue",
    "OwnModel",
    "add_own",
    "catalogue",
    "change_own",
    "own_file",
    "remove_own",
]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REPOSITORY: Final = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_SUFFIXES: Final = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
_SAMS: Final = ("vit_b", "vit_l", "vit_h")


def own_file() -> Path:
    """The file of the user's models: ``models.toml`` in the configuration folder."""
    return config_folder() / "models.toml"


class OwnModel(BaseModel):
    """One ``[[model]]`` of the file.

    Exactly one of ``file``, ``url`` and ``repository`` says where the weights are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: Literal["clip", "vfm", "sam"]
    architecture: str
    title: str = ""
    file: str = ""
    url: str = ""
    repository: str = ""
    filename: str = ""
    sha256: str = ""
    licence: str = ""
    about: str = ""
    citation: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_name(self.name)
        if not self.architecture:
            raise ValueError("architecture: give its name in the library")
        if self.role == "sam" and self.architecture not in _SAMS:
            raise ValueError(
                f"architecture: {self.architecture!r} is no SAM of segment_anything; "
                f"choose one of {', '.join(_SAMS)}"
            )
        places = [n for n in ("file", "url", "repository") if getattr(self, n)]
        if len(places) != 1:
            raise ValueError(
                "file, url, repository: give exactly one of them, not "
                f"{' and '.join(places) or 'none'}"
            )
        if self.sha256 and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError("sha256: give 64 hexadecimal digits in lower case")
        if self.url:
            _check_url(self.url)
        if self.repository and not _REPOSITORY.fullmatch(self.repository):
            raise ValueError(f"repository: {self.repository!r} is not OWNER/NAME")
        if self.repository and not self.filename:
            raise ValueError("filename: name the file of the repository")
        if not self.file:
            _check_filename(self.filename or _last_part(self.url))
        return self

    @property
    def card(self) -> ModelCard:
        """What the rest of the program takes."""
        path = Path(self.file).expanduser() if self.file else None
        filename = path.name if path else self.filename or _last_part(self.url)
        folder = self.repository.replace("/", "--") if self.repository else self.name
        return ModelCard(
            self.role,
            self.name,
            self.title or self.name,
            self.architecture,
            filename,
            folder=f"own--{folder}",
            repository=self.repository,
            url=self.url,
            companions=("open_clip_config.json",) if self.role == "clip" else (),
            path=path,
            sha256=self.sha256,
            about=self.about,
            licence=self.licence,
            citation=self.citation,
        )


class OwnPreset(BaseModel):
    """One ``[[preset]]`` of the file: three models by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    clip: str
    vfm: str
    sam: str
    title: str = ""
    about: str = ""

    def spec(self, cards: dict[str, ModelCard]) -> ModelSpec:
        """The preset as a specification.

        Raises
        ------
        ValueError
            If a name is taken, or no model of that part has it.
        """
        _check_name(self.name)
        parts: dict[str, Any] = {}
        for role in ("clip", "vfm", "sam"):
            name = getattr(self, role)
            known = [n for n, card in cards.items() if card.role == role]
            if name not in known:
                raise ValueError(
                    f"{role}: there is no model {name!r}; choose one of "
                    f"{', '.join(known)}"
                )
            parts[role] = cards[name]
        about = self.about or titles(*parts.values())
        return ModelSpec(self.name, self.title or self.name, about, **parts)


@dataclass(frozen=True)
class Catalogue:
    """All models and specifications by name: the program's, then the user's.

    Attributes
    ----------
    cards : dict
    specs : dict
    own : frozenset of str
        Names of the user's models and presets.
    """

    cards: dict[str, ModelCard]
    specs: dict[str, ModelSpec]
    own: frozenset[str]

    def of_role(self, role: str) -> dict[str, ModelCard]:
        """The models that can be one part of a specification."""
        return {n: card for n, card in self.cards.items() if card.role == role}


def catalogue() -> Catalogue:
    """What can be chosen by name.

    Raises
    ------
    OwnFileError
        If the user's file cannot be read, or a model in it is wrong.
    """
    try:
        return _read_catalogue()
    except ValueError as error:
        raise OwnFileError(str(error)) from None


def _read_catalogue() -> Catalogue:
    cards = {**DEMO, **CLIPS, **VFMS, **SAMS}
    specs = dict(SPECS)
    path = own_file()
    content = _read(path)
    for kind in content:
        if kind not in {"model", "preset"}:
            raise ValueError(f"{path}: there is no [[{kind}]]; write [[model]]")
    for number, entry in enumerate(_tables(path, content, "model"), 1):
        where = f"{path}: model {entry.get('name', number)}"
        card = _parse(OwnModel, entry, where).card
        if card.name in cards:
            raise ValueError(f"{where}: name: it is there twice")
        cards[card.name] = card
    for number, entry in enumerate(_tables(path, content, "preset"), 1):
        where = f"{path}: preset {entry.get('name', number)}"
        preset = _parse(OwnPreset, entry, where)
        try:
            spec = preset.spec(cards)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if spec.name in specs or spec.name in cards:
            raise ValueError(f"{where}: name: it is there twice")
        specs[spec.name] = spec
    own = (set(cards) | set(specs)) - set(CARDS) - set(SPECS)
    return Catalogue(cards, specs, frozenset(own))


def add_own(**facts: str) -> ModelCard:
    """Add a model to the user's file; the rest of the file stays as it is.

    Parameters
    ----------
    **facts : str
        The fields of `OwnModel`.

    Raises
    ------
    ValueError
        If a field is wrong, or the name is taken.
    OSError
        If the file cannot be written.
    """
    known = catalogue()
    card = _parse(OwnModel, dict(facts), f"model {facts.get('name', '')}").card
    if card.name in known.cards or card.name in known.specs:
        kind = "model" if card.name in known.cards else "preset"
        raise ValueError(f"name: there is a {kind} {card.name!r} already")
    if card.path is not None and not card.path.is_file():
        raise ValueError(f"file: there is no file {card.path}")
    path = own_file()
    content = _read(path)
    table = tomlkit.table()
    for name, value in facts.items():
        if value:
            table[name] = (
                str(card.path.resolve()) if name == "file" and card.path else value
            )
    if "model" not in content:
        content["model"] = tomlkit.aot()
    content["model"].append(table)
    _write(path, content)
    return catalogue().cards[card.name]


def remove_own(name: str) -> None:
    """Take a model out of the user's file; its weights stay where they are.

    Raises
    ------
    ValueError
        If it is none of the user's, or a preset of theirs needs it.
    """
    known = catalogue()
    if name not in known.own or name not in known.cards:
        raise ValueError(f"name: there is no model {name!r} of your own")
    users = [
        spec.name
        for spec in known.specs.values()
        if any(card.name == name for card in spec.parts)
    ]
    if users:
        raise ValueError(f"name: the preset {users[0]} needs {name}; remove that first")
    path = own_file()
    content = _read(path)
    models: Any = content["model"]
    del models[next(i for i, m in enumerate(models) if m["name"] == name)]
    _write(path, content)


def change_own(change: Callable[[tomlkit.TOMLDocument], None]) -> None:
    """Change the user's file; what the change does not touch stays as it is.

    Raises
    ------
    ValueError
        If the file is no TOML.
    OSError
        If it cannot be written.
    """
    path = own_file()
    content = _read(path)
    change(content)
    _write(path, content)


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise OwnFileError(f"{path}: it is no TOML ({error})") from None
    except OSError as error:
        reason = error.strerror or error
        raise OwnFileError(f"{path}: it cannot be read ({reason})") from None


def _write(path: Path, content: tomlkit.TOMLDocument) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(tomlkit.dumps(content), encoding="utf-8")
    new.replace(path)


def _tables(
    path: Path, content: tomlkit.TOMLDocument, kind: str
) -> list[dict[str, Any]]:
    found: Any = content.unwrap().get(kind, [])
    if not isinstance(found, list) or not all(isinstance(e, dict) for e in found):
        raise ValueError(f"{path}: {kind}: write [[{kind}]] above each")
    return found


def _parse(kind: Any, entry: dict[str, Any], where: str) -> Any:
    try:
        return kind(**entry)
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["type"] == "value_error":  # one of ours: it names its field
            raise ValueError(f"{where}: {problem['ctx']['error']}") from None
        field = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields)
            raise ValueError(
                f"{where}: {field}: there is no such field; choose one of {known}"
            ) from None
        if problem["type"] == "missing":
            raise ValueError(f"{where}: {field}: it is missing") from None
        words = problem["msg"][0].lower() + problem["msg"][1:]
        raise ValueError(f"{where}: {field}: {words}") from None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"name: {name!r} is no name; use small letters, digits, '.', '_' and '-'"
        )
    # Models and presets are named in the same places.
    if name in CARDS or name in SPECS:
        raise ValueError(f"name: {name!r} is one of the program's; choose another")


def _check_filename(name: str) -> None:
    """Refuse names that lead out of their folder, or are no weight files."""
    if not name or name != PurePosixPath(name).name or set(name) & set('\\:*?"<>|\0'):
        raise ValueError(f"filename: {name!r} is no plain file name")
    if not name.endswith(_SUFFIXES) or name.startswith("."):
        raise ValueError(
            f"filename: {name!r} is no weight file; it ends in one of "
            f"{', '.join(_SUFFIXES)}"
        )


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and _is_loopback(parts.hostname)
    ):
        raise ValueError(f"url: {url} is not encrypted; give one that begins https://")
    if not parts.hostname or parts.username or parts.password:
        raise ValueError("url: give https://HOST/PATH, without a name and a password")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])
