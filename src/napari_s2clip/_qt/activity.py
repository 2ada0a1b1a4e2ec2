"""A run in napari's activity dock, in sight when our own dock is not."""

from __future__ import annotations

from napari.utils import progress

from ..progress import Progress

__all__ = ["Activity"]


class Activity:
    """One bar in the activity dock, from `begin` to `end`."""

    def __init__(self) -> None:
        self._bar: progress | None = None

    def begin(self, title: str) -> None:
        """Show an empty bar."""
        self.end()
        self._bar = progress(total=100, desc=title)

    def show(self, report: Progress) -> None:
        """Move the bar on; it never goes back."""
        if self._bar is not None:
            self._bar.update(max(0, round(100 * report.overall) - self._bar.n))

    def end(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
