"""Sentences of the widget that need no widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..methods import find_method
from ..models.cards import ModelCard
from ..models.parts import PartName
from ..sizes import format_size
from ..targets import TargetResult

__all__ = ["breakable", "held_in_memory", "summary", "to_download"]

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
    result: TargetResult, name: str, gone: bool, notes: Sequence[str] = ()
) -> str:
    """How a run ended.

    Parameters
    ----------
    result : TargetResult
    name : str
        Of the image.
    gone : bool
        Whether the image was removed meanwhile.
    notes : sequence of str
        What was done with the layers.
    """
    regions = len(result.region_table)
    seconds = sum(result.seconds.values())
    head = (
        f"{name}: {regions} region{'' if regions == 1 else 's'} of "
        f"{len(result.classes)} classes in {seconds:.1f} s by {_method(result)} on "
        f"{_device(result)}."
    )
    said = [*notes, *result.provenance["input_notes"]]
    if gone:
        said.insert(0, "the image was removed during the run; its labels are here")
    return "\n".join([head, *(f"{note[0].upper()}{note[1:]}." for note in said)])


def _device(result: TargetResult) -> str:
    """The device as people write it, and its precision: ``CUDA in fp16``."""
    device = str(result.provenance["device"]).split(":")[0].upper()
    return f"{device} in {result.provenance['precision']}"


def _method(result: TargetResult) -> str:
    """The method as people write it."""
    return find_method(result.provenance["settings"]["method"]).title
