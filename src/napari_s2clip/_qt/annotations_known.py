"""What is known about the annotations of an image, and how that is said."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..io.sidecar_format import Header
from .texts import breakable

__all__ = ["Known", "day"]


@dataclass(eq=False)
class Known:
    """What is known about the annotations of a layer.

    Attributes
    ----------
    folder : Path or None
        Where they are saved; None while nobody has said.
    state : str or None
        Stands for what is there and was read or written here, empty for nothing. None
        lets the next save replace anything.
    header : Header or None
        Of annotations that are there and not restored.
    changed : bool
        Whether they are of another image of that name.
    saved : bool
        Whether the user has saved them in this window, so that changes are saved too.
    unsaved : bool
    text : str
        How the last thing ended.
    """

    folder: Path | None = None
    state: str | None = ""
    header: Header | None = None
    changed: bool = False
    saved: bool = False
    unsaved: bool = False
    text: str = ""

    def failure(self, error: Exception, advice: str = "") -> tuple[str, str]:
        """What went wrong, without the folder, which is known here; and in full."""
        text = f"{str(error) or type(error).__name__}{advice}"
        short = text
        if self.folder is not None and text.startswith(f"{self.folder}: "):
            short = text.removeprefix(f"{self.folder}: ")
            short = f"{short[0].upper()}{short[1:]}"
        if self.folder is not None:
            short = short.replace(f"{self.folder.parent}{os.sep}", "")
        return short, text

    def words(self, *, busy: bool) -> str:
        """All that there is to say; empty for nothing."""
        lines = [self.text] if self.text else []
        if self.header is not None and self.state is not None and not busy:
            lines.append(_notice(self.header, self.changed))
        if self.unsaved:
            soon = "; they are saved soon" if self.saved else ""
            lines.append(f"Unsaved changes{soon}")
        return _breakable("\n".join(lines))


def _breakable(text: str) -> str:
    """Let long names of files break too, or they widen the dock."""

    def broken(name: re.Match[str]) -> str:
        parts = re.sub(r"(?<=[._-])", "\u200b", name[0])
        return re.sub(r"([^\u200b]{16})", "\\1\u200b", parts)

    return breakable(re.sub(r"\S{17,}", broken, text))


def day(header: Header) -> str:
    return f"{header.saved.astimezone():%Y-%m-%d %H:%M}"


def _notice(header: Header, changed: bool) -> str:
    if changed:
        return (
            f"The annotations of {day(header)} are of another image of this name, or "
            "the image has changed"
        )
    return f"There are annotations of {day(header)}"
