"""How an image is resized and cut into overlapping windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._opencv import cv2
from ..methods import find_method

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = [
    "LONGEST_SIDE",
    "WindowPlan",
    "cut_windows",
    "plan_windows",
    "resize",
    "size_notes",
]

LONGEST_SIDE = 2048
"""No resized image is longer, in pixels (as in the public configurations)."""


@dataclass(frozen=True)
class WindowPlan:
    """Size of the resized image and the corners of its windows, in pixels.

    Attributes
    ----------
    image_size : (int, int)
        Height and width of the image as given.
    size : (int, int)
        Height and width after resizing; multiples of the patch.
    window : (int, int)
        Height and width of every window; multiples of the patch.
    corners : tuple of (int, int)
        Top and left of each window; together they cover the resized image.
    """

    image_size: tuple[int, int]
    size: tuple[int, int]
    window: tuple[int, int]
    corners: tuple[tuple[int, int], ...]

    def whole(self) -> WindowPlan:
        """The same image as one window."""
        return replace(self, window=self.size, corners=((0, 0),))


def _multiple(length: float, patch: int) -> int:
    return max(1, round(length / patch)) * patch


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Starts every ``stride``; the last window ends where the image ends."""
    count = max(0, -(-(length - window) // stride)) + 1
    return [min(i * stride, length - window) for i in range(count)]


def plan_windows(
    image_size: tuple[int, int], settings: Settings, patch: int
) -> WindowPlan:
    """Plan the windows of an image of any size from 1 x 1 pixels.

    The short side becomes `Settings.short_side` unless the long side would exceed
    `LONGEST_SIDE`; both sides are rounded to multiples of the patch. The settings must
    be complete (`complete_settings`). With `Settings.whole_image` there is one window.
    For methods that splice windows the stride is rounded to multiples of the patch.
    """
    assert settings.short_side is not None
    assert settings.window is not None
    assert settings.stride is not None
    short, window = settings.short_side, _multiple(settings.window, patch)
    stride = min(settings.stride, window)
    height, width = image_size
    scale = min(short / min(height, width), LONGEST_SIDE / max(height, width))
    size = (_multiple(height * scale, patch), _multiple(width * scale, patch))
    if settings.whole_image:
        return WindowPlan(image_size, size, size, ((0, 0),))
    if find_method(settings.method).splice:
        stride = min(_multiple(stride, patch), window)
    window_size = (min(window, size[0]), min(window, size[1]))
    corners = tuple(
        (top, left)
        for top in _starts(size[0], window_size[0], stride)
        for left in _starts(size[1], window_size[1], stride)
    )
    return WindowPlan(image_size, size, window_size, corners)


def size_notes(plan: WindowPlan, settings: Settings) -> tuple[str, ...]:
    """What to tell people if the image became smaller than the settings ask for."""
    assert settings.short_side is not None
    shortest, longest = min(plan.image_size), max(plan.image_size)
    if settings.short_side * longest <= LONGEST_SIDE * shortest:
        return ()
    note = (
        f"short_side: {settings.short_side} px was asked for, {min(plan.size)} px was "
        f"used, because no side of the resized image may exceed {LONGEST_SIDE} px"
    )
    return (note,)


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize uint8 (H, W, 3) to (height, width); area when smaller, else bilinear."""
    if image.shape[:2] == size:
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size[::-1], interpolation=how), np.uint8)


def cut_windows(
    resized: NDArray[np.uint8], plan: WindowPlan, part: slice = slice(None)
) -> NDArray[np.uint8]:
    """Some of the windows of a resized image: (windows, rows, columns, 3)."""
    rows, columns = plan.window
    return np.stack(
        [
            resized[top : top + rows, left : left + columns]
            for top, left in plan.corners[part]
        ]
    )
