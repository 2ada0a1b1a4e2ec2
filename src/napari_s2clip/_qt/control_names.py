"""Names of parameters in messages, as the controls of the dock are called."""

from __future__ import annotations

import re
from typing import Final

from ..settings import Settings

__all__ = ["in_the_dock"]

_CONTROLS: Final = {
    "background": "Background",
    "channels": "Channels",
    "classes": "Classes",
    "contrast": "Contrast",
    "device": "Device",
    "image": "Image",
    "level": "Level",
    "method": "Method",
    "overlap": "Overlap",
    "precision": "Precision",
    "ranges": "Slices",
    "tile": "Tiles",
    "window": "Area",
}


def in_the_dock(message: str, *, settings: bool = False) -> str:
    """Begin a message with the title of a control, not the name of a parameter.

    Parameters
    ----------
    message : str
        ``"window: nothing of 'cell' is in sight; move the view to it"``, for example,
        becomes ``"Area: nothing of …"``. One that begins otherwise stays.
    settings : bool
        Whether it comes from a run, where ``window`` is a setting and no part of the
        image.
    """
    head, colon, rest = message.partition(": ")
    titles = {name: str(f.title) for name, f in Settings.model_fields.items()}
    titles = {**_CONTROLS, **titles} if settings else {**titles, **_CONTROLS}
    names = head.split(", ")
    if not colon or not all(name in titles for name in names):
        return message
    rest = re.sub(
        r"(?:set )?\b(\w+)=False",
        lambda found: f"switch off {titles.get(found[1], found[1])}",
        rest,
    )
    return f"{', '.join(titles[name] for name in names)}: {rest}"
