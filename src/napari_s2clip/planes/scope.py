"""What a user chose to segment of an image: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Channels", "Contrast", "Scope", "Window"]

Contrast: TypeAlias = Literal["shown", "percentile"]

Window: TypeAlias = tuple[int, int, int, int]
"""Top, left, bottom, right of a rectangle of pixels; the last two lie outside."""


@dataclass(frozen=True)
class Channels:
    """Which channels are red, green and blue.

    Attributes
    ----------
    axis : int
        Axis of the image with the channels.
    red, green, blue : int
        Indices along it; where all are equal the picture is grey.
    """

    axis: int
    red: int
    green: int
    blue: int

    @property
    def indices(self) -> tuple[int, ...]:
        """The channels that are read: one if all are equal, else three."""
        three = (self.red, self.green, self.blue)
        return three[:1] if len(set(three)) == 1 else three


@dataclass(frozen=True)
class Scope:
    """Which part of an image is segmented, and how its values become a picture.

    Attributes
    ----------
    ranges : tuple of (int, int, int)
        Axis, first and last index (which is included) for axes that are not shown; of
        other hidden axes the current position is taken. All combinations of several
        axes are segmented, the last axis fastest.
    window : (int, int, int, int), optional
        Top, left, bottom and right in pixels of the finest level, on the shown axes in
        the order of the data; the whole plane if not given.
    level : int, optional
        Of a multiscale image; if not given, the finest one that is not too large.
    channels : Channels, optional
        If not given, an axis of channels is an axis like others.
    contrast : {"shown", "percentile"}
        What becomes black and white: the contrast limits of the layer, or the 1st and
        99.8th percentile of each plane and channel.

    Raises
    ------
    ValueError
        If a range or the window is not one, or the contrast is unknown.
    """

    ranges: tuple[tuple[int, int, int], ...] = ()
    window: Window | None = None
    level: int | None = None
    channels: Channels | None = None
    contrast: Contrast = "shown"

    def __post_init__(self) -> None:
        for axis, first, last in self.ranges:
            if not 0 <= first <= last:
                raise ValueError(
                    f"ranges: {first} to {last} along axis {axis} is no range; give "
                    "the first index and one that is not before it"
                )
        axes = [axis for axis, _, _ in self.ranges]
        if len(set(axes)) < len(axes):
            raise ValueError("ranges: an axis is named twice; give one range an axis")
        if self.window is not None:
            top, left, bottom, right = self.window
            if not (top < bottom and left < right):
                raise ValueError(
                    f"window: {self.window} holds no pixel; give top, left, bottom "
                    "and right with top < bottom and left < right"
                )
        if self.contrast not in ("shown", "percentile"):
            raise ValueError(
                f"contrast: {self.contrast!r} is unknown; give 'shown' or 'percentile'"
            )
