"""Classes while they are edited: wrong for a while, every change can be undone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count

from .classes import (
    MAX_CLASSES,
    ClassEntry,
    ClassSet,
    check_colour,
    check_threshold,
    default_colour,
)

__all__ = ["ClassTable", "Pasted", "Problem", "many", "shown_colour"]

_SEPARATORS = re.compile(r"[\n\r;\t]+")

_MOST_WORDS = 8
"""Names that were left out and are told."""

_MOST_STEPS = 1000
"""Steps that can be undone."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a table.

    Attributes
    ----------
    row : int or None
        Counted from 0; None for the background words.
    text : str
        One line for people, in which rows are counted from 1.
    """

    row: int | None
    text: str


@dataclass(frozen=True)
class Pasted:
    """What came of a text with many names.

    Attributes
    ----------
    rows : range
        The new rows.
    known : tuple of str
        Names and synonyms that were left out, because they are in the table already.
    """

    rows: range
    known: tuple[str, ...]

    @property
    def words(self) -> str:
        """What was left out, in a line for people; empty if nothing was."""
        if not self.known:
            return ""
        shown = ", ".join(self.known[:_MOST_WORDS])
        more = len(self.known) - _MOST_WORDS
        end = f" and {more} more" if more > 0 else ""
        return f"Left out, because they are there already: {shown}{end}"


@dataclass(frozen=True)
class _State:
    rows: tuple[ClassEntry, ...] = ()
    background: tuple[str, ...] = ()
    number: int = 0


class ClassTable:
    """An editable list of classes.

    Every change but those that change nothing is one step of `undo`. Each class keeps
    its id, whatever is added, moved or removed around it, and the id of a removed class
    is not given to another one: labels that it has left somewhere keep their meaning.
    `replace` begins a list anew.

    What the user typed is kept as it is, right or wrong; `problems` says what is wrong.
    """

    def __init__(self) -> None:
        self._state = _State()
        self._past: list[_State] = []
        self._future: list[_State] = []
        self._merges = ""
        self._used: dict[int, set[int]] = {0: set()}

    @property
    def rows(self) -> tuple[ClassEntry, ...]:
        """The classes as written: names may be blank, colours are empty by default."""
        return self._state.rows

    @property
    def background(self) -> tuple[str, ...]:
        """Background words."""
        return self._state.background

    @property
    def number(self) -> int:
        """Of the list; another one after `replace`, which may give ids anew."""
        return self._state.number

    def __len__(self) -> int:
        return len(self._state.rows)

    def add(self, text: str, at: int | None = None) -> int:
        """Add a class, ``"car | automobile"`` with a synonym; return its row."""
        at = len(self) if at is None else at
        self._insert([_entry(text)], at)
        return at

    def remove(self, rows: Iterable[int]) -> None:
        """Remove classes."""
        gone = set(rows)
        self._change(rows=[e for i, e in enumerate(self.rows) if i not in gone])

    def move(self, rows: Iterable[int], to: int) -> range:
        """Move classes before the one in row ``to``; return their new rows."""
        chosen = sorted(set(rows))
        moved = [self.rows[i] for i in chosen]
        before = [e for i, e in enumerate(self.rows[:to]) if i not in chosen]
        after = [e for i, e in enumerate(self.rows[to:], to) if i not in chosen]
        self._change(rows=[*before, *moved, *after])
        return range(len(before), len(before) + len(moved))

    def rename(self, row: int, text: str) -> None:
        """Give a class another name; what follows after bars is added as synonyms."""
        new, old = _entry(text), self.rows[row]
        known = {_key(word) for word in old.synonyms}
        more = [word for word in new.synonyms if _key(word) not in known]
        self._set(row, replace(old, name=new.name, synonyms=(*old.synonyms, *more)))

    def set_synonyms(self, row: int, text: str) -> None:
        """Give a class other synonyms, separated by bars."""
        words = tuple(_words(text.split("|")))
        self._set(row, replace(self.rows[row], synonyms=words))

    def recolour(self, row: int, colour: str) -> None:
        """Give a class another colour; empty is that of its id.

        Raises
        ------
        ValueError
            If it is not ``"#rrggbb"``.
        """
        check_colour(colour, f"row {row + 1}")
        self._set(row, replace(self.rows[row], colour=colour))

    def set_threshold(self, row: int, threshold: float) -> None:
        """Give a class another threshold; 0 is none of its own.

        Raises
        ------
        ValueError
            If it is not from 0 to 1.
        """
        value = check_threshold(threshold, f"row {row + 1}")
        self._set(row, replace(self.rows[row], threshold=value))

    def set_background(self, words: Iterable[str]) -> None:
        """Set the background words; one change after the other is one step."""
        self._change(background=_words(words), merges="background")

    def paste(self, text: str, at: int | None = None) -> Pasted:
        """Add classes, one a line or separated by semicolons or tabs.

        Names and synonyms that are in the table already, or twice in the text, are left
        out. Letter case does not matter.
        """
        known = {_key(p) for entry in self.rows for p in entry.phrases}
        left_out, new = [], []
        for entry in _entries(text):
            fresh = []
            for phrase in entry.phrases:
                if _key(phrase) in known:
                    left_out.append(phrase)
                else:
                    known.add(_key(phrase))
                    fresh.append(phrase)
            if fresh and fresh[0] == entry.name:
                new.append(replace(entry, synonyms=tuple(fresh[1:])))
            else:
                # Synonyms without their class say nothing.
                known -= {_key(phrase) for phrase in fresh}
        at = len(self) if at is None else at
        self._insert(new, at)
        return Pasted(range(at, at + len(new)), tuple(left_out))

    def replace(
        self, classes: ClassSet | str, background: Iterable[str] | None = None
    ) -> None:
        """Begin another list.

        Parameters
        ----------
        classes : ClassSet or str
            A text is read as by `paste`, but nothing is left out.
        background : iterable of str, optional
            By default those of the set; a text leaves them as they are.
        """
        if isinstance(classes, ClassSet):
            entries: Sequence[ClassEntry] = classes.entries
            words = classes.background if background is None else background
        else:
            entries = _entries(classes)
            words = self.background if background is None else background
        number, used = len(self._used), set[int]()
        rows = self._with_ids(entries, used)
        self._used[number] = used
        self._change(rows=rows, background=_words(words), number=number)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step that was taken back."""
        return bool(self._future)

    def undo(self) -> None:
        """Take the last step back."""
        self._travel(self._past, self._future)

    def redo(self) -> None:
        """Do again what was taken back last."""
        self._travel(self._future, self._past)

    def problems(self) -> list[Problem]:
        """What is wrong, in the order of the rows; without any, there is a `class_set`.

        That a table is empty is no problem of a row.
        """
        found: list[Problem] = []
        seen: dict[str, int] = {}
        for row, entry in enumerate(self.rows):
            where = f"row {row + 1}"
            if not entry.name:
                text = f"{where}: the name is blank; write a word or remove the row"
                found.append(Problem(row, text))
            for phrase in filter(None, entry.phrases):
                first = seen.setdefault(_key(phrase), row)
                twice = sum(_key(p) == _key(phrase) for p in entry.phrases) > 1
                if first != row or twice:
                    other = "" if first == row else f" (also in row {first + 1})"
                    text = f"{where}: {phrase!r} is named twice{other}; once is enough"
                    found.append(Problem(row, text))
                    break
        words: set[str] = set()
        for word in self.background:
            row_of = seen.get(_key(word))
            if row_of is not None or _key(word) in words:
                other = "" if row_of is None else f" (also in row {row_of + 1})"
                text = f"background: {word!r} is named twice{other}; once is enough"
                found.append(Problem(None, text))
            words.add(_key(word))
        return found

    def class_set(self) -> ClassSet:
        """The classes as a run takes them.

        Raises
        ------
        ValueError
            If there are none, or something is wrong; names the row.
        """
        for problem in self.problems():
            raise ValueError(problem.text)
        return ClassSet(self.rows, self.background)

    def _insert(self, entries: Sequence[ClassEntry], at: int) -> None:
        if len(self) + len(entries) > MAX_CLASSES:
            raise ValueError(
                f"there would be {len(self) + len(entries):,} classes; a list holds at "
                f"most {MAX_CLASSES:,}"
            )
        new = self._with_ids(entries, self._used[self.number])
        self._change(rows=[*self.rows[:at], *new, *self.rows[at:]])

    @staticmethod
    def _with_ids(entries: Sequence[ClassEntry], used: set[int]) -> list[ClassEntry]:
        used |= {entry.id for entry in entries if entry.id is not None}
        free = (number for number in count(1) if number not in used)
        found = [e if e.id is not None else replace(e, id=next(free)) for e in entries]
        if any(entry.id is not None and entry.id > MAX_CLASSES for entry in found):
            raise ValueError(
                f"all {MAX_CLASSES:,} label values have been used in this list; save "
                "it and load it again to use those of removed classes"
            )
        used |= {entry.id for entry in found if entry.id is not None}
        return found

    def _set(self, row: int, entry: ClassEntry) -> None:
        self._change(rows=[*self.rows[:row], entry, *self.rows[row + 1 :]])

    def _change(
        self,
        *,
        rows: Sequence[ClassEntry] | None = None,
        background: Sequence[str] | None = None,
        number: int | None = None,
        merges: str = "",
    ) -> None:
        old = self._state
        new = _State(
            old.rows if rows is None else tuple(rows),
            old.background if background is None else tuple(background),
            old.number if number is None else number,
        )
        if new == old:
            return
        if not merges or merges != self._merges:
            self._past.append(old)
            del self._past[:-_MOST_STEPS]
        self._future.clear()
        self._state, self._merges = new, merges

    def _travel(self, here: list[_State], there: list[_State]) -> None:
        if here:
            there.append(self._state)
            self._state = here.pop()
            self._merges = ""


def many(text: str) -> bool:
    """Whether a text holds more than one name, separated as `ClassTable.paste` does."""
    return len(_entries(text)) > 1


def shown_colour(entry: ClassEntry) -> str:
    """Colour of a class: its own, or that of its id."""
    return entry.colour or default_colour((entry.id or 1) - 1)


def _words(words: Iterable[str]) -> list[str]:
    tidy = (" ".join(word.split()) for word in words)
    return [word for word in tidy if word]


def _entry(text: str) -> ClassEntry:
    name, *synonyms = text.split("|")
    return ClassEntry(" ".join(name.split()), tuple(_words(synonyms)))


def _entries(text: str) -> list[ClassEntry]:
    return [_entry(line) for line in _SEPARATORS.split(text) if line.strip()]


def _key(phrase: str) -> str:
    return phrase.casefold()
