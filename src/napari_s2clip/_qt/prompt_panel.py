"""The page Correct: labels corrected by clicks and boxes, which SAM answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Labels
from qtpy.QtCore import QEvent, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QCloseEvent, QHideEvent, QKeySequence
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..classes import ClassSet
from ..image import RGBImage
from ..planes import Scope
from ..progress import Progress
from ..prompt_edits import label_around
from ..prompt_engine import PromptEngine
from .canvas_keys import CanvasKeys, add_shortcut
from .prompt_commits import Commits
from .prompt_form import PromptForm
from .prompt_keys import KEYS, REDO, UNDO
from .prompt_layers import PromptLayers
from .prompt_view import PromptView
from .prompted_object import PromptedObject

__all__ = ["PromptPanel"]


class PromptPanel(QWidget):
    """Correct labels by clicks and boxes.

    Keys work in the panel and on the canvas while prompts are being made.

    Parameters
    ----------
    viewer : napari.Viewer
    engine : PromptEngine, optional
        See `set_engine`.
    """

    committed = Signal(object, object)
    """The Labels layer and the `Edit` that was made."""
    needs_model = Signal()
    """Somebody starts and there is no engine; see `set_engine`."""

    def __init__(
        self,
        viewer: Any,
        engine: PromptEngine | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._target: Labels | None = None
        self._commits = Commits()
        self._commit_wanted = False
        self.form = form = PromptForm()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        self.prompted = PromptedObject(viewer, engine, self)
        self.prompted.keys = {UNDO: self.undo, REDO: self.redo}
        self._view = PromptView(viewer, self.prompted, self)
        acts: dict[str, Callable[[], object]] = {
            "commit": self.commit,
            "undo": self.undo,
            "redo": self.redo,
            "clear": self.clear,
            "outside": form.negative.toggle,
            "improve": self.start_from_label,
            "previous": lambda: form.classes.step(-1),
            "next": lambda: form.classes.step(1),
        }
        keys = {KEYS[act]: function for act, function in acts.items()}
        on_canvas = self._keys = CanvasKeys(viewer, keys)
        # A panel that is deleted is not always hidden before.
        self.destroyed.connect(lambda *_: on_canvas.unbind())
        self._shortcuts = [
            add_shortcut(self, key, function)
            for key, function in (
                *keys.items(),
                (QKeySequence.StandardKey.Undo, self.undo),
                (QKeySequence.StandardKey.Redo, self.redo),
            )
        ]
        self._connect()
        form.show_classes(None)
        form.show_status("")
        self._show_active(False)

    def _connect(self) -> None:
        form, prompted = self.form, self.prompted
        form.toggle.clicked.connect(self._on_toggle)
        form.commit.clicked.connect(self.commit)
        form.undo.clicked.connect(self.undo)
        form.redo.clicked.connect(self.redo)
        form.clear.clicked.connect(self.clear)
        form.cancel.clicked.connect(self.cancel)
        form.classes.currentIndexChanged.connect(self._show_colour)
        prompted.clicked.connect(self._on_click)
        prompted.said.connect(form.show_status)
        prompted.encoding.connect(self._on_encoding)
        prompted.prompts_changed.connect(self._on_prompts)
        prompted.found_changed.connect(self._on_found)
        prompted.answered.connect(self._on_answered)
        self._view.stopped.connect(self._on_stopped)
        self._view.turned.connect(self._show_view)

    # What the widget tells the panel.

    def set_engine(self, engine: PromptEngine | None) -> None:
        """Set the model behind the prompts; what another one encoded is forgotten."""
        asker = self.prompted.asker
        if engine is not asker.engine:
            asker.set_engine(engine)
            self.prompted.ask()

    def set_image(self, layer: Image | None) -> None:
        """Set the image on which one clicks; on another one prompting ends."""
        self._view.set_image(layer)

    def set_classes(self, classes: ClassSet | None) -> None:
        """Set the classes to choose from."""
        self.form.show_classes(classes)
        self._show_colour()

    def set_scope(self, scope: Scope) -> None:
        """Set level, channels and contrast, as in the run that made the labels.

        Of ranges and window nothing is taken: one clicks where one looks.
        """
        self._view.set_scope(scope)

    def set_target(self, labels: Labels | None) -> None:
        """Set the layer that is committed into."""
        self._target = labels

    def remember(self, image: RGBImage, embedding: Any) -> None:
        """Keep an embedding of the engine's SAM that a run has made."""
        self.prompted.asker.remember(image, embedding)

    # Start and stop.

    @property
    def layers(self) -> PromptLayers | None:
        """Those on which prompts are made; None while there are none."""
        return self.prompted.layers

    @property
    def active(self) -> bool:
        """Whether prompts are being made."""
        return self._view.active

    def start(self) -> None:
        """Add the layers for prompts, take the keys, and encode what is in sight."""
        if self.active:
            return
        if not self._view.start():
            self.form.show_active(False)
            return
        self._keys.bind()
        self._show_active(True)
        self.form.show_status("Click on an object.")
        if self.prompted.asker.engine is None:
            self.needs_model.emit()
        self.prompted.ask()

    def stop(self, why: str = "") -> None:
        """Take away the layers and keys; prompts that were not kept are lost."""
        self._view.stop(why)

    def _on_stopped(self, why: str) -> None:
        self._keys.unbind()
        self._commits.clear()
        self._show_active(False)
        self.form.show_status(why)

    # Prompts.

    def undo(self) -> None:
        """Take back the last prompt; without one, the last commit."""
        if self.active and not self.prompted.undo():
            self.form.show_status(self._commits.take_back(self._viewer))
            self._show_possible()

    def redo(self) -> None:
        """Bring back a prompt that was taken back."""
        if self.active and not self.prompted.redo():
            self.form.show_status("There is no prompt to bring back.")

    def clear(self) -> None:
        """Take back all prompts."""
        self.prompted.clear()

    def cancel(self) -> None:
        """Stop encoding; the prompts stay."""
        if self.prompted.cancel():
            self.form.cancel.setEnabled(False)
            self.form.show_status("Cancelling…")

    def start_from_label(self) -> None:
        """Improve the connected pixels of one class under the pointer."""
        if self.layers is None or not self._view.flat:
            return
        try:
            labels, where = self._place(self.layers)
            point = self.layers.places.at(self._viewer.cursor.position)
            if point is None:
                raise ValueError("The pointer is in another slice.")
            mask, top, left = label_around(labels.data, where, point)
        except ValueError as error:
            self.form.show_status(str(error))
            return
        self.prompted.start_from(mask, top=top, left=left)

    def commit(self) -> None:
        """Give the pixels of the preview to the chosen class."""
        prompted = self.prompted
        if self.layers is None or not prompted.session.prompts:
            return
        if prompted.asker.busy and not prompted.asker.cancelling:
            # What is on the way belongs to the last click.
            self._commit_wanted = True
            return
        self._commit_wanted = False
        found, value = prompted.found, self.form.classes.value
        if found is None or value is None:
            self.form.show_status(
                "There is no mask yet; click on an object."
                if found is None
                else "There is no class yet; name one on the page Segment."
            )
            return
        overwrite = self.form.overwrite.isChecked()
        try:
            labels, where = self._place(self.layers)
            edit = self._commits.make(found, labels, where, value, overwrite=overwrite)
        except (ValueError, OSError) as error:
            self.form.show_status(str(error))
            return
        name = self.form.classes.currentText()
        if edit is None:
            self.form.show_status(
                f"Nothing to change: all pixels are {name} already."
                if overwrite or not value
                else "Nothing to change: all pixels have a class; tick “Take from "
                f"other classes” to make them {name}."
            )
            return
        prompted.begin_anew()
        self.form.show_status(f"{len(edit):,} px of {labels.name} are now {name}.")
        self.committed.emit(labels, edit)

    def _place(self, layers: PromptLayers) -> tuple[Labels, tuple[int | slice, ...]]:
        """The layer that is committed into, and where the plane lies in it."""
        labels = self._target
        if labels is None or labels not in self._viewer.layers:
            raise ValueError("There are no labels to correct; run once, then commit.")
        return labels, layers.places.place_in(labels)

    def _on_click(self, x: float, y: float, positive: bool) -> None:
        positive = positive != self.form.negative.isChecked()
        self.prompted.add_click(x, y, positive=positive)

    # What is shown.

    def _on_encoding(self, progress: Progress | None) -> None:
        if progress is None:
            self.form.show_busy(False)
        else:
            self.form.show_busy(True, done=progress.done, total=progress.total)

    def _on_prompts(self) -> None:
        self._commit_wanted = False
        self._show_possible()

    def _on_found(self) -> None:
        found = self.prompted.found
        self.form.show_score(None if found is None else found.score)
        self._show_possible()

    def _on_answered(self, there: bool) -> None:
        if not there:
            self._commit_wanted = False
        elif self._commit_wanted:
            self.commit()

    def _show_active(self, active: bool) -> None:
        self._commit_wanted = False
        for shortcut in self._shortcuts:
            shortcut.setEnabled(active)
        self.form.show_active(active)
        self._show_view()
        self._show_possible()

    def _show_view(self) -> None:
        self.form.show_in_3d(self.active and not self._view.flat)

    def _show_colour(self) -> None:
        self.prompted.set_colour(self.form.colour)

    def _show_possible(self) -> None:
        session = self.prompted.session
        self.form.show_possible(
            commit=bool(session.prompts),
            undo=session.can_undo or bool(self._commits),
            redo=session.can_redo,
        )

    # What happens around.

    def _on_toggle(self, checked: bool) -> None:
        if checked:
            self.start()
        else:
            self.stop()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop when another page is shown, not when the window is minimised."""
        if not event.spontaneous():
            self.stop()
        super().hideEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop when the panel is closed."""
        self.stop()
        super().closeEvent(event)

    def event(self, event: QEvent) -> bool:
        """Stop when the panel is taken out of its dock."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.stop()
        return super().event(event)
