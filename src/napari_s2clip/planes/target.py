"""A snapshot of what a run segments, taken from the viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .geometry import Grid, axis_name, current_index, placement, separable, shown_axes
from .levels import Index, PlaneLevels, Source
from .notes import (
    notes_on_channels,
    notes_on_level,
    notes_on_slices,
    notes_on_window,
)
from .plane import Plane
from .scope import Channels, Scope

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["MAX_SIDE", "Target", "take_plane", "take_target"]

MAX_SIDE: Final = 4096
"""Of a multiscale image the first level is taken of which no longer side, in px, is
segmented."""


@dataclass(frozen=True, eq=False)
class Target:
    """What a run segments; later changes of the viewer and the layer do not reach it.

    Attributes
    ----------
    planes : tuple of Plane
        At least one, all of one shape, in the order of the data.
    shape : tuple of int
        Of a Labels layer for the whole image: its axes at the level that is used. An
        axis of channels is left out where it comes first. Elsewhere napari would take
        the axis before it for the channels, so it stays, as one pixel that covers all
        of them.
    placement : dict
        Arguments for that layer: scale, translate, rotate, shear, affine, units and
        axis_labels.
    image_id, image_name : str
    level : int
        Of the pyramid; 0 is the finest.
    notes : tuple of str
        What was chosen, for people.
    """

    planes: tuple[Plane, ...]
    shape: tuple[int, ...]
    placement: dict[str, Any]
    image_id: str
    image_name: str
    level: int
    notes: tuple[str, ...] = ()

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of every plane, in pixels."""
        return self.planes[0].shape


def take_target(
    viewer: ViewerModel, layer: Image, scope: Scope | None = None
) -> Target:
    """Snapshot of the part of an image that a run segments.

    Of a multiscale image, if no level is given, it is the finest one where no side of
    what is segmented is longer than `MAX_SIDE` pixels, else the coarsest.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Image
    scope : Scope, optional
        By default the current slice, whole, as it is shown.

    Raises
    ------
    ValueError
        If the image has not what the scope names; the message names the field.
    """
    return _Taker(viewer, layer, scope or Scope()).take()


def take_plane(viewer: ViewerModel, layer: Image) -> Plane:
    """Snapshot of the plane that is shown of an image.

    Of an image with more than two axes it is the current slice, of a multiscale image
    the finest level with sides of at most `MAX_SIDE` pixels, else the coarsest.
    """
    target = take_target(viewer, layer)
    return replace(target.planes[0], notes=target.notes)


