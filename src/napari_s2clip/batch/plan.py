"""Which images of a job are still to do, and why others are not."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EXPECTED, sentence
from ..io.results import TEMPORARY, output_paths
from .edited import EditedError, Guard, refuse_edited, stamps_of
from .placed import half_placed, has_newer_maps

if TYPE_CHECKING:
    from ..progress import CancelToken
    from .inputs import Input
    from .journal import Journal

__all__ = ["Step", "plan", "refuse_inputs", "tidy"]


@dataclass(frozen=True)
class Step:
    """What is to be done with an image.

    Attributes
    ----------
    input : Input
    reason : str or None
        Why nothing is done; None where it is segmented.
    done : bool
        Whether that is because it was segmented before.
    kept : bool
        Whether that is because somebody has edited what is there.
    guard : Guard or None
        Of results that are there and would be replaced.
    """

    input: Input
    reason: str | None = None
    done: bool = False
    kept: bool = False
    guard: Guard | None = None


def plan(
    inputs: Sequence[Input],
    journal: Journal,
    *,
    overwrite: bool = False,
    again: bool = False,
    cancel: CancelToken | None = None,
) -> list[Step]:
    """What is to be done with each image.

    Parameters
    ----------
    inputs : sequence of Input
    journal : Journal
    overwrite : bool
        Replace results of other jobs, and files that no job wrote.
    again : bool
        Also do what equal jobs have finished.
    cancel : CancelToken, optional

    Raises
    ------
    ValueError
        If results would replace an input.
    Cancelled
    OSError
        If something in the folder cannot be read.
    """
    refuse_inputs(inputs, journal.out)
    steps = []
    for item in inputs:
        if cancel is not None:
            cancel.raise_if_cancelled()
        steps.append(_step(item, journal, overwrite or again, again))
    return steps


def refuse_inputs(inputs: Sequence[Input], out: Path) -> None:
    """Raise `ValueError` if results would replace an input."""
    places = {_place(item.path) for item in inputs}
    # To find out where a path leads takes long: once for each folder is enough.
    folders = {
        folder: (out / folder).resolve() for folder in {i.folder for i in inputs}
    }
    for item in inputs:
        for path in output_paths(folders[item.folder], item.stem):
            if str(path).casefold() in places:
                raise ValueError(
                    f"the results of {item.path} would replace the input {path}; "
                    "choose another folder"
                )


def tidy(out: Path, inputs: Sequence[Input], journal: Journal) -> None:
    """Remove what a program left in a folder that was killed while it wrote.

    What it has placed of an image is noted before, so that nobody takes it for edits.

    Raises
    ------
    OSError
        If the journal cannot be written.
    """
    for folder in {out / item.folder for item in inputs}:
        left = list(folder.glob(f"{TEMPORARY}*")) if folder.is_dir() else []
        for name in _unnoted_in(folder, journal) if left else ():
            with suppress(*EXPECTED):  # one that cannot be read is nobody's
                placed = half_placed(out, name)
                if placed:
                    journal.placed(name, placed)
        for path in left:
            shutil.rmtree(path, ignore_errors=True)


def _unnoted_in(folder: Path, journal: Journal) -> list[str]:
    """Images of which files may have been placed without being noted."""
    return [
        name
        for name, entry in journal.entries.items()
        if (journal.out / name).parent == folder
        # To read the maps of all others would take as long as many images do.
        if entry.get("event") != "done" or has_newer_maps(journal.out, name)
    ]


def _place(path: Path) -> str:
    return str(path.resolve()).casefold()


def _step(item: Input, journal: Journal, overwrite: bool, again: bool) -> Step:
    if journal.is_done(item) and not again:
        return Step(item, "it is done already", done=True)
    paths = output_paths(journal.out / item.folder, item.stem)
    there = [path for path in paths if path.exists()]
    if there and not overwrite:
        if not journal.is_ours(item):
            return Step(
                item,
                f"{item.path}: {there[0]} exists already; choose another folder or "
                "allow overwriting",
            )
        if not journal.is_of_this_job(item):
            return Step(
                item,
                f"{item.path}: there are results of other classes, models or settings; "
                "choose another folder or allow overwriting",
            )
    # First, so that whatever happens later is noticed.
    guard = Guard(
        journal.known_maps(item),
        stamps_of(journal.out, item),
        journal.is_finished(item),
    )
    try:
        refuse_edited(journal.out, item, guard.known)
    except EditedError as error:
        return Step(item, str(error), kept=True)
    except EXPECTED as error:
        return Step(item, f"{item.path}: {sentence(error)}")
    return Step(item, guard=guard)
