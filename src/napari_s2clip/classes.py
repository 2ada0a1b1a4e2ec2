"""The classes of a run: names, synonyms, colours, ids."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["MAX_CLASSES", "ClassEntry", "ClassSet", "Classes", "default_colour"]

MAX_CLASSES = 65_534
"""Label maps are uint16; 0 is background and 65,535 stays free for "ignore"."""

# Okabe & Ito (2008), colour-blind safe; black and white are left out because they
# vanish on dark and bright images. Sky blue and vermilion first: furthest apart.
_PALETTE = (
    (0x56, 0xB4, 0xE9),
    (0xD5, 0x5E, 0x00),
    (0xF0, 0xE4, 0x42),
    (0x00, 0x9E, 0x73),
    (0xCC, 0x79, 0xA7),
    (0xE6, 0x9F, 0x00),
    (0x00, 0x72, 0xB2),
)

_GOLDEN_RATIO = 0.618_033_988_75

_COLOUR = re.compile(r"#[0-9a-f]{6}", re.ASCII | re.IGNORECASE)


def default_colour(index: int) -> str:
    """Colour ``"#rrggbb"`` of the class with 0-based ``index``.

    Seven colours of Okabe and Ito, then hues a golden ratio apart at three
    lightnesses, so that neighbours in the list differ.
    """
    if index < len(_PALETTE):
        red, green, blue = _PALETTE[index]
    else:
        step = index - len(_PALETTE)
        lightness = (0.55, 0.7, 0.42)[step % 3]
        hue = (0.08 + step * _GOLDEN_RATIO) % 1
        rgb = colorsys.hls_to_rgb(hue, lightness, 0.75)
        red, green, blue = (round(255 * v) for v in rgb)
    return f"#{red:02x}{green:02x}{blue:02x}"


@dataclass(frozen=True)
class ClassEntry:
    """One class.

    Attributes
    ----------
    name : str
        Shown to people and given to the text encoder.
    synonyms : tuple of str
        More phrases for the same class; the most probable one counts at each pixel.
    colour : str
        ``"#rrggbb"``; empty means "by position" (see `default_colour`).
    """

    name: str
    synonyms: tuple[str, ...] = ()
    colour: str = ""

    @property
    def phrases(self) -> tuple[str, ...]:
        """The name and its synonyms."""
        return (self.name, *self.synonyms)


def _clean(text: object, where: str) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{where} must be text, got {type(text).__name__}: {text!r}")
    text = " ".join(text.split())
    if not text:
        raise ValueError(f"{where} is blank; write a word or remove the line")
    return text


def _refuse_text(phrases: object, what: str) -> None:
    if isinstance(phrases, str):
        raise ValueError(f"{what} must be a list of phrases, not one text")


def _check_colour(colour: object, where: str) -> None:
    if colour != "" and not (isinstance(colour, str) and _COLOUR.fullmatch(colour)):
        raise ValueError(f'{where}: colour must be "#rrggbb" or empty, got {colour!r}')


class ClassSet:
    """Ordered classes; the i-th one (from 1) has label value i, 0 is background.

    Parameters
    ----------
    classes : iterable of str or ClassEntry
        Class names. ``"car | automobile"`` gives a class and its synonyms.
    background : iterable of str
        Words for what no class should claim; their pixels become 0.

    Raises
    ------
    ValueError
        If there are no classes, more than `MAX_CLASSES`, a name is blank, twice in the
        list, or also a background word (letter case does not matter), or a colour is
        not ``"#rrggbb"``.

    Examples
    --------
    >>> classes = ClassSet(["cat", "car | automobile"], background=["sky"])
    >>> classes.names
    ('cat', 'car')
    >>> classes.id_of("car")
    2
    """

    def __init__(
        self,
        classes: Iterable[str | ClassEntry],
        background: Iterable[str] = (),
    ) -> None:
        if isinstance(classes, str):
            raise ValueError(
                "classes must be a list of names, not one text; "
                'use ClassSet.parse("a; b; c")'
            )
        if isinstance(background, str):
            raise ValueError("background must be a list of words, not one text")
        given = list(classes)
        if not given:
            raise ValueError("classes is empty; name at least one class")
        if len(given) > MAX_CLASSES:
            raise ValueError(
                f"classes has {len(given):,} names; a uint16 label map holds at most "
                f"{MAX_CLASSES:,}: split the list"
            )
        self._entries = tuple(
            self._entry(item, index) for index, item in enumerate(given)
        )
        self._background = tuple(
            _clean(word, f"background[{i}]") for i, word in enumerate(background)
        )
        self._refuse_duplicates()

    @staticmethod
    def _entry(item: str | ClassEntry, index: int) -> ClassEntry:
        where = f"classes[{index}]"
        if isinstance(item, ClassEntry):
            name, synonyms, colour = item.name, item.synonyms, item.colour
        elif isinstance(item, str):
            name, *synonyms_list = item.split("|")
            synonyms, colour = tuple(synonyms_list), ""
        else:
            raise ValueError(
                f"{where} must be a name or a ClassEntry, got {type(item).__name__}"
            )
        _refuse_text(synonyms, f"the synonyms in {where}")
        _check_colour(colour, where)
        return ClassEntry(
            _clean(name, where),
            tuple(_clean(s, f"a synonym in {where}") for s in synonyms),
            colour or default_colour(index),
        )

    def _refuse_duplicates(self) -> None:
        seen: dict[str, str] = {}
        for where, phrase in [
            *((f"class {e.name!r}", p) for e in self._entries for p in e.phrases),
            *(("background", word) for word in self._background),
        ]:
            key = phrase.casefold()
            if key in seen:
                raise ValueError(
                    f"classes: {phrase!r} is named twice ({seen[key]} and {where}); "
                    "every name, synonym and background word may occur once"
                )
            seen[key] = where

    @classmethod
    def parse(cls, text: str, background: Iterable[str] = ()) -> ClassSet:
        """Read class names from text, one a line or separated by semicolons."""
        names = [n for n in text.replace(";", "\n").splitlines() if n.strip()]
        return cls(names, background)

    @property
    def entries(self) -> tuple[ClassEntry, ...]:
        """The classes in order."""
        return self._entries

    @property
    def background(self) -> tuple[str, ...]:
        """Background words."""
        return self._background

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order; ``names[i - 1]`` belongs to label value i."""
        return tuple(e.name for e in self._entries)

    @property
    def colours(self) -> tuple[str, ...]:
        """Colours ``"#rrggbb"`` in order."""
        return tuple(e.colour for e in self._entries)

    def id_of(self, name: str) -> int:
        """Label value of a class name; `KeyError` if there is none."""
        for index, entry in enumerate(self._entries):
            if entry.name == name:
                return index + 1
        raise KeyError(name)

    def name_of(self, value: int) -> str:
        """Class name of a label value; ``"background"`` for 0, else `KeyError`."""
        if not 0 <= value <= len(self._entries):
            raise KeyError(value)
        return self._entries[value - 1].name if value else "background"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[ClassEntry]:
        return iter(self._entries)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ClassSet)
            and self._entries == other._entries
            and self._background == other._background
        )

    def __hash__(self) -> int:
        return hash((self._entries, self._background))

    def __repr__(self) -> str:
        return f"ClassSet({list(self.names)}, background={list(self._background)})"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON: ids, names, synonyms, colours, background."""
        return {
            "classes": [
                {
                    "id": i,
                    "name": e.name,
                    "synonyms": list(e.synonyms),
                    "colour": e.colour,
                }
                for i, e in enumerate(self._entries, 1)
            ],
            "background": list(self._background),
        }


Classes: TypeAlias = ClassSet | Sequence[str | ClassEntry]
