"""Labels corrected by clicks: prompts go to SAM in a thread, masks into a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QCloseEvent, QHideEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..classes import ClassSet
from ..edits import Edit
from ..image import RGBImage
from ..planes import Plane, Scope, take_target
from ..progress import Progress
from ..prompt_edits import commit, label_around
from ..prompt_engine import PromptEngine
from ..prompting import Found, Prompts, PromptSession
from .prompt_asker import PromptAsker
from .prompt_form import KEYS, PromptForm
from .prompt_layers import PromptLayers, place_in
from .review_session import write_edit
from .worker import Failure

__all__ = ["PromptPanel"]

_FOLLOW_MS = 150
"""A slider that moves is followed when it rests."""

_DRAW_MS = 100
"""Prompts are drawn with their mask, unless it takes longer: drawing takes longest."""


@dataclass(frozen=True, eq=False)
class _Commit:
    """An edit that was made, and what the pixels were before."""

    labels: Labels
    edit: Edit
    before: NDArray[Any]


class PromptPanel(QWidget):
    """Correct labels by clicks and boxes.

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
        self._image: Image | None = None
        self._scope = Scope()
        self._target: Labels | None = None
        self.apply: Callable[[Labels, Edit], None] = write_edit
        """Makes an edit of a Labels layer as one step of undo."""
        self.layers: PromptLayers | None = None
        self.session = PromptSession((0, 0))
        self.found: Found | None = None
        self._commit_wanted = False
        self._done: list[_Commit] = []
        self.form = form = PromptForm()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        self.asker = PromptAsker(engine, self)
        self.asker.encoding.connect(self._on_encoding)
        self.asker.answered.connect(self._on_answer)
        self.asker.cancelled.connect(self._on_cancelled)
        self._rest = _timer(self, _FOLLOW_MS, self._follow)
        self._draw = _timer(self, _DRAW_MS, self._show_prompts)
        form.toggle.clicked.connect(self._on_toggle)
        form.commit.clicked.connect(self.commit)
        form.undo.clicked.connect(self.undo)
        form.redo.clicked.connect(self.redo)
        form.clear.clicked.connect(self.clear)
        form.cancel.clicked.connect(self.cancel)
        form.classes.currentIndexChanged.connect(self._show_preview)
        form.show_classes(None)
        form.show_status("")
        self._show_possible()

    # What the widget tells the panel.

    def set_engine(self, engine: PromptEngine | None) -> None:
        """Set the model behind the prompts; what another one encoded is forgotten."""
        if engine is not self.asker.engine:
            self.asker.set_engine(engine)
            if self.active:
                self._ask()

    def set_image(self, layer: Image | None) -> None:
        """Set the image on which one clicks; on another one prompting ends."""
        if layer is not self._image:
            self.stop()
            self._image = layer

    def set_classes(self, classes: ClassSet | None) -> None:
        """Set the classes to choose from."""
        self.form.show_classes(classes)

    def set_scope(self, scope: Scope) -> None:
        """Set level, channels and contrast, as in the run that made the labels.

        Of ranges and window nothing is taken: one clicks where one looks.
        """
        scope = replace(scope, ranges=(), window=None)
        if scope != self._scope:
            self.stop()
            self._scope = scope

    def set_target(self, labels: Labels | None) -> None:
        """Set the layer that is committed into."""
        self._target = labels

    def remember(self, image: RGBImage, embedding: Any) -> None:
        """Keep an embedding of the engine's SAM that a run has made."""
        self.asker.remember(image, embedding)

    # Start and stop.

    @property
    def active(self) -> bool:
        """Whether prompts are being made."""
        return self.layers is not None

    def start(self) -> None:
        """Add the layers for prompts, and encode what is in sight."""
        if self.active:
            return
        image = self._image
        if image is None or image not in self._viewer.layers:
            self.form.show_active(False)
            self.form.show_status("There is no image to click on; open one first.")
            return
        plane = self._take(image)
        if plane is None:
            return
        self._begin(plane)
        self._viewer.layers.events.removed.connect(self._on_layer_removed)
        self._viewer.dims.events.connect(self._on_dims)
        image.events.data.connect(self._on_data)
        self._listens_to = image
        self.form.show_active(True)
        self.form.show_status("Click on an object.")
        if self.asker.engine is None:
            self.needs_model.emit()
        self._ask()

    def stop(self, why: str = "") -> None:
        """Take away the layers and keys; prompts that were not kept are lost."""
        if not self.active:
            return
        self.asker.cancel()
        self._rest.stop()
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._viewer.dims.events.disconnect(self._on_dims)
        self._listens_to.events.data.disconnect(self._on_data)
        self._end()
        self.asker.forget_pixels()
        self.form.show_active(False)
        self.form.show_busy(False)
        self.form.show_status(why)
        self._show_possible()

    def _take(self, image: Image) -> Plane | None:
        """What is shown of the image; None, and prompting ends, if it is no plane."""
        try:
            return take_target(self._viewer, image, self._scope).planes[0]
        except ValueError as error:
            self.stop()
            self.form.show_active(False)
            self.form.show_status(str(error))
            return None

    def _begin(self, plane: Plane) -> None:
        assert self._image is not None
        keys = dict(zip(KEYS, self._acts(), strict=True))
        self.layers = PromptLayers(self._viewer, self._image, plane, keys, self)
        self.layers.clicked.connect(self._on_click)
        self.layers.boxed.connect(self._on_box)
        self.layers.elsewhere.connect(self._on_elsewhere)
        self.layers.removed.connect(self._on_ours_removed)
        self.session = PromptSession(plane.shape)
        self._show_found(None)

    def _end(self) -> None:
        layers, self.layers = self.layers, None
        if layers is not None:
            layers.close()
            layers.deleteLater()
        self.session = PromptSession((0, 0))
        self.found, self._commit_wanted = None, False
        self._draw.stop()
        self._done.clear()

    def _acts(self) -> tuple[Callable[[], object], ...]:
        """What the keys do, in the order of `KEYS`."""
        return (
            *(self.commit, self.undo, self.redo, self.clear),
            *(self.form.negative.toggle, self.start_from_label),
            lambda: self.form.step_class(-1),
            lambda: self.form.step_class(1),
        )

    # Prompts.

    def undo(self) -> None:
        """Take back the last prompt; without one, the last commit."""
        if self.session.undo():
            self._changed()
        elif self._done:
            self._take_back(self._done.pop())
            self._show_possible()

    def _take_back(self, done: _Commit) -> None:
        """Give the pixels of a commit back what they had, but for later edits."""
        labels, edit = done.labels, done.edit
        if labels not in self._viewer.layers:
            return
        still = np.asarray(labels.data[edit.index]) == edit.values
        if not still.any():
            self.form.show_status(
                f"Nothing is left of the last commit into {labels.name}."
            )
            return
        index = tuple(part[still] for part in edit.index)
        self.apply(labels, Edit(index, done.before[still]))
        self.form.show_status(f"The last commit into {labels.name} is undone.")

    def redo(self) -> None:
        """Bring back a prompt that was taken back."""
        if self.session.redo():
            self._changed()

    def clear(self) -> None:
        """Take back all prompts."""
        if self.session.prompts:
            self.session.clear()
            self._changed()

    def cancel(self) -> None:
        """Stop encoding; the prompts stay."""
        if self.asker.busy:
            self.asker.cancel()
            self.form.cancel.setEnabled(False)
            self.form.show_status("Cancelling…")

    def start_from(self, mask: Any, *, top: int = 0, left: int = 0) -> None:
        """Improve the present pixels of a label or region.

        Parameters
        ----------
        mask : ndarray of bool
        top, left : int
            Where its first pixel is in the plane.
        """
        self._add(lambda: self.session.set_start(mask, top=top, left=left))

    def start_from_label(self) -> None:
        """Improve the connected pixels of one class under the pointer."""
        if self.layers is None:
            return
        try:
            labels, where = self._place()
            point = self.layers.at(self._viewer.cursor.position)
            if point is None:
                raise ValueError("The pointer is in another slice.")
            mask, top, left = label_around(labels.data, where, point)
        except ValueError as error:
            self.form.show_status(str(error))
            return
        self.start_from(mask, top=top, left=left)

    def _on_click(self, x: float, y: float, positive: bool) -> None:
        positive = positive != self.form.negative.isChecked()
        self._add(lambda: self.session.add_click(x, y, positive=positive))

    def _on_box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        height, width = self.session.shape
        x0, x1 = np.clip((x0, x1), 0, width)
        y0, y1 = np.clip((y0, y1), 0, height)
        self._add(lambda: self.session.set_box(x0, y0, x1, y1))
        # What was drawn while dragging goes if it was refused.
        self._show_prompts()

    def _add(self, act: Callable[[], None]) -> None:
        if not self.active:
            return
        first = not self.session.prompts
        try:
            act()
        except ValueError as error:
            self.form.show_status(str(error))
            return
        if first:
            # The array may have changed without any notice.
            self.asker.forget_pixels(only_cheap=True)
        self._changed()

    def _changed(self) -> None:
        self._commit_wanted = False
        self._ask()
        if self.asker.busy:
            self._draw.start()
        else:
            self._show_prompts()
        self._show_possible()

    def _show_prompts(self) -> None:
        self._draw.stop()
        if self.layers is not None:
            self.layers.show_prompts(self.session.prompts)

    # SAM.

    def _ask(self) -> None:
        """Have the mask of the present prompts made, in a thread."""
        layers, prompts = self.layers, self.session.prompts
        if layers is None:
            return
        if self.asker.engine is None:
            self.form.show_status("No model is loaded; run once, then click.")
            return
        if not prompts.complete:
            self._show_found(None)
            if prompts:
                self.form.show_status("Click on the object itself, too.")
        try:
            self.asker.ask(layers.plane, prompts, self._centre)
        except ValueError as error:
            self._show_found(None)
            self.form.show_status(str(error))

    def _centre(self) -> tuple[float, float]:
        assert self.layers is not None
        dims = self._viewer.dims
        camera = getattr(self._viewer, "scene", self._viewer).camera
        position = np.array(dims.point, float)
        position[list(dims.displayed[-2:])] = camera.center[-2:]
        height, width = self.session.shape
        return self.layers.at(position) or (width / 2, height / 2)

    def _on_encoding(self, progress: Progress) -> None:
        if self.active:
            self.form.show_busy(True, done=progress.done, total=progress.total)
            self.form.show_status("Encoding the image with SAM…")

    def _on_cancelled(self, plane: Plane) -> None:
        if self.layers is not None and self.layers.plane is plane:
            self._commit_wanted = False
            self.form.show_busy(False)
            self.form.show_status("Cancelled; click to encode again.")

    def _on_answer(
        self, plane: Plane, prompts: Prompts, answer: Found | Failure | None
    ) -> None:
        if self.layers is None or self.layers.plane is not plane:
            return
        encoded = not self.form.bar.isHidden()
        self.form.show_busy(False)
        if prompts != self.session.prompts:
            return
        self._show_prompts()
        if isinstance(answer, Failure):
            self._commit_wanted = False
            self._show_found(None)
            self.form.show_status(answer.message)
            return
        self._show_found(answer)
        if answer is not None:
            self.form.show_status(
                "" if answer.mask.any() else "SAM finds nothing there; add a click."
            )
        elif encoded and not prompts:
            self.form.show_status("Click on an object.")
        if self._commit_wanted:
            self.commit()

    def _show_found(self, found: Found | None) -> None:
        self.found = found
        self.form.show_score(None if found is None else found.score)
        self._show_preview()
        self._show_possible()

    def _show_preview(self) -> None:
        if self.layers is not None:
            self.layers.show_preview(self.found, self.form.colour)

    def _show_possible(self) -> None:
        self.form.show_possible(
            commit=bool(self.session.prompts),
            undo=self.session.can_undo or bool(self._done),
            redo=self.session.can_redo,
        )

    # The labels.

    def commit(self) -> None:
        """Give the pixels of the preview to the chosen class."""
        if self.layers is None or not self.session.prompts:
            return
        if self.asker.busy and not self.asker.cancelling:
            # What is on the way belongs to the last click.
            self._commit_wanted = True
            return
        self._commit_wanted = False
        found, value = self.found, self.form.class_id
        if found is None or value is None:
            self.form.show_status(
                "There is no mask yet; click on an object."
                if found is None
                else "There is no class yet; name one on the page Segment."
            )
            return
        overwrite = self.form.overwrite.isChecked()
        try:
            labels, where = self._place()
            edit = commit(found, labels.data, where, value, overwrite=overwrite)
            if edit is not None:
                before = np.asarray(labels.data[edit.index])
                self.apply(labels, edit)
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
        self._done.append(_Commit(labels, edit, before))
        self.session.begin_anew()
        self._show_prompts()
        self._show_found(None)
        count = len(edit.index[0])
        self.form.show_status(f"{count:,} px of {labels.name} are now {name}.")
        self.committed.emit(labels, edit)

    def _place(self) -> tuple[Labels, tuple[int | slice, ...]]:
        """The layer that is committed into, and where the plane lies in it."""
        labels = self._target
        if labels is None or labels not in self._viewer.layers:
            raise ValueError("There are no labels to correct; run once, then commit.")
        assert self.layers is not None
        return labels, place_in(labels, self.layers)

    # What happens around.

    def _on_toggle(self, checked: bool) -> None:
        if checked:
            self.start()
        else:
            self.stop()

    def _on_dims(self, event: Any = None) -> None:
        self._rest.start()

    def _follow(self) -> None:
        """Move to the slice that is shown, unless there are prompts on the last one."""
        layers, image = self.layers, self._image
        if layers is None or image is None:
            return
        plane = self._take(image)
        if plane is None or _where(plane) == _where(layers.plane):
            return
        if self.session.prompts:
            self.form.show_status(
                "The prompts are in another slice; go back, or click here to begin "
                "anew."
            )
            return
        self._move(plane)

    def _move(self, plane: Plane) -> None:
        done = list(self._done)
        was_active = self.layers is not None and self.layers.active
        active = self._viewer.layers.selection.active
        self.asker.cancel()
        self._end()
        self._done = done
        self._begin(plane)
        if not was_active and active in self._viewer.layers:
            self._viewer.layers.selection.active = active
        self._ask()

    def _on_elsewhere(self) -> None:
        """A click in another slice; napari is still busy with it."""
        QTimer.singleShot(0, self._begin_elsewhere)

    def _begin_elsewhere(self) -> None:
        if self.active and isalive(self) and self._image is not None:
            plane = self._take(self._image)
            if plane is not None:
                self._move(plane)
                self.form.show_status("Another slice: click on an object.")

    def _on_data(self, event: Any = None) -> None:
        """The pixels are other ones, and so is perhaps the array."""
        if self._image is None or self.layers is None:
            return
        plane = self._take(self._image)
        self.asker.forget_pixels()
        if plane is None:
            return
        if _where(plane) == _where(self.layers.plane):
            self.layers.plane = plane
            # An answer that is on the way is about the old pixels.
            if self.session.prompts:
                self._ask()
        else:
            self._move(plane)

    def _on_layer_removed(self, event: Any) -> None:
        if event.value is self._image:
            name, self._image = event.value.name, None
            self._stop_later(f"{name} was removed.")

    def _on_ours_removed(self) -> None:
        self._stop_later("A layer of the prompts was removed.")

    def _stop_later(self, why: str) -> None:
        # napari is in the middle of removing a layer.
        QTimer.singleShot(0, lambda: self.stop(why) if isalive(self) else None)

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


def _timer(parent: QWidget, milliseconds: int, act: Callable[[], None]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(act)
    return timer


def _where(plane: Plane) -> tuple[Any, ...]:
    """Planes of one image for which this is equal lie on each other."""
    return plane.at, plane.position, plane.shape
