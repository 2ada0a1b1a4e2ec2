"""Results that somebody has edited: no job replaces them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..io.results import MAPS
from .finished import FinishedImage
from .placed import digest_now, half_written
from .reopen import stamp_of

if TYPE_CHECKING:
    from .inputs import Input

__all__ = [
    "EditedError",
    "Guard",
    "Stamps",
    "refuse_edited",
    "refuse_edited_results",
    "stamps_of",
]

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
            found[ending] = stamp_of(image.path(ending))
    return found


@dataclass(frozen=True)
class Guard:
    """Results that a job shall replace, unless somebody changes them first.

    Attributes
    ----------
    known : tuple of mapping of str to str
        What the maps were known by when jobs wrote them, by map; see `digest_of`.
    stamps : mapping
        See `stamps_of`.
    finished : bool
        Whether a job had noted them as complete.
    """

    known: tuple[Mapping[str, str], ...]
    stamps: Stamps
    finished: bool = False

    def untouched(self, out: Path, item: Input) -> bool:
        """Whether every file is as it was."""
        return stamps_of(out, item) == self.stamps

    def check(self, out: Path, item: Input) -> None:
        """Raise `EditedError` if somebody has changed the results.

        Files of a worker that died while it placed them are no such change.

        Raises
        ------
        OSError
            If a file cannot be read.
        """
        now = stamps_of(out, item)
        if now == self.stamps:
            return
        image = FinishedImage(out, item.name)
        corrected = now.get(".json") != self.stamps.get(".json") and (
            "edited" in _description(image)
        )
        path = image.path(".json") if corrected else _edited(image, self.known)
        if path is not None:
            raise EditedError(
                f"{item.path}: {path} was changed while the job was under way and is "
                "kept"
            )


def refuse_edited(out: Path, item: Input, known: Sequence[Mapping[str, str]]) -> None:
    """Raise `EditedError` if a label file of an image is not what a job has written.

    Parameters
    ----------
    out : Path
    item : Input
    known : sequence of mapping of str to str
        What its maps were known by when jobs wrote them; see `digest_of`. What a job
        has placed without coming to note it is known too.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    path = _edited(FinishedImage(out, item.name), known)
    if path is not None:
        raise EditedError(
            f"{item.path}: {path} was edited since it was written and is kept; move it "
            "away to segment the image again"
        )


def refuse_edited_results(image: FinishedImage) -> None:
    """Raise `EditedError` if a label file is not what its description says.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    path = _edited(image, ())
    if path is not None:
        raise EditedError(
            f"{path} was edited since it was written and is kept; move it away to "
            "replace it"
        )


def _edited(image: FinishedImage, known: Sequence[Mapping[str, str]]) -> Path | None:
    """A label file that no job has written; None if there is none, or nobody knows."""
    about = _description(image)
    placed = about.get("maps")
    placed = placed if isinstance(placed, dict) else {}
    for stage in MAPS:
        path = image.path(f"_{stage}.tif")
        ours = {digests[stage] for digests in known if stage in digests}
        # What was imported over results of a job is somebody's work.
        if stage in placed and not (ours and about.get("imported")):
            ours.add(placed[stage])
        now = digest_now(path) if ours else None
        if now is None or now in ours:
            continue
        if now not in half_written(path.parent, stage):
            return path
    return None


def _description(image: FinishedImage) -> Mapping[str, Any]:
    try:
        return image.description
    except (OSError, ValueError):
        return {}
