"""Where the images of results lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING

from .finished import finished_images
from .journal import read_entries

if TYPE_CHECKING:
    from .finished import FinishedImage

__all__ = ["Located", "Sources", "moved_to"]

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True)
class Located:
    """Where an image is.

    Attributes
    ----------
    path : Path or None
        None if it is not there.
    why : str
        Then why, in a few words.
    """

    path: Path | None
    why: str = ""


class Sources:
    """Finds the images of a folder of results.

    Parameters
    ----------
    folder : Path
        Of the results.
    moved : Path, optional
        A folder that the images were moved to, with or without the folders that were
        around them.

    Raises
    ------
    OSError
        If the journal of the folder cannot be read.
    """

    def __init__(self, folder: Path, moved: Path | None = None) -> None:
        self._moved = moved
        self._alike: dict[str, set[Path]] = {}
        self._claims: dict[str, dict[Path, list[Path]]] = {}
        if moved is not None:
            for source in _sources_in(folder):
                self._alike.setdefault(_name_of(source), set()).add(source)

    def find(self, image: FinishedImage) -> Located:
        """Where an image is: where it was, else where it was moved to.

        Raises
        ------
        ValueError, OSError
            If the description of the results cannot be read.
        """
        source, moved = image.source, self._moved
        if source is None:
            return Located(None, "its image is not known")
        if source.exists():
            return Located(source)
        if moved is None:
            return Located(None, f"{source} is not there")
        found = moved_to(source, moved)
        if found is None:
            return Located(None, f"{moved / _name_of(source)} is not there")
        for other in self._claimants(_name_of(source), moved).get(found, ()):
            if other != source:
                return Located(None, f"{found} may be {source} or {other}")
        return Located(found)

    def _claimants(self, name: str, moved: Path) -> dict[Path, list[Path]]:
        """Lost files of a name by where they may be now."""
        if name not in self._claims:
            claims: dict[Path, list[Path]] = {}
            for source in sorted(self._alike.get(name, ())):
                found = None if source.exists() else moved_to(source, moved)
                if found is not None:
                    claims.setdefault(found, []).append(source)
            self._claims[name] = claims  # whole, for other threads
        return self._claims[name]


def moved_to(source: Path, folder: Path) -> Path | None:
    """Where a file is in a folder that it was moved to; None if it is not.

    That with the most of its old folders around it is taken: of ``/a/b/c.png`` first
    ``folder/a/b/c.png``, last ``folder/c.png``.
    """
    parts = _parts(source)
    places = (folder.joinpath(*parts[n:]) for n in range(len(parts)))
    return next((place for place in places if place.exists()), None)


def _parts(source: Path) -> tuple[str, ...]:
    """Folders and name of a file, of another system too, after the last way back."""
    text = str(source)
    path: PurePath = PureWindowsPath(text) if _OF_WINDOWS.match(text) else source
    parts = [part for part in path.parts if part != path.anchor]
    back = max((n for n, part in enumerate(parts) if part == ".."), default=-1)
    return tuple(parts[back + 1 :])


def _name_of(source: Path) -> str:
    return (_parts(source) or ("",))[-1]


def _sources_in(folder: Path) -> Iterator[Path]:
    """The images of all results in a folder, as far as they are known."""
    entries = read_entries(folder)
    for entry in entries.values():
        path = entry.get("before", entry).get("path")
        if isinstance(path, str):
            yield Path(path)
    if not entries:
        with suppress(ValueError):  # there are none
            for image in finished_images(folder):
                with suppress(OSError, ValueError):
                    if image.source is not None:
                        yield image.source
