"""Metadata of OME-Zarr (0.4 and 0.5): what the axes of an image are, and its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import zarr

__all__ = ["Axis", "Level", "Multiscales", "metadata_of", "multiscales_of"]


@dataclass(frozen=True)
class Axis:
    """An axis of an image.

    Attributes
    ----------
    name, kind, unit : str
        Kind and unit are empty where nothing is said.
    """

    name: str
    kind: str = ""
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Level:
    """An image at one size.

    Attributes
    ----------
    path : str
        In its group.
    array : zarr.Array
    scale : tuple of float or None
        Length of a pixel along each axis; None where it is not said.
    """

    path: str
    array: Any
    scale: tuple[float, ...] | None


@dataclass(frozen=True, eq=False)
class Multiscales:
    """An image at several sizes.

    Attributes
    ----------
    axes : tuple of Axis
    levels : tuple of Level
        The finest one first.
    """

    axes: tuple[Axis, ...]
    levels: tuple[Level, ...]

    def pixel_size(self, level: Level) -> tuple[float, float] | None:
        """Height and width of a pixel; None where they are not said, or no lengths."""
        if level.scale is None:
            return None
        height, width = (level.scale[self.names.index(name)] for name in "yx")
        return (
            (height, width)
            if all(0 < v < float("inf") for v in (height, width))
            else None
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(axis.name for axis in self.axes)


def metadata_of(group: zarr.Group) -> Mapping[str, Any]:
    """What OME-Zarr says of a group: since 0.5 in a field of its own.

    Raises
    ------
    ValueError
        If that field holds something else.
    """
    found = dict(group.attrs)
    own = found.get("ome", found)
    if not isinstance(own, Mapping):
        raise ValueError("ome: it is no object")
    return own


def multiscales_of(group: zarr.Group) -> Multiscales:
    """The image of a group.

    Raises
    ------
    ValueError
        Names the field that is missing, or not as the format has it.
    """
    import zarr

    scales = metadata_of(group).get("multiscales")
    if not isinstance(scales, list) or not scales or not isinstance(scales[0], Mapping):
        raise ValueError("multiscales: it is missing; it is no OME-Zarr image")
    scale = scales[0]
    try:
        found = [(str(d["path"]), group[d["path"]], d) for d in scale["datasets"]]
    except (KeyError, TypeError, OSError, ValueError) as error:
        raise ValueError(f"multiscales[0].datasets: {error!r}") from None
    levels = [(p, array, d) for p, array, d in found if isinstance(array, zarr.Array)]
    if not levels or len(levels) < len(found):
        raise ValueError("multiscales[0].datasets: they must be arrays")
    axes = _axes(scale, levels[0][1].ndim)
    for path, array, _ in levels:
        if array.ndim != len(axes):
            names = tuple(axis.name for axis in axes)
            raise ValueError(f"{path}: it lacks axes of {names}")
    return Multiscales(
        axes,
        tuple(
            Level(path, array, _scale(scale, about, len(axes)))
            for path, array, about in levels
        ),
    )


def _axes(scale: Mapping[str, Any], ndim: int) -> tuple[Axis, ...]:
    stated = scale.get("axes")
    if stated is None:  # version 0.2 and older
        stated = ["t", "c", "z", "y", "x"][-ndim:]
    if not isinstance(stated, list) or len(stated) != ndim:
        raise ValueError(f"multiscales[0].axes: there must be {ndim}")
    axes = []
    for number, axis in enumerate(stated):
        if isinstance(axis, str):  # version 0.3
            axis = {"name": axis, "type": "channel" if axis == "c" else ""}
        if not isinstance(axis, Mapping) or not isinstance(axis.get("name"), str):
            raise ValueError(f"multiscales[0].axes[{number}].name: is missing")
        kind, unit = (str(axis.get(key, "")) for key in ("type", "unit"))
        axes.append(Axis(axis["name"], kind, unit))
    return tuple(axes)


def _scale(
    scale: Mapping[str, Any], level: Mapping[str, Any], ndim: int
) -> tuple[float, ...] | None:
    """The scales of the level and of all levels together."""
    factors, found = [1.0] * ndim, False
    for where in (level, scale):
        try:
            for step in where.get("coordinateTransformations") or ():
                values = step.get("scale") if isinstance(step, Mapping) else None
                if isinstance(values, list) and len(values) == ndim:
                    found = True
                    pairs = zip(factors, values, strict=True)
                    factors = [f * float(v) for f, v in pairs]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"multiscales[0]: coordinateTransformations must be numbers ({error})"
            ) from None
    return tuple(factors) if found else None
