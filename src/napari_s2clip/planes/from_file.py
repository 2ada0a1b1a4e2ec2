"""All planes of an image file, without a viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .levels import Index, PlaneLevels, Source
from .plane import Plane
from .target import Target

if TYPE_CHECKING:
    from ..io.opened import OpenedImage

__all__ = ["whole_target"]


def whole_target(
    image: OpenedImage,
    name: str,
    *,
    channels: Sequence[int] = (),
    contrast_limits: tuple[float, float] | None = None,
) -> Target:
    """Every plane of an image, as a run segments them.

    Parameters
    ----------
    image : OpenedImage
    name : str
    channels : sequence of int
        Which are red, green and blue, where there are channels; one is grey. If empty,
        the first three.
    contrast_limits : (float, float), optional
        What becomes black and white; by default percentiles of each plane.

    Raises
    ------
    ValueError
        If there is no such channel.
    """
    axis = image.channel_axis
    notes = list(image.notes)
    chosen: tuple[int, tuple[int, ...]] | None = None
    if axis is not None:
        count = image.shape[axis]
        chosen = (axis, _channels(channels, count))
        if count > 1:
            said = ", ".join(str(c) for c in chosen[1])
            notes.append(
                f"channel{'s' if len(chosen[1]) > 1 else ''} {said} of {count}"
            )
    rgb = image.rgb or (chosen is not None and len(chosen[1]) > 1)
    # Dyes differ in brightness; colours belong together.
    each = rgb and not image.rgb and np.dtype(image.data.dtype) != np.uint8
    ndim = len(image.axes)
    hidden = [a for a in range(ndim - 2) if a != axis]
    height, width = image.shape[-2:]
    sides = (slice(0, height), slice(0, width))
    planes = []
    for position in np.ndindex(*(image.shape[a] for a in hidden)):
        index: list[int | slice] = [0] * (ndim - 2) + list(sides)
        for a, number in zip(hidden, position, strict=True):
            index[a] = number
        source = Source(image.data, tuple(index), chosen)
        at: Index = (*position, *sides)
        planes.append(
            Plane(
                source=source,
                hidden=tuple(range(len(hidden))),
                position=position,
                shape=(height, width),
                rgb=rgb,
                contrast_limits=contrast_limits,
                placement={},
                at=at,
                levels=PlaneLevels(source, source, rgb, contrast_limits, each),
            )
        )
    return Target(
        planes=tuple(planes),
        shape=(*(image.shape[a] for a in hidden), height, width),
        placement={},
        image_id="",
        image_name=name,
        level=0,
        notes=tuple(notes),
    )


def _channels(wanted: Sequence[int], count: int) -> tuple[int, ...]:
    """Indices that are read: one, or three of which some may be equal."""
    for channel in wanted:
        if not 0 <= channel < count:
            raise ValueError(
                f"channels: there is no channel {channel}; choose 0 to {count - 1}"
            )
    found = tuple(wanted) or tuple(range(min(count, 3)))
    if len(set(found)) == 1:
        return found[:1]
    # With two, the second one is green and blue: all three are seen on white.
    return (*found, found[-1])[:3]