class _Taker:
    """What the steps of `take_target` share."""

    def __init__(self, viewer: ViewerModel, layer: Image, scope: Scope) -> None:
        self.layer = layer
        self.scope = scope
        self.levels = list(layer.data) if layer.multiscale else [layer.data]
        self.ndim = layer.ndim
        self.shown = shown_axes(viewer, self.ndim)
        self.finest = self._shape(0)
        self.current = current_index(viewer, layer)
        self.channels = self._checked_channels(scope.channels)
        self.axis = None if self.channels is None else self.channels.axis
        self.hidden = [
            axis
            for axis in range(self.ndim)
            if axis not in self.shown and axis != self.axis
        ]
        self.level = self._choose_level()
        self.grid = Grid(self.finest, self._shape(self.level))
        self.rgb = bool(layer.rgb) or (
            self.channels is not None and len(self.channels.indices) == 3
        )
        # napari wants an axis of its own for every slider before the last ones.
        self.dropped = self.axis if self.axis == 0 and separable(layer, 0) else None

    def take(self) -> Target:
        layer = self.layer
        choices = self._choices()
        window = self._window(self.grid)
        planes = tuple(
            self._plane(dict(zip(self.hidden, position, strict=True)), window)
            for position in product(*(choices[axis] for axis in self.hidden))
        )
        factors, shape = self.grid.factors, self.grid.shape.copy()
        if self.axis is not None:
            factors[self.axis], shape[self.axis] = self.finest[self.axis], 1
        return Target(
            planes=planes,
            shape=tuple(int(n) for n in self._kept(shape)),
            placement=placement(layer, (factors - 1) / 2, factors, self.dropped),
            image_id=str(layer.unique_id),
            image_name=str(layer.name),
            level=self.level,
            notes=(
                *notes_on_slices(layer, choices, self.finest, len(planes)),
                *self._notes(planes[0]),
            ),
        )

    def _shape(self, level: int) -> NDArray[np.int64]:
        return np.array(self.levels[level].shape[: self.ndim], np.int64)

    def _kept(self, values: Any) -> list[Any]:
        """Those of the axes that the Labels layer has."""
        return [v for axis, v in enumerate(values) if axis != self.dropped]

    def _name(self, axis: int) -> str:
        return axis_name(self.layer, axis)

    def _checked_channels(self, channels: Channels | None) -> Channels | None:
        if channels is None:
            return None
        if self.layer.rgb:
            raise ValueError(
                f"channels: {self.layer.name!r} has colours already; choose none"
            )
        axis = self._checked_axis("channels", channels.axis)
        count = int(self.finest[axis])
        for index in channels.indices:
            if not 0 <= index < count:
                raise ValueError(
                    f"channels: {self._name(axis)} has no channel {index}; choose "
                    f"0 to {count - 1}"
                )
        if any(axis == other for other, _, _ in self.scope.ranges):
            raise ValueError(
                f"ranges: {self._name(axis)} holds the channels; choose another"
            )
        return replace(channels, axis=axis)

    def _checked_axis(self, field: str, axis: int) -> int:
        """A hidden axis, counted from 0."""
        if not -self.ndim <= axis < self.ndim:
            raise ValueError(
                f"{field}: {self.layer.name!r} has {self.ndim} axes and none is {axis}"
            )
        axis %= self.ndim
        if axis in self.shown:
            raise ValueError(
                f"{field}: {self._name(axis)} is shown on the canvas; show other "
                "axes, or choose another one"
            )
        return axis

    def _choose_level(self) -> int:
        wanted, count = self.scope.level, len(self.levels)
        if wanted is not None:
            if not 0 <= wanted < count:
                raise ValueError(
                    f"level: {self.layer.name!r} has no level {wanted}; choose 0"
                    + (f" to {count - 1}" if count > 1 else "")
                )
            return wanted
        for level in range(count):
            sides = self._window(Grid(self.finest, self._shape(level)))
            if all(side.stop - side.start <= MAX_SIDE for side in sides):
                return level
        return count - 1  # without a pyramid there is no smaller one

    def _window(self, grid: Grid) -> tuple[slice, slice]:
        """Rows and columns of a level that are segmented."""
        rows, columns = self.shown
        height, width = int(self.finest[rows]), int(self.finest[columns])
        top, left, bottom, right = self.scope.window or (0, 0, height, width)
        top, left = max(0, top), max(0, left)
        bottom, right = min(height, bottom), min(width, right)
        if top >= bottom or left >= right:
            raise ValueError(
                f"window: {self.scope.window} lies outside the image of {height} × "
                f"{width} px; choose a part of it"
            )
        return grid.span(rows, top, bottom), grid.span(columns, left, right)

    def _choices(self) -> dict[int, list[int]]:
        """Pixels of the finest level along each hidden axis, one a slice."""
        ranges = {
            self._checked_axis("ranges", axis): (first, last)
            for axis, first, last in self.scope.ranges
        }
        choices = {axis: [int(self.current[axis])] for axis in self.hidden}
        for axis, (first, last) in ranges.items():
            count = int(self.finest[axis])
            if last >= count:
                raise ValueError(
                    f"ranges: {self._name(axis)} has {count} slices and no number "
                    f"{last}; choose 0 to {count - 1}"
                )
            # Several of the finest level may be one of a coarser.
            of_level = {self.grid.index(axis, p): p for p in range(last, first - 1, -1)}
            choices[axis] = [of_level[i] for i in sorted(of_level)]
        return choices

    def _plane(self, position: dict[int, int], window: tuple[slice, slice]) -> Plane:
        layer, scope, grid = self.layer, self.scope, self.grid
        source = self._source(self.level, position)
        limits = None
        if not layer.rgb and scope.contrast == "shown":
            limits = _finite(layer.contrast_limits)
        factors = np.ones(self.ndim)
        first = np.zeros(self.ndim)
        index: list[int | slice] = [0] * self.ndim
        for axis, chosen in position.items():
            first[axis], index[axis] = chosen, grid.index(axis, chosen)
        for axis, side in zip(self.shown, window, strict=True):
            factors[axis], index[axis] = grid.factors[axis], side
            first[axis] = (side.start + 0.5) * factors[axis] - 0.5
        if self.axis is not None:
            factors[self.axis] = self.finest[self.axis]
            first[self.axis] = (factors[self.axis] - 1) / 2
        at: Index = tuple(self._kept(index))
        hidden = tuple(axis for axis, i in enumerate(at) if isinstance(i, int))
        where = self._kept([position.get(axis, 0) for axis in range(self.ndim)])
        part = source.part(*window)
        return Plane(
            source=part,
            hidden=hidden,
            position=tuple(where[axis] for axis in hidden),
            shape=part.shape,
            rgb=self.rgb,
            contrast_limits=limits,
            placement=placement(layer, first, factors, self.dropped),
            at=at,
            levels=PlaneLevels(
                source=source,
                coarsest=self._source(len(self.levels) - 1, position),
                rgb=self.rgb,
                contrast_limits=limits,
                each=scope.contrast == "percentile",
            ),
        )

    def _notes(self, plane: Plane) -> list[str]:
        rows, columns = (int(self.grid.shape[axis]) for axis in self.shown)
        return [
            *notes_on_level(self.level, rows, columns),
            *notes_on_window(self.scope.window and plane.window),
            *notes_on_channels(self.layer, self.channels),
        ]

    def _source(self, level: int, position: dict[int, int]) -> Source:
        """A whole plane of a level."""
        grid = Grid(self.finest, self._shape(level))
        index: list[int | slice] = [
            grid.index(axis, position.get(axis, 0)) for axis in range(self.ndim)
        ]
        for axis in self.shown:
            index[axis] = slice(0, int(grid.shape[axis]))
        channels = None
        if self.channels is not None:
            channels = (self.channels.axis, self.channels.indices)
        return Source(self.levels[level], tuple(index), channels)


def _finite(limits: Any) -> tuple[float, float] | None:
    low, high = (float(value) for value in limits)
    return (low, high) if np.isfinite([low, high]).all() else None
