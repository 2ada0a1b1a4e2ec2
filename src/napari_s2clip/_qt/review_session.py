"""A layer under review: keeps the decisions and the layer's own history in step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from napari.layers import Labels

from ..edits import Edit
from ..review import Known, Review
from ..review.history import Act

__all__ = ["Apply", "ReviewSession"]

Apply = Callable[[Labels, Edit], None]


class ReviewSession:
    """The review of one Labels layer.

    A decision is one step of the layer's own history. Undoing it here takes that very
    step back if it is the last; if somebody has painted since, it is a new step that
    leaves the painting. Undoing it there (Ctrl+Z on the canvas) is noticed by the
    pixels, because the layer has no event for it.

    Parameters
    ----------
    output : OutputSet
        See `ReviewBrowser.set_output`.
    apply : callable
        Takes a Labels layer and an `Edit`, which it writes as one step.
    known : dict, optional
        Decisions on the same image; see `Review.carry_over`.

    Raises
    ------
    ValueError
        If the regions cannot be reviewed; says why.
    """

    def __init__(self, output: Any, apply: Apply, known: Known | None = None) -> None:
        if output.owners is None:
            raise ValueError(
                "it is not known which region drew a pixel; segment the image again"
            )
        # Kept apart from the output, which may be another one next time.
        self.labels: Labels = output.refined
        self.has_coarse = output.regions is not None
        self._table = output.region_table
        self.current: int | None = None
        self.review = Review(
            output.region_table,
            output.owners if output.regions is None else output.regions.data,
            output.owners,
            output.refined.data,
            axes=getattr(output, "axes", (-2, -1)),
        )
        if known is not None:
            self.review.carry_over(known)
        self._apply = apply
        self._applying = False
        # What the layer's history holds as far as is known.
        self._steps: list[Act | Literal["painting", "undo"]] = []
        self._on_followed: Callable[[list[int]], object] = lambda regions: None
        self._on_lost: Callable[[str], object] = lambda text: None

    def shows(self, output: Any) -> bool:
        """Whether a result is the one under review, its names and colours aside."""
        if self.labels is not output.refined:
            return False
        first, second = (
            table.drop(columns="class_name")
            for table in (self._table, output.region_table)
        )
        return bool(first.equals(second))

    def attach(
        self,
        on_followed: Callable[[list[int]], object],
        on_lost: Callable[[str], object],
    ) -> None:
        """Follow the layer.

        Parameters
        ----------
        on_followed : callable
            Takes the regions whose decisions the layer's own history has changed.
        on_lost : callable
            Takes a sentence: the layer has become another one.
        """
        self._on_followed, self._on_lost = on_followed, on_lost
        events = self.labels.events
        events.set_data.connect(self.follow)
        events.paint.connect(self._on_paint)
        events.data.connect(self._on_data)
        self._on_data()

    def detach(self) -> None:
        """Follow the layer no longer."""
        events = self.labels.events
        events.set_data.disconnect(self.follow)
        events.paint.disconnect(self._on_paint)
        events.data.disconnect(self._on_data)

    def decide(self, act: Callable[[Review], Edit]) -> int:
        """Decide and write the edit; gives the number of pixels that changed."""
        edit = act(self.review)
        try:
            self._write(edit, self.review.last)
        except Exception:
            self.review.undo()
            raise
        return len(edit.index[0])

    def undo(self) -> int | None:
        """Take the last decision back: its region, if there was one."""
        self.follow()
        act = self.review.last
        if act is None:
            return None
        if self._steps and self._steps[-1] is act:
            self._steps.pop()
            with self._own_steps():
                self.labels.undo()
                if self.review.is_undone(act):
                    self.review.follow()
                    return act.region
                self.labels.redo()
        found = self.review.undo()
        assert found is not None
        self._write(found[1], "undo")
        return found[0]

    def redo(self) -> int | None:
        """Decide again as before undoing: the region, if there was one."""
        self.follow()
        found = self.review.redo()
        if found is None:
            return None
        self._write(found[1], self.review.last)
        return found[0]

    def follow(self, event: Any = None) -> None:
        """Keep step with the layer's own undo."""
        if self._applying:
            return
        acts = self.review.follow()
        for act in acts:
            if act in self._steps:
                del self._steps[self._steps.index(act) :]
            elif self._steps and self._steps[-1] == "undo":
                self._steps.pop()
            elif len(act.pixels):
                self._steps.append(act)
        if acts:
            self._on_followed([act.region for act in acts])

    def _write(self, edit: Edit, step: Act | Literal["undo"] | None) -> None:
        if len(edit.index[0]) and step is not None:
            with self._own_steps():
                self._apply(self.labels, edit)
            self._steps.append(step)

    @contextmanager
    def _own_steps(self) -> Iterator[None]:
        self._applying = True
        try:
            yield
        finally:
            self._applying = False

    def _on_paint(self, event: Any) -> None:
        if not self._applying:
            self._steps.append("painting")

    def _on_data(self, event: Any = None) -> None:
        """Somebody gave the layer another array; its history is of the old one."""
        if self.labels.data is self.review.labels:
            return
        self._steps.clear()
        try:
            self.review.labels = self.labels.data
        except ValueError as error:
            self._on_lost(f"{self.labels.name}: {error}.")
