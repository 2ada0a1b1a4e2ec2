"""Where the images of results lie, and as what they were read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from ..planes.from_file import whole_target

if TYPE_CHECKING:
    from ..io.opened import OpenedImage
    from ..planes import Target
    from .finished import FinishedImage

__all__ = ["Reading", "moved_to", "source_of"]

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True)
class Reading:
    """Which channels of an image were read, and how bright.

    Attributes
    ----------
    channels : tuple of int
        If empty, the first ones.
    contrast_limits : (float, float), optional
        If not given, percentiles of each plane.
    """

    channels: tuple[int, ...] = ()
    contrast_limits: tuple[float, float] | None = None

    def target(self, image: OpenedImage, name: str) -> Target:
        """The planes of an image.

        Raises
        ------
        ValueError
            If there is no such channel.
        """
        return whole_target(
            image, name, channels=self.channels, contrast_limits=self.contrast_limits
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        limits = self.contrast_limits
        return {
            "channels": list(self.channels),
            "contrast_limits": None if limits is None else list(limits),
        }

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Reading:
        """What the description of results says; what is usual where it says nothing."""
        about: Any = description.get("reading")
        about = about if isinstance(about, dict) else {}
        channels, limits = about.get("channels"), about.get("contrast_limits")
        if not (isinstance(channels, list) and all(type(c) is int for c in channels)):
            channels = []
        numbers = (int, float)
        if not (
            isinstance(limits, list)
            and len(limits) == 2
            and all(isinstance(n, numbers) for n in limits)
            and limits[0] < limits[1]
        ):
            limits = None
        return cls(tuple(channels), None if limits is None else (limits[0], limits[1]))


def source_of(image: FinishedImage, moved: Path | None = None) -> Path | None:
    """The file of an image, where its place is known.

    Parameters
    ----------
    image : FinishedImage
    moved : Path, optional
        A folder that the images were moved to.
    """
    source = image.source
    return source if source is None or moved is None else moved_to(source, moved)


def moved_to(source: Path, folder: Path) -> Path:
    """Where a file is in a folder that it was moved to, alone or with its folders.

    That with the most of its old folders around it is taken: of ``/a/b/c.png`` first
    ``folder/a/b/c.png``, last ``folder/c.png``, whether that exists or not.
    """
    text = str(source)
    old: PurePath = PureWindowsPath(text) if _OF_WINDOWS.match(text) else source
    parts = [part for part in old.parts if part != old.anchor]
    places = [folder.joinpath(*parts[n:]) for n in range(len(parts))]
    return next((p for p in places if p.exists()), folder / old.name)
