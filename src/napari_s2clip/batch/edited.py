"""Results that somebody has edited: no job replaces them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from ..io.map_files import digest_of
from ..io.open_image import open_image
from ..io.results import MAPS, TEMPORARY
from .finished import FinishedImage

if TYPE_CHECKING:
    from .inputs import Input

__all__ = ["EditedError", "Stamps", "refuse_changed", "refuse_edited", "stamps_of"]

Stamps: TypeAlias = Mapping[str, tuple[int, int]]
"""Size and time of writing of the files that are there, by what follows the name."""

_ENDINGS: Final = (".json", *(f"_{stage}.tif" for stage in MAPS))


class EditedError(ValueError):
    """Results were edited since they were written; one sentence."""


def stamps_of(out: Path, item: Input) -> Stamps:
    """What tells later that somebody has changed the results of an image."""
    image = FinishedImage(out, item.name)
    found = {}
    for ending in _ENDINGS:
        with suppress(OSError):  # it is not there, or cannot be, as writing will tell
            about = image.path(ending).stat()
            found[ending] = (about.st_size, about.st_mtime_ns)
    return found


def refuse_changed(out: Path, item: Input, before: Stamps) -> None:
    """Raise `EditedError` if somebody has changed the results of an image."""
    now = stamps_of(out, item)
    changed = [e for e in _ENDINGS if now.get(e) != before.get(e)]
    if changed:
        path = FinishedImage(out, item.name).path(changed[0])
        raise EditedError(
            f"{item.path}: {path} was changed while the job was under way and is kept"
        )


def refuse_edited(out: Path, item: Input, digests: Mapping[str, str]) -> None:
    """Raise `EditedError` if a label file of an image is not what was written.

    Parameters
    ----------
    out : Path
    item : Input
    digests : mapping of str to str
        What its maps were known by when they were written; see `digest_of`.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    image = FinishedImage(out, item.name)
    for stage, digest in digests.items():
        path = image.path(f"_{stage}.tif")
        if not path.exists():
            continue
        try:
            with open_image(path) as labels:
                now = digest_of(labels.data)
        except ValueError:  # nobody but its author knows what it is
            now = ""
        if now != digest and now not in _half_written(path.parent, stage):
            raise EditedError(
                f"{item.path}: {path} was edited since it was written and is kept; "
                "move it away to segment the image again"
            )


def _half_written(folder: Path, stage: str) -> set[str]:
    """What a map is known by in results of which a killed job placed some files only.

    The description, which comes last, still lies among the others.
    """
    found = set()
    for path in folder.glob(f"{TEMPORARY}*/new.json"):
        try:
            found.add(str(json.loads(path.read_text(encoding="utf-8"))["maps"][stage]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it was not complete, so no file was placed
    return found
