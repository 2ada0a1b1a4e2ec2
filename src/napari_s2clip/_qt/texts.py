"""Sentences of the widget that need no widget."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ..methods import find_method
from ..models.cards import ModelCard
from ..models.parts import PartName
from ..sizes import format_size
from .control_names import in_the_dock

if TYPE_CHECKING:
    from ..targets import TargetResult
    from .engine import Done

__all__ = ["breakable", "held_in_memory", "summary", "to_download"]

_NOTICED: Final = 0.1
"""Loading models that takes less is not worth a word, in seconds."""

_SHORT: Final = 80
"""Characters of notes that stay in sight: two lines of the dock."""

_PARTS: dict[PartName, str] = {"clip": "CLIP", "vfm": "DINO", "sam": "SAM"}


def breakable(text: str) -> str:
    """Let a path, which has no spaces, break at its slashes, or it widens the dock."""
    return text.replace("/", "/\u200b").replace("\\", "\\\u200b")


def to_download(cards: Sequence[ModelCard]) -> str:
    """How much that is: ``1.32 GB``, or ``at least 375 MB``."""
    known = sum(card.about_size for card in cards)
    if not known:
        return "files of unknown size"
    complete = all(card.about_size for card in cards)
    return f"{'' if complete else 'at least '}{format_size(known)}"


def held_in_memory(held: Mapping[PartName, int], device: str) -> str:
    """What is held in memory: ``CLIP 599 MB, DINO 343 MB on cpu``."""
    if not held:
        return "No model is in memory."
    # What two parts share counts for one of them.
    parts = (f"{_PARTS[n]} {format_size(size)}" for n, size in held.items() if size)
    return f"In memory: {', '.join(parts)} on {device}"


def summary(
    done: Done, name: str, gone: bool, notes: Sequence[str] = ()
) -> tuple[str, str]:
    """How a run ended: in one or two lines, and in full.

    Parameters
    ----------
    done : Done
    name : str
        Of the image.
    gone : bool
        Whether the image was removed meanwhile.
    notes : sequence of str
        What was done with the layers.
    """
    result, table = done.result, done.result.region_table
    seconds = sum(result.seconds.values()) + done.loading
    found = (
        f"{name}: {len(table)} region{'' if len(table) == 1 else 's'}, "
        f"{table['class_id'].nunique()} of {len(result.classes)} classes found in "
        f"{seconds:.1f} s"
    )
    loading = ""
    if done.loading >= _NOTICED:
        loading = f", {done.loading:.1f} s of it to load the models"
    full = f"{found}{loading}, by {_method(result)} on {_device(result)}."
    said = [*notes, *map(in_the_dock, result.provenance["input_notes"])]
    if gone:
        said.insert(0, "the image was removed during the run; its labels are here")
    # Names of layers come first in some: they keep their small letter.
    full = "\n".join([full, *(f"• {note}" for note in said)])
    if not said:
        return f"{found}.", full
    short = textwrap.shorten("; ".join(said), _SHORT, placeholder=" …")
    return f"{found}.\n{short}", full


def _device(result: TargetResult) -> str:
    """The device as people write it, and its precision: ``CUDA in fp16``."""
    device = str(result.provenance["device"]).split(":")[0].upper()
    return f"{device} in {result.provenance['precision']}"


def _method(result: TargetResult) -> str:
    """The method as people write it."""
    return find_method(result.provenance["settings"]["method"]).title
