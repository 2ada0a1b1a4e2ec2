"""Masks that were kept: written into labels, and taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from ..edits import Edit
from ..layers import apply_edit
from ..prompt_edits import commit
from ..prompting import Found

__all__ = ["Commits"]


@dataclass(frozen=True, eq=False)
class _Commit:
    """An edit that was made, and what the pixels were before."""

    labels: Labels
    edit: Edit
    before: NDArray[Any]


class Commits:
    """Edits of labels, each one step of their own undo; the last can be taken back."""

    def __init__(self) -> None:
        self._done: list[_Commit] = []

    def __len__(self) -> int:
        return len(self._done)

    def clear(self) -> None:
        """Forget them; the labels stay."""
        self._done.clear()

    def make(
        self,
        found: Found,
        labels: Labels,
        at: tuple[int | slice, ...],
        value: int,
        *,
        overwrite: bool,
    ) -> Edit | None:
        """Give the pixels of a mask to a class; see `commit` of `prompt_edits`."""
        edit = commit(found, labels.data, at, value, overwrite=overwrite)
        if edit is not None:
            before = np.asarray(labels.data[edit.index])
            apply_edit(labels, edit)
            self._done.append(_Commit(labels, edit, before))
        return edit

    def take_back(self, viewer: Any) -> str:
        """Take the last one back, but for later edits; a sentence on what was done."""
        if not self._done:
            return "There is nothing to undo."
        last = self._done.pop()
        labels, edit = last.labels, last.edit
        if labels not in viewer.layers:
            return f"{labels.name} was removed, and the last commit with it."
        back = edit.taken_back(last.before, np.asarray(labels.data[edit.index]))
        if not len(back):
            return f"Nothing is left of the last commit into {labels.name}."
        apply_edit(labels, back)
        return f"The last commit into {labels.name} is undone."
