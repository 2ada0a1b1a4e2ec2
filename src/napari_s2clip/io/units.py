r"""Units of length as people and programs write them.

The standard names are those of OME-Zarr; ImageJ writes ``\u00B5m``, letter by letter.
"""

from __future__ import annotations

from typing import Final

__all__ = ["centimetres", "short", "standard"]

_STANDARD: Final = {
    "angstrom": ("Å", "ångström"),
    "nanometer": ("nm", "nanometre"),
    "micrometer": ("µm", "μm", "um", "\\u00B5m", "micron", "micrometre"),
    "millimeter": ("mm", "millimetre"),
    "centimeter": ("cm", "centimetre"),
    "meter": ("m", "metre"),
    "kilometer": ("km", "kilometre"),
}
_CENTIMETRES: Final = {
    "angstrom": 1e-8,
    "nanometer": 1e-7,
    "micrometer": 1e-4,
    "millimeter": 0.1,
    "centimeter": 1.0,
    "meter": 100.0,
    "kilometer": 1e5,
}
_SHORT: Final = {
    "angstrom": "angstrom",
    "nanometer": "nm",
    "micrometer": "um",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "kilometer": "km",
}
_WORDS: Final = {
    word: name for name, words in _STANDARD.items() for word in (name, *words)
}


def standard(unit: str) -> str | None:
    """The standard name of a unit of length; None if it is none."""
    return _WORDS.get(unit)


def short(unit: str) -> str:
    """A unit of length as image files have it, in ASCII; others as they are."""
    return _SHORT.get(_WORDS.get(unit, ""), unit)


def centimetres(unit: str) -> float | None:
    """The length of a unit; None if it is none."""
    return _CENTIMETRES.get(_WORDS.get(unit, ""))
