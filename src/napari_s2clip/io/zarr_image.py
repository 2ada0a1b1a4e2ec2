"""OME-Zarr images (0.4 and 0.5) and plain zarr arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..planes import MAX_SIDE as _MAX_SIDE
from .opened import OpenedImage, plain

__all__ = ["open_zarr"]

_SHORT: Final = {
    "micrometer": "um",
    "nanometer": "nm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
}


def open_zarr(path: Path) -> OpenedImage:
    """Open a folder that is a zarr array or an OME-Zarr image.

    Of a pyramid it is the finest level with sides of at most 4096 pixels, else the
    coarsest.

    Raises
    ------
    ValueError
        If it is something else or damaged; the message names the folder.
    """
    import zarr

    try:
        found = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: the zarr is damaged ({error})") from None
    if isinstance(found, zarr.Array):
        return plain(found, path)
    facts = dict(found.attrs)
    ome = facts.get("ome", facts)
    if not isinstance(ome, Mapping):
        raise ValueError(f"{path}: ome: it is no object")
    if "plate" in ome or "well" in ome:
        raise ValueError(f"{path}: it is a plate; give the fields in it, as A/1/0")
    scales = ome.get("multiscales")
    if not isinstance(scales, list) or not scales or not isinstance(scales[0], Mapping):
        raise ValueError(f"{path}: multiscales: it is missing; it is no OME-Zarr image")
    return _multiscale(path, found, scales[0])


def _multiscale(path: Path, group: Any, scale: Mapping[str, Any]) -> OpenedImage:
    import zarr

    try:
        levels = [(group[d["path"]], d) for d in scale["datasets"]]
    except (KeyError, TypeError, OSError, ValueError) as error:
        raise ValueError(f"{path}: multiscales[0].datasets: {error!r}") from None
    if not levels or not all(isinstance(array, zarr.Array) for array, _ in levels):
        raise ValueError(f"{path}: multiscales[0].datasets: they must be arrays")
    axes = _axes(path, scale, levels[0][0].ndim)
    names = tuple(name for name, _, _ in axes)
    number = next(
        (i for i, (a, _) in enumerate(levels) if max(a.shape[-2:]) <= _MAX_SIDE),
        len(levels) - 1,
    )
    array, facts = levels[number]
    if array.ndim != len(axes):
        raise ValueError(f"{path}: {facts['path']}: it lacks axes of {names}")
    channels = next(
        (i for i, (_, kind, _) in enumerate(axes) if kind == "channel"), None
    )
    notes = (f"level {number} of {len(levels)}",) if number else ()
    unit = axes[-1][2] if axes[-1][2] == axes[-2][2] else ""
    size = _size(scale, facts, array.ndim)
    return OpenedImage(
        array,
        names,
        channel_axis=channels,
        pixel_size=size if unit else None,
        unit=_SHORT.get(unit, unit) if size else "",
        notes=notes,
    )


def _axes(
    path: Path, scale: Mapping[str, Any], ndim: int
) -> list[tuple[str, str, str]]:
    """Name, type and unit of each axis."""
    stated = scale.get("axes")
    if stated is None:  # version 0.2 and older
        usual = ["t", "c", "z", "y", "x"][-ndim:]
        stated = [{"name": n, "type": "channel" if n == "c" else ""} for n in usual]
    if not isinstance(stated, list) or len(stated) != ndim:
        raise ValueError(f"{path}: multiscales[0].axes: there must be {ndim}")
    axes = []
    for number, axis in enumerate(stated):
        if isinstance(axis, str):  # version 0.3
            axis = {"name": axis, "type": "channel" if axis == "c" else ""}
        if not isinstance(axis, Mapping) or not isinstance(axis.get("name"), str):
            raise ValueError(f"{path}: multiscales[0].axes[{number}].name: is missing")
        axes.append(
            (axis["name"], str(axis.get("type", "")), str(axis.get("unit", "")))
        )
    if [name for name, _, _ in axes[-2:]] != ["y", "x"]:
        raise ValueError(f"{path}: multiscales[0].axes: the last two must be y and x")
    return axes


def _size(
    scale: Mapping[str, Any], level: Mapping[str, Any], ndim: int
) -> tuple[float, float] | None:
    """Height and width of a pixel: the scales of the level and of all levels."""
    factors = [1.0, 1.0]
    found = False
    for where in (level, scale):
        for step in where.get("coordinateTransformations") or ():
            values = step.get("scale") if isinstance(step, Mapping) else None
            if isinstance(values, list) and len(values) == ndim:
                found = True
                factors = [
                    f * float(v) for f, v in zip(factors, values[-2:], strict=True)
                ]
    if not found or not all(0 < f < float("inf") for f in factors):
        return None
    return factors[0], factors[1]
