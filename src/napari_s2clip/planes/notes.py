"""What is segmented of an image, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .geometry import axis_name

if TYPE_CHECKING:
    from napari.layers import Image

    from .scope import Channels

__all__ = ["notes_on_channels", "notes_on_level", "notes_on_slices", "notes_on_window"]


def notes_on_slices(
    layer: Image, choices: Mapping[int, list[int]], counts: Any, planes: int
) -> list[str]:
    """Which slices, by the chosen indices along each hidden axis."""
    where = []
    for axis, chosen in choices.items():
        last = int(counts[axis]) - 1
        if not last:
            continue  # there is no other slice
        which = str(chosen[0])
        if len(chosen) > 1:
            which += f" to {chosen[-1]}"
        where.append(f"{which} (of 0 to {last}) along {axis_name(layer, axis)}")
    if not where:
        return []
    head = f"{planes} slices were" if planes > 1 else "only one slice was"
    return [f"{head} segmented: {', '.join(where)}"]


def notes_on_level(level: int, height: int, width: int) -> list[str]:
    """Which level of a pyramid, if not the finest."""
    if not level:
        return []
    return [f"level {level} of the pyramid ({width} × {height} px) was used"]


def notes_on_window(window: tuple[slice, slice] | None) -> list[str]:
    """Which part of a plane, if not all."""
    if window is None:
        return []
    rows, columns = window
    width, height = columns.stop - columns.start, rows.stop - rows.start
    place = f"row {rows.start} and column {columns.start}"
    return [f"only {width} × {height} px from {place} were segmented"]


def notes_on_channels(layer: Image, channels: Channels | None) -> list[str]:
    """Which channels, if some were chosen."""
    if channels is None:
        return []
    axis = axis_name(layer, channels.axis)
    if len(channels.indices) == 1:
        return [f"channel {channels.red} of {axis} was grey"]
    three = f"{channels.red}, {channels.green}, {channels.blue}"
    return [f"channels {three} of {axis} were red, green and blue"]
