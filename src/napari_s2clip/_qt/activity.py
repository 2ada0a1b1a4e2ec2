"""A run in napari's activity dock, in sight when our own dock is not."""

from __future__ import annotations

from napari.utils import progress

from ..progress import Progress

__all__ = ["Activity"]


class Activity:
    """One bar in the activity dock, from `begin` to `end`."""

    def __init__(self) -> None:
        self._bar: progress | None = None
        self._moving = False

    def begin(self, title: str) -> None:
        """Show an empty bar."""
        self.end()
        self._bar = progress(total=100, desc=title)

    def show(self, report: Progress) -> None:
        """Move the bar on; it never goes back."""
        # napari's bar turns the event loop, in which the next report may come.
        if self._bar is None or self._moving:
            return
        step = round(100 * report.overall) - self._bar.n
        if step > 0:
            self._moving = True
            try:
                self._bar.update(step)
            finally:
                self._moving = False

    def end(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
