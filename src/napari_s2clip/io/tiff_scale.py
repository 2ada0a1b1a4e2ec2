"""The size of a pixel, as TIFF files say it: OME, ImageJ, this program, resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from .units import short

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

__all__ = ["pixel_size_of"]

_RESOLUTION: Final = {3: "cm"}  # 2, inches, is what programs write that know nothing


def pixel_size_of(
    tiff: TiffFile, series: TiffPageSeries
) -> tuple[tuple[float, float], str] | None:
    """Height and width of a pixel, and their unit; None where nothing is said."""
    if tiff.is_ome and tiff.ome_metadata:
        return _ome(tiff.ome_metadata)
    written = (tiff.shaped_metadata or ({},))[0] if tiff.is_shaped else {}
    size = written.get("pixel_size")
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return _checked(size[0], size[1], str(written.get("unit", "")))
    page = series.keyframe
    tags = [page.tags.get(name) for name in ("YResolution", "XResolution")]
    if any(tag is None for tag in tags):
        return None
    try:
        down, across = (tag.value[1] / tag.value[0] for tag in tags if tag is not None)
    except (TypeError, ZeroDivisionError, IndexError):
        return None
    if tiff.is_imagej:
        about: dict[str, Any] = tiff.imagej_metadata or {}
        unit = str(about.get("unit", ""))
        return _checked(down, across, unit) if _unit(unit) else None
    kind = page.tags.get("ResolutionUnit")
    known = _RESOLUTION.get(int(kind.value)) if kind is not None else None
    return _checked(down, across, known) if known else None


def _ome(text: str) -> tuple[tuple[float, float], str] | None:
    try:
        pixels = ET.fromstring(text).find(".//{*}Pixels")
    except ET.ParseError:
        return None
    if pixels is None:
        return None
    down, across = pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX")
    units = [pixels.get(f"PhysicalSize{a}Unit", "µm") for a in "YX"]
    if down is None or across is None or units[0] != units[1]:
        return None
    return _checked(down, across, units[0])


def _checked(
    down: Any, across: Any, unit: str
) -> tuple[tuple[float, float], str] | None:
    try:
        size = (float(down), float(across))
    except (TypeError, ValueError):
        return None
    if not all(0 < side < float("inf") for side in size):
        return None
    return size, _unit(unit)


def _unit(text: str) -> str:
    return "" if text == "pixel" else short(text)
