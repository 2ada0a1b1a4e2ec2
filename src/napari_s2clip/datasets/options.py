"""Options of formats from texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from .format import Format

__all__ = ["make_format", "options_of"]


def options_of(name: str) -> dict[str, Field[Any]]:
    """Fields of a format's dataclass by name; empty if it has no options.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    return {field.name: field for field in fields(_kind(name))}


def make_format(name: str, options: Mapping[str, str]) -> Format:
    """A format with options as they are written on a command line.

    Parameters
    ----------
    name : str
    options : mapping of str to str
        Lists are separated by semicolons; ``yes`` and ``no`` are truth values.

    Raises
    ------
    ValueError
        If there is no such format or option, or it has no such value.
    """
    kind = _kind(name)
    hints = get_type_hints(kind)
    known = options_of(name)
    values: dict[str, Any] = {}
    for key, text in options.items():
        key = key.replace("-", "_")
        if key not in known:
            has = f"has {', '.join(known)}" if known else "has none"
            raise ValueError(f"{key}: there is no such option; {name} {has}")
        values[key] = _value(hints[key], text.strip(), key)
    form: Format = kind(**values)
    return form


def _kind(name: str) -> Any:
    from . import FORMATS

    if name not in FORMATS:
        raise ValueError(
            f"there is no format {name!r}; choose one of {', '.join(FORMATS)}"
        )
    return FORMATS[name]


def _value(hint: Any, text: str, key: str) -> Any:
    if hint is bool:
        known = {"yes": True, "true": True, "1": True}
        known |= {"no": False, "false": False, "0": False}
        if text.casefold() not in known:
            raise ValueError(f"{key}: must be yes or no, got {text!r}")
        return known[text.casefold()]
    if get_origin(hint) in {tuple, frozenset}:
        kind = next((a for a in get_args(hint) if a is not Ellipsis), str)
        parts = [part.strip() for part in text.split(";") if part.strip()]
        return get_origin(hint)(_value(kind, part, key) for part in parts)
    if hint in {int, float}:
        try:
            return hint(text)
        except ValueError:
            raise ValueError(f"{key}: must be a number, got {text!r}") from None
    return text
