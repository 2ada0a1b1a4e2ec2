"""Review of regions: look at one after the other, and decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtGui import QHideEvent, QKeySequence, QShowEvent
from qtpy.QtWidgets import QWidget

from ..edits import Edit
from ..layers import apply_edit
from ..review import Review, Shape
from .canvas_keys import CanvasKeys, add_shortcut
from .review_browser import ReviewBrowser
from .review_keys import KEYS
from .review_session import Apply
from .review_words import SELECT, decided, not_fitting

__all__ = ["ReviewPanel"]


class ReviewPanel(ReviewBrowser):
    """Table of regions, and what can be done with the selected one.

    Keys work in the panel and on the canvas while the panel is shown.

    Parameters
    ----------
    viewer : Viewer
    apply : callable, optional
        Takes a Labels layer and an `Edit`, which it writes as one step.
    """

    def __init__(
        self,
        viewer: Any,
        apply: Apply = apply_edit,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(viewer, apply, parent)
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
        # A panel that is deleted is not always hidden before.
        self.destroyed.connect(lambda *_: keys.unbind())

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
            self.say(not_fitting(problems))
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
            self.say(SELECT)
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
        done = "" if following is not None else f" {self._none_open()}"
        self.say(f"{decided(region, words, pixels)}{done}")

    def _overwrites(self) -> bool:
        # What is preserved from painting is preserved from this too.
        kept = self._session is not None and self._session.labels.preserve_labels
        return self.overwrite.isChecked() and not kept

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not event.spontaneous():
            self._keys.bind()

    def hideEvent(self, event: QHideEvent) -> None:
        # A minimised window hides nothing.
        if not event.spontaneous():
            self._keys.unbind()
        super().hideEvent(event)


def _without_arguments(function: Callable[[], None]) -> Callable[..., None]:
    """For signals that say more than is wanted."""
    return lambda *_: function()
