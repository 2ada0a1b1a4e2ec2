"""Sentences of the review that need no widget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .review_keys import KEYS

__all__ = [
    "NOTHING",
    "NOT_REFINED",
    "SELECT",
    "decided",
    "none_open",
    "not_fitting",
    "removed",
]

NOTHING: Final = "Segment an image first; its regions appear here."
NOT_REFINED: Final = (
    "There is no refined layer to correct; segment with refinement switched on."
)
SELECT: Final = f"Select a region, or press Next ({KEYS['next']})."


def none_open(total: int, open_: int, shown: int) -> str:
    """Why there is no region to go to.

    Parameters
    ----------
    total : int
        Regions of the result.
    open_ : int
        Those of them that are open; the list shows none of these.
    shown : int
        Regions that the list shows.
    """
    if not total:
        return "The last run found no region; add classes or lower the thresholds."
    if not open_:
        many = f"All {total:,} regions are" if total > 1 else "The only region is"
        return f"{many} reviewed."
    others = f"{open_:,} other{'' if open_ == 1 else 's'}"
    if not shown:
        return f"No region passes the filter; {others} {_are(open_)} open."
    return f"All regions of this list are reviewed; {others} {_are(open_)} open."


def decided(region: int, words: str, pixels: int) -> str:
    """What was done to a region, and how many pixels that changed."""
    plural = "" if pixels == 1 else "s"
    return f"Region {region} {words}: {pixels:,} pixel{plural} changed."


def not_fitting(problems: Sequence[str]) -> str:
    """How many saved decisions were not taken over, and why the first was not."""
    count = len(problems)
    return f"{count} decision{'' if count == 1 else 's'} did not fit. {problems[0]}"


def removed(layer: str) -> str:
    """Why there is no review any more."""
    return (
        f"The layer {layer} was removed; segment the image again to review its regions."
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
