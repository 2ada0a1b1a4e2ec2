"""The classes of a run: names, synonyms, colours, ids, thresholds."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MAX_CLASSES",
    "SAFE_COLOURS",
    "ClassEntry",
    "ClassSet",
    "Classes",
    "check_colour",
    "check_threshold",
    "default_colour",
]

MAX_CLASSES = 65_534
"""Label maps are uint16; 0 is background and 65,535 stays free for "ignore"."""

# Sky blue and vermilion first: furthest apart.
SAFE_COLOURS: Final = {
    "sky blue": "#56b4e9",
    "vermilion": "#d55e00",
    "yellow": "#f0e442",
    "bluish green": "#009e73",
    "reddish purple": "#cc79a7",
    "orange": "#e69f00",
    "blue": "#0072b2",
}
"""Colours of Okabe and Ito (2008) by name, told apart by colour-blind people too.

Black and white are left out because they vanish on dark and bright images.
"""

_Integer = TypeVar("_Integer", bound=np.integer)

_GOLDEN_RATIO = 0.618_033_988_75

_COLOUR = re.compile(r"#[0-9a-f]{6}", re.ASCII | re.IGNORECASE)


def default_colour(index: int) -> str:
    """Colour ``"#rrggbb"`` of the class with 0-based ``index``.

    Seven colours of Okabe and Ito, then hues a golden ratio apart at three
    lightnesses, so that neighbours in the list differ.
    """
    if index < len(SAFE_COLOURS):
        return tuple(SAFE_COLOURS.values())[index]
    step = index - len(SAFE_COLOURS)
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
        ``"#rrggbb"``; empty means "by id" (see `default_colour`).
    id : int, optional
        Label value, 1 to `MAX_CLASSES`; a `ClassSet` gives one where there is none.
    threshold : float
        Pixels of this class that are less probable become background, also where
        ``Settings.probability_threshold`` is lower.
    """

    name: str
    synonyms: tuple[str, ...] = ()
    colour: str = ""
    id: int | None = None
    threshold: float = 0.0

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


def check_colour(colour: object, where: str) -> None:
    """Raise `ValueError`, which begins with ``where``, for what is no colour."""
    if colour != "" and not (isinstance(colour, str) and _COLOUR.fullmatch(colour)):
        raise ValueError(f'{where}: colour must be "#rrggbb" or empty, got {colour!r}')


def _check_id(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        number = int(value)
        if 1 <= number <= MAX_CLASSES:
            return number
    raise ValueError(
        f"{where}: id must be a whole number from 1 to {MAX_CLASSES}, got {value!r}"
    )


def check_threshold(value: Any, where: str) -> float:
    """The threshold as a float, or `ValueError`, which begins with ``where``."""
    number = isinstance(value, int | float | np.integer | np.floating)
    if number and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError(f"{where}: threshold must be from 0 to 1, got {value!r}")


class ClassSet:
    """Ordered classes, each with a label value, its id; 0 is background.

    Ids need not follow the order and may have gaps. Classes without one get, in order,
    the smallest that are free, so that names alone are numbered 1, 2, 3 and so on.

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
        list, or also a background word (letter case does not matter), a colour is not
        ``"#rrggbb"``, a threshold not from 0 to 1, or an id no label value or twice in
        the list.

    Examples
    --------
    >>> classes = ClassSet(["cat", "car | automobile"], background=["sky"])
    >>> classes.names
    ('cat', 'car')
    >>> classes.id_of("car")
    2
    >>> ClassSet([ClassEntry("cat", id=3), "dog"]).ids
    (3, 1)
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
        entries = [self._entry(item, index) for index, item in enumerate(given)]
        self._entries = _numbered(entries)
        self._ids = tuple(_id(entry) for entry in self._entries)
        self._by_id = {entry.id: entry for entry in self._entries}
        self._background = tuple(
            _clean(word, f"background[{i}]") for i, word in enumerate(background)
        )
        self._refuse_duplicates()

    @staticmethod
    def _entry(item: str | ClassEntry, index: int) -> ClassEntry:
        where = f"classes[{index}]"
        if isinstance(item, ClassEntry):
            entry = item
        elif isinstance(item, str):
            name, *synonyms = item.split("|")
            entry = ClassEntry(name, tuple(synonyms))
        else:
            raise ValueError(
                f"{where} must be a name or a ClassEntry, got {type(item).__name__}"
            )
        _refuse_text(entry.synonyms, f"the synonyms in {where}")
        check_colour(entry.colour, where)
        return ClassEntry(
            _clean(entry.name, where),
            tuple(_clean(s, f"a synonym in {where}") for s in entry.synonyms),
            entry.colour,
            _check_id(entry.id, where),
            check_threshold(entry.threshold, where),
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
        """Class names in order."""
        return tuple(e.name for e in self._entries)

    @property
    def ids(self) -> tuple[int, ...]:
        """Label values in order."""
        return self._ids

    @property
    def colours(self) -> tuple[str, ...]:
        """Colours ``"#rrggbb"`` in order."""
        return tuple(e.colour for e in self._entries)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Thresholds in order."""
        return tuple(e.threshold for e in self._entries)

    def id_of(self, name: str) -> int:
        """Label value of a class name; `KeyError` if there is none."""
        for entry in self._entries:
            if entry.name == name:
                return _id(entry)
        raise KeyError(name)

    def name_of(self, value: int) -> str:
        """Class name of a label value; ``"background"`` for 0, else `KeyError`."""
        return "background" if value == 0 else self._by_id[value].name

    def colour_of(self, value: int) -> str:
        """Colour of a label value; `KeyError` if no class has it."""
        return self._by_id[value].colour

    def label_values(self, positions: NDArray[_Integer]) -> NDArray[_Integer]:
        """Label values of positions: 0 stays 0, i becomes the id of the i-th class.

        The array itself where the ids follow the order.
        """
        if self.ids == tuple(range(1, len(self) + 1)):
            return positions
        values: NDArray[_Integer] = np.array([0, *self.ids], positions.dtype)
        return np.asarray(values[positions])

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

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: ids, names, synonyms, colours, background.

        A class has a threshold only where it is not 0.
        """
        return {
            "classes": [
                {
                    "id": e.id,
                    "name": e.name,
                    "synonyms": list(e.synonyms),
                    "colour": e.colour,
                    **({"threshold": e.threshold} if e.threshold else {}),
                }
                for e in self._entries
            ],
            "background": list(self._background),
        }


def _numbered(entries: Sequence[ClassEntry]) -> tuple[ClassEntry, ...]:
    """The entries with the smallest free ids, and colours, where they have none."""
    owners: dict[int, str] = {}
    for entry in entries:
        if entry.id is None:
            continue
        if entry.id in owners:
            raise ValueError(
                f"classes: id {entry.id} is given twice ({owners[entry.id]!r} and "
                f"{entry.name!r}); every class needs its own"
            )
        owners[entry.id] = entry.name
    free = (number for number in count(1) if number not in owners)
    found = []
    for entry in entries:
        number = next(free) if entry.id is None else entry.id
        colour = entry.colour or default_colour(number - 1)
        found.append(replace(entry, id=number, colour=colour))
    return tuple(found)


def _id(entry: ClassEntry) -> int:
    """Id of an entry that has been numbered."""
    assert entry.id is not None
    return entry.id


Classes: TypeAlias = ClassSet | Sequence[str | ClassEntry]
