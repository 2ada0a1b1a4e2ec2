"""Labels corrected by clicks and boxes: what was clicked, and what SAM made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_SIDE",
    "SIDE",
    "Click",
    "Found",
    "PromptSession",
    "Prompts",
    "Start",
    "Window",
    "choose_window",
]

SIDE: Final = 1024
"""Longest side of what is encoded at once, in px: SAM looks at so many."""

MAX_SIDE: Final = 4096
"""Longest side where prompts are further apart than `SIDE`; SAM then sees less."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a plane, in pixels; bottom and right are not in it."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right."""
        return self.top, self.left, self.bottom, self.right

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the plane."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def holds(self, x0: float, y0: float, x1: float, y1: float) -> bool:
        """Whether a rectangle lies inside."""
        return (
            self.left <= x0 <= x1 <= self.right and self.top <= y0 <= y1 <= self.bottom
        )


@dataclass(frozen=True)
class Click:
    """A point of the plane, in pixels; the middle of the first one is at 0.5, 0.5."""

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, eq=False)
class Start:
    """What the object was taken for so far, where it is."""

    window: Window
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Prompts:
    """What SAM is told: clicks, a box, and the present pixels to be improved.

    Attributes
    ----------
    clicks : tuple of Click
    box : (float, float, float, float) or None
        x_min, y_min, x_max, y_max.
    start : Start or None
    """

    clicks: tuple[Click, ...] = ()
    box: tuple[float, float, float, float] | None = None
    start: Start | None = None

    def __bool__(self) -> bool:
        return bool(self.clicks) or self.box is not None or self.start is not None

    @property
    def complete(self) -> bool:
        """Whether they say where the object is, not only where it is not."""
        return (
            self.box is not None
            or self.start is not None
            or any(click.positive for click in self.clicks)
        )

    @property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """x_min, y_min, x_max, y_max of everything; None without a prompt."""
        corners = [(c.x, c.y) for c in self.clicks]
        if self.box is not None:
            corners += [self.box[:2], self.box[2:]]
        if self.start is not None:
            w = self.start.window
            corners += [(w.left, w.top), (w.right, w.bottom)]
        if not corners:
            return None
        x, y = zip(*corners, strict=True)
        return min(x), min(y), max(x), max(y)

    def arguments(self, window: Window) -> dict[str, Any]:
        """Arguments of `napari_s2clip.refine.refine_prompt`, in pixels of a window."""
        found: dict[str, Any] = {}
        if self.clicks:
            found["points"] = np.array(
                [(c.x - window.left, c.y - window.top) for c in self.clicks]
            )
            found["labels"] = np.array([int(c.positive) for c in self.clicks])
        if self.box is not None:
            found["box"] = np.array(self.box) - np.resize([window.left, window.top], 4)
        if self.start is not None:
            mask = np.zeros(window.shape, bool)
            at = self.start.window
            rows, columns = at.top - window.top, at.left - window.left
            height, width = at.shape
            mask[rows : rows + height, columns : columns + width] = self.start.mask
            found["mask"] = mask
        return found


@dataclass(frozen=True, eq=False)
class Found:
    """What SAM made of prompts.

    Attributes
    ----------
    window : Window
        Of the plane.
    mask : ndarray of bool
        Of the window's shape.
    score : float
        The IoU that SAM predicts.
    """

    window: Window
    mask: NDArray[np.bool_]
    score: float


class PromptSession:
    """Prompts for one object of a plane, which can be taken back one by one.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the plane, in pixels.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._states = [Prompts()]
        self._now = 0

    @property
    def prompts(self) -> Prompts:
        """Those that count now."""
        return self._states[self._now]

    def add_click(self, x: float, y: float, *, positive: bool = True) -> None:
        """Add a click; `ValueError` outside the plane."""
        self._check(x, y)
        clicks = (*self.prompts.clicks, Click(float(x), float(y), positive))
        self._do(replace(self.prompts, clicks=clicks))

    def set_box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Set the box by two opposite corners, in the place of an earlier one."""
        self._check(x0, y0)
        self._check(x1, y1)
        left, right = sorted((float(x0), float(x1)))
        top, bottom = sorted((float(y0), float(y1)))
        if left == right or top == bottom:
            raise ValueError("box: it has no area; drag from corner to corner")
        self._do(replace(self.prompts, box=(left, top, right, bottom)))

    def set_start(
        self, mask: NDArray[np.bool_], *, top: int = 0, left: int = 0
    ) -> None:
        """Begin with the present pixels of a label or region.

        Parameters
        ----------
        mask : ndarray of bool
        top, left : int
            Where its first pixel is in the plane.
        """
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            raise ValueError("mask: it is empty; give at least one pixel")
        inner = Window(rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
        window = Window(
            *(int(v) + d for v, d in zip(inner.corners, (top, left) * 2, strict=True))
        )
        self._check(window.left, window.top)
        self._check(window.right, window.bottom)
        self._do(replace(self.prompts, start=Start(window, mask[inner.slices])))

    def undo(self) -> bool:
        """Take the last prompt back; False if there is none."""
        return self._go(self._now - 1)

    def redo(self) -> bool:
        """Bring back what was taken back; False if there is nothing."""
        return self._go(self._now + 1)

    def clear(self) -> None:
        """Take everything back, as one step of undo."""
        if self.prompts:
            self._do(Prompts())

    def begin_anew(self) -> None:
        """Forget everything, for the next object."""
        self._states, self._now = [Prompts()], 0

    @property
    def can_undo(self) -> bool:
        """Whether there is a prompt to take back."""
        return self._now > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a prompt to bring back."""
        return self._now + 1 < len(self._states)

    def _do(self, prompts: Prompts) -> None:
        self._states[self._now + 1 :] = [prompts]
        self._now += 1

    def _go(self, where: int) -> bool:
        there = 0 <= where < len(self._states)
        self._now = where if there else self._now
        return there

    def _check(self, x: float, y: float) -> None:
        height, width = self.shape
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError("the prompt is outside the image; click on the image")


def choose_window(
    shape: tuple[int, int],
    centre: tuple[float, float],
    bounds: tuple[float, float, float, float] | None = None,
    *,
    side: int = SIDE,
) -> Window:
    """The part of a plane that is encoded.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the plane.
    centre : (float, float)
        x, y of the middle of what is in sight.
    bounds : (float, float, float, float), optional
        x_min, y_min, x_max, y_max of prompts that must be inside; their middle counts
        then.
    side : int
        Longest side of the window.

    Raises
    ------
    ValueError
        If the prompts are further apart than `MAX_SIDE`.
    """
    x, y, apart = *centre, 0.0
    if bounds is not None:
        x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
        apart = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
        if apart > MAX_SIDE:
            raise ValueError(
                f"the prompts are {apart:.0f} px apart, more than {MAX_SIDE}; clear "
                "them and take those of one object"
            )
        if apart > side / 2:
            # With as much again around the object, which SAM needs to see its edge.
            side = min(MAX_SIDE, max(side, round(1.5 * apart)))
    ends = []
    for middle, length in ((y, shape[0]), (x, shape[1])):
        first = min(max(0, round(middle - side / 2)), max(0, length - side))
        ends.append((first, min(length, first + side)))
    (top, bottom), (left, right) = ends
    return Window(top, left, bottom, right)
