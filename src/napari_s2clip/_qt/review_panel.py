"""Review of regions: look at one after the other, and decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from napari.layers import Labels
from qtpy.compat import isalive
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QKeySequence, QShowEvent
from qtpy.QtWidgets import QWidget

from ..classes import ClassSet
from ..edits import Edit
from ..review import Review, Shape
from .canvas_keys import CanvasKeys, add_shortcut
from .review_form import ReviewForm
from .review_keys import KEYS
from .review_session import Apply, ReviewSession, write_edit
from .review_spotlight import Spotlight

__all__ = ["ReviewPanel"]

_NOTHING: Final = "Segment an image first; its regions appear here."
_ALL_DONE: Final = "No region of this list is open."
_NOT_REFINED: Final = (
    "There is no refined layer to correct; segment with refinement switched on."
)
_SELECT: Final = f"Select a region, or press Next ({KEYS['next']})."


class ReviewPanel(ReviewForm):
    """Table of regions, and what can be done with the selected one.

    Keys work in the panel and on the canvas while the panel is shown.

    Parameters
    ----------
    viewer : Viewer
    apply : callable, optional
        Takes a Labels layer and an `Edit`, which it writes as one step.
    """

    changed = Signal()
    """Something was decided, undone or restored."""

    def __init__(
        self,
        viewer: Any,
        apply: Apply = write_edit,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._apply = apply
        self._session: ReviewSession | None = None
        self._sessions: dict[Labels, ReviewSession] = {}
        self._classes: ClassSet | None = None
        self._choosing = False
        self._spotlight = Spotlight(viewer)
        acts: dict[str, Callable[[], None]] = {
            "accept": self.accept,
            "reject": self.reject,
            "reassign": self.reassign,
            "coarse": lambda: self.take_shape("coarse"),
            "refined": lambda: self.take_shape("refined"),
            "undo": self.undo,
            "redo": self.redo,
            "next": self.next,
        }
        keys = self._keys = CanvasKeys(viewer, {KEYS[act]: acts[act] for act in acts})
        for act, function in acts.items():
            self.buttons[act].clicked.connect(_without_arguments(function))
            add_shortcut(self, KEYS[act], function)
        add_shortcut(self, QKeySequence.StandardKey.Undo, self.undo)
        add_shortcut(self, QKeySequence.StandardKey.Redo, self.redo)
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self.table.regions.modelReset.connect(self._on_reset)
        self.class_filter.currentIndexChanged.connect(self._on_filter)
        self.open_only.toggled.connect(self._on_filter)
        self.min_area.valueChanged.connect(self._on_filter)
        viewer.layers.events.removed.connect(self._on_removed)
        # A panel that is deleted is not always hidden before.
        frame = self._spotlight
        self.destroyed.connect(lambda *_: keys.unbind())
        self.destroyed.connect(lambda *_: frame.clear())
        self._leave(_NOTHING)

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
        after a new run they stay with regions that are the same.

        Parameters
        ----------
        output : OutputSet or None
            With ``coarse``, ``regions`` and ``refined`` (Labels layers or None),
            ``owners``, ``region_table``, ``classes`` and, if they are not the last two,
            the ``axes`` of rows and columns.
        """
        before = self._session
        if output is None or output.refined is None:
            self._leave(_NOTHING if output is None else _NOT_REFINED)
            return
        labels = output.refined
        session = self._sessions.get(labels)
        if session is None or not session.shows(output):
            if session is None and before is not None and before.same_image(labels):
                session = before
            try:
                session = ReviewSession(output, self._apply, session)
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
        self._session = self._sessions[labels] = session
        self.set_classes(output.classes)
        self.say(_SELECT if len(session.review) else "There is no region to review.")
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

    def state(self) -> dict[str, Any]:
        """The decisions as plain data; empty without a result."""
        return {} if self.review is None else self.review.to_dict()

    def restore(self, data: dict[str, Any]) -> list[str]:
        """Take over decisions that `state` gave; a sentence for each that does not fit.

        Raises
        ------
        ValueError
            If the data are damaged.
        """
        if not data:
            return []
        if self.review is None:
            return ["There are no regions to which the review could belong."]
        problems = self.review.restore(data)
        self._after()
        if problems:
            count = len(problems)
            self.say(
                f"{count} decision{'' if count == 1 else 's'} did not fit. "
                f"{problems[0]}"
            )
        return problems

    def accept(self) -> None:
        """The region is right."""
        self._decide(lambda review, region: review.accept(region), "accepted")

    def reject(self) -> None:
        """The region becomes background."""
        self._decide(lambda review, region: review.reject(region), "rejected")

    def reassign(self) -> None:
        """The region gets the class that is chosen."""
        value = self.class_box.currentData()
        if value is not None:
            name = self.class_box.currentText()
            self._decide(
                lambda review, region: review.reassign(region, int(value)),
                f"is {name} now",
            )

    def take_shape(self, shape: Shape) -> None:
        """The region gets its coarse or refined pixels."""
        if shape == "coarse" and not self.buttons["coarse"].isEnabled():
            return

        def take(review: Review, region: int) -> Edit:
            return review.take_shape(region, shape, overwrite=self._overwrites())

        self._decide(take, f"has its {shape} shape")

    def next(self) -> None:
        """Go to the next region that is open."""
        if self._session is None:
            return
        region = self.table.regions.next_open(self.current)
        if region is None and self.current is not None:
            state = self._session.review.state(self.current)
            region = self.current if state.status == "open" else None
        if region is None:
            self.say(_ALL_DONE)
        else:
            self._choose(region)

    def undo(self) -> None:
        """Take the last decision back."""
        region = self._session.undo() if self._session else None
        if region is not None:
            self._after(region)
            self.say(f"Undone: region {region}.")

    def redo(self) -> None:
        """Decide again as before undoing."""
        region = self._session.redo() if self._session else None
        if region is not None:
            self._after(region)
            self.say(f"Done again: region {region}.")

    def _decide(self, act: Callable[[Review, int], Edit], words: str) -> None:
        session = self._session
        if session is None:
            return
        session.follow()
        region = session.current
        if region is None:
            self.say(_SELECT)
            return
        # Where the region was in the list, which it may be about to leave.
        following = self.table.regions.next_open(region)
        try:
            pixels = session.decide(lambda review: act(review, region))
        except ValueError as error:
            text = str(error)
            self.say(f"{text[0].upper()}{text[1:]}.")
            return
        self._after(region if following is None else following)
        done = "" if following is not None else f" {_ALL_DONE}"
        plural = "" if pixels == 1 else "s"
        self.say(f"Region {region} {words}: {pixels:,} pixel{plural} changed.{done}")

    def _overwrites(self) -> bool:
        # What is preserved from painting is preserved from this too.
        kept = self._session is not None and self._session.labels.preserve_labels
        return self.overwrite.isChecked() and not kept

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
        self._sessions.pop(layer, None)
        if self._session is None or self._session.labels is not layer:
            return
        if isalive(self):
            self._leave(
                f"The layer {layer.name} was removed; segment the image again to "
                "review its regions."
            )

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
            self._keys.bind()
            if self._session is not None:
                self._session.follow()
            self._light(move=False)

    def hideEvent(self, event: QHideEvent) -> None:
        # A minimised window hides nothing.
        if not event.spontaneous():
            self._keys.unbind()
            self._spotlight.clear()
        super().hideEvent(event)


def _without_arguments(function: Callable[[], None]) -> Callable[..., None]:
    """For signals that say more than is wanted."""
    return lambda *_: function()
