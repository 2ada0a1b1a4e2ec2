"""Sizes of stored data and counts as people write them: ``"5 GB"``, ``"12.3k"``."""

from __future__ import annotations

import math
import re

__all__ = ["format_size", "parse_size", "short_number"]

_UNITS = ("B", "kB", "MB", "GB", "TB")
_FACTORS: dict[str, int] = {
    "": 1,
    **{unit.casefold(): 1000**n for n, unit in enumerate(_UNITS)},
    **{f"{letter}ib": 1024 ** (n + 1) for n, letter in enumerate("kmgt")},
}


def parse_size(text: str, name: str = "size") -> int:
    """Read a size as bytes.

    Parameters
    ----------
    text : str
        A number, not negative, with or without a unit: B, kB, MB, GB, TB (powers of
        1000) or KiB, MiB, GiB, TiB (powers of 1024), in any letter case.
    name : str
        What the error calls it.

    Raises
    ------
    ValueError
        If ``text`` is anything else.
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    factor = _FACTORS.get(found[2].casefold()) if found else None
    # A few hundred digits are infinite as a float.
    if found is None or factor is None or math.isinf(float(found[1]) * factor):
        raise ValueError(
            f"{name} is {text!r}; write a number with a unit, such as 5 GB or 500 MB"
        )
    return round(float(found[1]) * factor)


def format_size(size: int) -> str:
    """Bytes for people, with three digits and powers of 1000: ``"1.23 GB"``."""
    value, unit = float(size), 0
    # 999.5 would round to four digits.
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {_UNITS[unit]}"


def short_number(number: int) -> str:
    """A number in few letters: 950, 12.3k, 4.56M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        value = number / limit
        if value >= 0.9995 and number > 9999:
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f}{letter}"
    return str(number)
