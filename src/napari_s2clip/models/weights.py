"""Where weight files lie. Nothing here opens a network connection."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from .errors import WeightsNotFound

if TYPE_CHECKING:
    from .cards import ModelCard
    from .parts import PartName
    from .specs import ModelSpec

__all__ = ["cache_folder", "locate", "locate_all", "missing_parts", "sha256"]

_BUILT_IN = Path(__file__).resolve().parent.parent / "demo" / "weights"


def cache_folder() -> Path:
    """Folder of the weight files: ``NAPARI_S2CLIP_CACHE``, else the user's cache."""
    given = os.environ.get("NAPARI_S2CLIP_CACHE")
    return Path(given).expanduser() if given else user_cache_path("napari-s2clip")


def locate(part: ModelCard, given: Path | str | None = None) -> Path:
    """Path of a part's weight file.

    Parameters
    ----------
    part : ModelCard
    given : path, optional
        A file that the user chose instead of the one in the store.

    Raises
    ------
    WeightsNotFound
        If the file is not there; the message says which one it is, where it is
        published and how to point to a copy.
    """
    if given is not None:
        path = Path(given).expanduser()
        if not path.is_file():
            raise WeightsNotFound(
                f"weights[{part.role!r}]: there is no file {path}; give the path of one"
            )
        return path
    folder = _BUILT_IN if part.built_in else cache_folder() / part.folder
    path = folder / part.filename
    if path.is_file():
        return path
    if part.built_in:
        raise WeightsNotFound(
            f"The built-in {part.title} is missing from this installation ({path}); "
            "reinstall napari-s2clip"
        )
    raise WeightsNotFound(
        f"Put {part.filename} into {folder}: {part.title} is not on this computer; it "
        f"is published at {part.source}",
        f"or point to a copy with weights={{{part.role!r}: PATH}} (command line: "
        f"--weights {part.role}=PATH)",
    )


def missing_parts(spec: ModelSpec) -> tuple[ModelCard, ...]:
    """The parts of a specification whose weight files are not on this computer."""
    missing = []
    for part in spec.parts:
        try:
            locate(part)
        except WeightsNotFound:
            missing.append(part)
    return tuple(missing)


def locate_all(
    spec: ModelSpec, given: Mapping[str, Path | str] | None = None
) -> dict[PartName, Path]:
    """Paths of all parts, before anything is loaded.

    A SAM that is fusion model too follows the file of ``"sam"``, unless it is given
    another.

    Raises
    ------
    ValueError
        If ``given`` names a part that does not exist.
    WeightsNotFound
        For the first file that is missing.
    """
    given = dict(given or {})
    roles = [part.role for part in spec.parts]
    for role in given:
        if role not in roles:
            raise ValueError(f"weights: no part {role!r}; the parts are {roles}")
    found: dict[PartName, Path] = {}
    for part in spec.parts:
        follows = part.role not in given and part.same_model(spec.sam)
        # What is missing is named "sam" then: one file serves both.
        source = spec.sam if follows else part
        found[part.role] = locate(source, given.get(source.role))
    return found


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
