"""Looking at regions one after the other; deciding is left to the panel."""

from __future__ import annotations

from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QWidget

from ..classes import ClassSet
from ..review import Review
from .review_form import ReviewForm
from .review_results import ReviewResults
from .review_session import Apply, ReviewSession
from .review_spotlight import Spotlight
from .review_words import NOT_REFINED, NOTHING, SELECT, none_open, removed

__all__ = ["ReviewBrowser"]


class ReviewBrowser(ReviewForm):
    """Shows the regions of a result: the list, and the selected one on the canvas.

    Parameters
    ----------
    viewer : Viewer
    apply : callable
        Takes a Labels layer and an `Edit`, which it writes as one step.
    """

    changed = Signal()
    """Something was decided, undone or restored."""

    def __init__(
        self, viewer: Any, apply: Apply, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._results = ReviewResults(apply)
        self._session: ReviewSession | None = None
        self._classes: ClassSet | None = None
        self._choosing = False
        frame = self._spotlight = Spotlight(viewer)
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self.table.regions.modelReset.connect(self._on_reset)
        self.class_filter.currentIndexChanged.connect(self._on_filter)
        self.open_only.toggled.connect(self._on_filter)
        self.min_area.valueChanged.connect(self._on_filter)
        viewer.layers.events.removed.connect(self._on_removed)
        # A panel that is deleted is not always hidden before.
        self.destroyed.connect(lambda *_: frame.clear())
        self._leave(NOTHING)

    @property
    def review(self) -> Review | None:
        """The decisions on the layer that is shown, if there is one."""
        return self._session.review if self._session else None

    @property
    def current(self) -> int | None:
        """Id of the region that is selected."""
        return self._session.current if self._session else None

    def set_output(self, output: Any) -> None:
        """Review another result, or none.

        Decisions on a layer that was here before come back with what can be undone;
        after a new run they stay with regions that are the same, see `ReviewResults`.

        Parameters
        ----------
        output : OutputSet or None
            With ``coarse``, ``regions`` and ``refined`` (Labels layers or None),
            ``owners``, ``region_table``, ``classes`` and, if they are not the last two,
            the ``axes`` of rows and columns.
        """
        before = self._session
        if output is None or output.refined is None:
            self._leave(NOTHING if output is None else NOT_REFINED)
            return
        try:
            session = self._results.session(output)
        except ValueError as error:
            self._leave(f"These regions cannot be reviewed: {error}.")
            return
        if session is before:
            # The frame on the canvas and the selected row may stay.
            if output.classes != self._classes:
                self.set_classes(output.classes)
            session.follow()
            self._show_progress()
            return
        self._leave("")
        self._session = session
        self.set_classes(output.classes)
        if session.current is None:
            self.say(SELECT if len(session.review) else self._none_open())
        session.attach(self._on_followed, self._leave)
        session.follow()
        self._show_progress()

    def set_classes(self, classes: ClassSet) -> None:
        """Follow new names and colours."""
        self._classes = classes
        has_background = bool(
            self.review is not None and (self.review.classes() == 0).any()
        )
        self.show_classes(classes, background=has_background)
        self.table.regions.set_review(self.review, classes)
        self._on_filter()

    def next(self) -> None:
        """Go to the next region that is open."""
        if self._session is None:
            return
        region = self.table.regions.next_open(self.current)
        if region is not None:
            self._choose(region)
        elif self.current is not None and self._is_open(self.current):
            self._choose(self.current)
            self.say(f"Region {self.current} is the last open one of this list.")
        else:
            self.say(self._none_open())

    def _is_open(self, region: int) -> bool:
        return self.review is not None and self.review.state(region).status == "open"

    def _none_open(self) -> str:
        review = self.review
        assert review is not None
        total, shown = len(review), self.table.regions.rowCount()
        return none_open(total, total - review.reviewed, shown)

    def _after(self, region: int | None = None) -> None:
        """Decisions have changed; go to a region."""
        self.table.regions.update()
        self._show_progress()
        if region is not None:
            self._choose(region)
        self.changed.emit()

    def _on_followed(self, regions: list[int]) -> None:
        if isalive(self):
            self._after()
            self.say(f"Followed the layer's own undo: region {regions[0]}.")

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        self._results.forget(layer)
        if self._session is None or self._session.labels is not layer:
            return
        if isalive(self):
            self._leave(removed(layer.name))

    def _on_filter(self, *_: Any) -> None:
        self.table.regions.set_filter(
            class_id=self.class_filter.currentData(),
            status="open" if self.open_only.isChecked() else None,
            min_area=self.min_area.value(),
        )

    def _on_reset(self) -> None:
        """Rows have moved; the region stays selected if it is still there."""
        self._choose(self.current, move=False)

    def _on_selection(self, *_: Any) -> None:
        if not self._choosing:
            self._select(self.table.current())

    def _choose(self, region: int | None, *, move: bool = True) -> None:
        self._choosing = True
        self.table.choose(region)
        self._choosing = False
        self._select(self.table.current(), move=move)

    def _select(self, region: int | None, *, move: bool = True) -> None:
        if self._session is not None:
            if region != self._session.current:
                self.say("")  # it was about another region
            self._session.current = region
        self._light(move=move)
        self._enable()

    def _light(self, *, move: bool) -> None:
        session = self._session
        if session is None or session.current is None or not self.isVisible():
            self._spotlight.clear()
            return
        review, region = session.review, session.current
        position = review.positions[review.row(region)]
        self._spotlight.show(
            *(session.labels, position, review.box(region), review.axes),
            move=move,
        )

    def _enable(self) -> None:
        session = self._session
        region = self.current
        can = dict.fromkeys(self.buttons, region is not None)
        for act in ("undo", "redo", "next"):
            can[act] = False
        if session is not None:
            review = session.review
            can["undo"], can["redo"] = review.last is not None, review.can_redo
            can["next"] = len(review) > 0
            if region is not None:
                can["accept"] = review.state(region).status != "rejected"
                can["coarse"] = session.has_coarse
        for act, possible in can.items():
            self.buttons[act].setEnabled(possible)

    def _show_progress(self) -> None:
        review = self.review
        if review is None:
            self.show_progress(0, 0)
        else:
            self.show_progress(review.reviewed, len(review))
        self._enable()

    def _leave(self, text: str) -> None:
        """Review nothing, and say why."""
        if self._session is not None:
            self._session.detach()
        self._session = None
        self._spotlight.clear()
        self.table.regions.set_review(None, self._classes)
        self._show_progress()
        self.say(text)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not event.spontaneous():
            if self._session is not None:
                self._session.follow()
            self._light(move=False)

    def hideEvent(self, event: QHideEvent) -> None:
        # A minimised window hides nothing.
        if not event.spontaneous():
            self._spotlight.clear()
        super().hideEvent(event)
