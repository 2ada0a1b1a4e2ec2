"""The images of a folder of results: which are shown, and which comes next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QWidget

from ..batch.listing import Listed
from .folder_form import FolderForm
from .image_table import Row

if TYPE_CHECKING:
    from ..batch.sources import Sources

__all__ = ["FolderList"]


class FolderList(FolderForm):
    """Shows the images that are searched for.

    Attributes
    ----------
    folder : Path or None
    listed : list of Listed
        All images of the folder.
    number : int
        Which of them was opened last; -1 for none.
    moved : Path or None
        Where the images are, if they were moved.
    sources : Sources or None
        Finds them; None until one was opened.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folder: Path | None = None
        self.listed: list[Listed] = []
        self.number = -1
        self.moved: Path | None = None
        self.sources: Sources | None = None
        self.search.textChanged.connect(self.show_list)
        self.filter.currentIndexChanged.connect(self.show_list)

    def following(self, step: int, *, only_open: bool = False) -> int | None:
        """The next image of those that are shown, or the one before; None at the end.

        Parameters
        ----------
        step : {1, -1}
        only_open : bool
            Pass those that were reviewed, and failed, and begin again at the end. The
            first one is opened where there is no other.
        """
        shown = self.table.images.shown
        if not only_open:
            ahead = [n for n in shown if (n > self.number) == (step > 0)]
            ahead = [n for n in ahead if n != self.number]
            return ahead[0 if step > 0 else -1] if ahead else None
        still_open = [n for n in shown if n != self.number and self._is_open(n)]
        ahead = [n for n in still_open if n > self.number]
        found = [*ahead, *still_open, *(shown if self.number < 0 else [])]
        return found[0] if found else None

    def show_list(self, *_: Any) -> None:
        """Show the images that are searched for."""
        letters = self.search.text().strip().casefold()
        kind = self.filter.currentData()

        def wanted(row: Row) -> bool:
            if letters and letters not in row.name.casefold():
                return False
            failed, reviewed = row.state == "failed", "✓" in row.state
            return {
                "all": True,
                "open": not failed and not reviewed,
                "reviewed": reviewed,
                "edited": "edited" in row.state,
                "failed": failed,
            }[kind]

        self.table.images.show_only(wanted)
        self.table.choose(self.number)
        self.show_count()

    def show_count(self) -> None:
        """Say how many there are."""
        finished = [one for one in self.listed if not one.error]
        reviewed = sum(bool(one.reviewed) for one in finished)
        failed = len(self.listed) - len(finished)
        words = f"{reviewed:,} of {len(finished):,} reviewed"
        shown = len(self.table.images.shown)
        if shown < len(self.listed):
            words += f", {shown:,} shown"
        self.count.setText(words + (f", {failed:,} failed" if failed else ""))

    def _is_open(self, number: int) -> bool:
        listed = self.listed[number]
        return not listed.reviewed and not listed.error
