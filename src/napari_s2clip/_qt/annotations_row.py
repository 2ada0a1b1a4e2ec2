"""A button that saves the annotations of an image, and the way back to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QWidget,
)

from ..io.annotations import Annotations
from ..io.find_sidecar import Found
from ..io.sidecar import SidecarChanged
from ..layers import collect_annotations, restore_layers
from .annotation_jobs import (
    Job,
    Picture,
    Saved,
    chosen_folder,
    load,
    look_up,
    save,
    still,
)
from .annotations_form import AnnotationsForm
from .annotations_known import Known, day
from .annotations_watch import AnnotationsWatch
from .job_queue import JobQueue

__all__ = ["AnnotationsRow"]

_DELAY = 3000  # milliseconds after the last change before it is saved by itself
_PATIENCE = 60.0  # seconds that a window waits for a thread that is still saving


class AnnotationsRow(AnnotationsForm):
    """Save and restore what was made of the chosen image.

    Annotations that are beside an image are restored when it is chosen, unless there
    are label layers of it already; then a button offers it. Once the user has saved,
    changes are saved some seconds after the last one and when the window closes, which
    a plugin cannot stop.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    parent : QWidget, optional

    Attributes
    ----------
    collect : callable
        Gives the `Annotations` of an Image layer. By default those of its layers, with
        nothing of the panels.
    """

    restored = Signal(object)
    """`Annotations` were read and their layers made: classes and review follow."""

    saved = Signal(object)
    """The folder in which annotations were saved."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.collect: Callable[[Image], Annotations] = self._collect_layers
        self._layer: Image | None = None
        self._known: WeakKeyDictionary[Image, Known] = WeakKeyDictionary()
        self._jobs = JobQueue(self)
        self._watch = AnnotationsWatch(viewer, self)
        self._restoring = False

        self.button.clicked.connect(self.save)
        self.restore_button.clicked.connect(self.restore)
        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.setInterval(_DELAY)
        self.timer.timeout.connect(self._save_by_itself)
        self._jobs.changed.connect(self._show)
        self._watch.edited.connect(self.mark_unsaved)
        self._watch.listed.connect(self._on_listed)
        self._watch.removing.connect(self._save_pending)
        self._watch.closing.connect(self.flush)
        self._show()

    # ------------------------------------------------------------------- state

    @property
    def busy(self) -> bool:
        """Whether a thread is at work."""
        return self._jobs.busy

    @property
    def unsaved(self) -> bool:
        """Whether something of the chosen image is not saved."""
        known = self._current
        return known is not None and known.unsaved

    @property
    def _current(self) -> Known | None:
        return None if self._layer is None else self._known.get(self._layer)

    def set_layer(self, layer: Image | None) -> None:
        """Another image was chosen, or none.

        What is not saved of the one before is saved first, if it is saved by itself;
        so call this before the panels show the new one.
        """
        if layer is self._layer:
            return
        self._save_pending()
        self._layer = layer
        if layer is not None and layer not in self._known:
            known = self._known[layer] = Known()
            picture = Picture.of(layer)
            if picture.path:
                self._jobs.start(
                    lambda: look_up(picture), lambda job: self._on_found(layer, job)
                )
            known.unsaved = bool(self._watch.labels_of(layer))
        elif layer is not None:
            self._offer(layer)
        self._watch.follow(layer)
        self._watch.follow_window(self)
        self._show()

    def mark_unsaved(self) -> None:
        """Something else than labels has changed: classes, or the review."""
        known = self._current
        if known is None or self._restoring:
            return
        known.unsaved = True
        if known.saved:
            self.timer.start()
        self._show()

    # -------------------------------------------------------------------- save

    def save(self) -> None:
        """Save the annotations of the chosen image, in a thread."""
        layer, known = self._layer, self._current
        if layer is None or known is None:
            return
        if known.folder is None:
            parent = QFileDialog.getExistingDirectory(
                self, "Folder for the annotations"
            )
            if not parent:
                return
            known.folder = chosen_folder(parent, str(layer.name))
        self._save(layer, known)

    def flush(self) -> None:
        """Save now what is saved by itself, and wait for it; the window closes."""
        waits = self.timer.isActive()
        self.timer.stop()
        if not self._jobs.finish(_PATIENCE):
            return
        layer, known = self._layer, self._current
        if layer is None or known is None or not waits:
            return
        if known.saved and layer in self._viewer.layers:
            self._save(layer, known)
            self._jobs.finish(_PATIENCE)

    def _save_by_itself(self) -> None:
        layer, known = self._layer, self._current
        if layer is None or known is None or not known.saved:
            return
        if layer in self._viewer.layers:
            self._save(layer, known)

    def _save(self, layer: Image, known: Known) -> None:
        self.timer.stop()
        folder = known.folder
        assert folder is not None
        try:
            annotations = still(self.collect(layer))
        except ValueError as error:
            self._fail(known, error)
            return
        picture = Picture.of(layer)
        # What changes from here on is not in the copies.
        known.unsaved, known.saved = False, True
        self._say(known, "Saving…")
        self._jobs.start(
            lambda: save(annotations, picture, folder, known.state),
            lambda job: self._on_saved(known, job),
        )

    def _on_saved(self, known: Known, job: Job) -> None:
        if job.error is None:
            done: Saved = job.value
            known.folder, known.state = done.folder, done.state
            known.header = None
            now = datetime.now()
            self._say(known, f"Saved {now:%H:%M} to {done.folder.name}", done.folder)
            self.saved.emit(done.folder)
            return
        known.unsaved, known.saved = True, False
        if isinstance(job.error, SidecarChanged):
            # Whoever presses the button again means it.
            known.state = None
            self._fail(known, job.error, "; save again to replace them")
        else:
            self._fail(known, job.error)

    # ----------------------------------------------------------------- restore

    def restore(self) -> None:
        """Bring back the annotations that were found, as layers of their own."""
        layer, known = self._layer, self._current
        if layer is None or known is None or known.header is None:
            return
        self._load(layer, known)

    def _on_found(self, layer: Image, job: Job) -> None:
        known = self._known[layer]
        if job.error is not None:
            self._fail(known, job.error)
            return
        found: Found = job.value
        known.folder, known.header = found.folder, found.header
        known.changed = found.changed
        if found.notes:
            known.text = "; ".join(found.notes)
        if layer is self._layer:
            self._offer(layer)
        self._show()

    def _offer(self, layer: Image) -> None:
        """Restore what was found, if nothing can be lost by it."""
        known = self._known[layer]
        if known.header is None or known.changed or self._watch.labels_of(layer):
            return
        if layer in self._viewer.layers:
            self._load(layer, known)

    def _load(self, layer: Image, known: Known) -> None:
        folder, picture = known.folder, Picture.of(layer)
        assert folder is not None
        self._say(known, "Restoring…")
        self._jobs.start(
            lambda: load(folder, picture), lambda job: self._on_loaded(layer, job)
        )

    def _on_loaded(self, layer: Image, job: Job) -> None:
        known = self._known[layer]
        header = known.header
        if job.error is not None:
            self._fail(known, job.error)
        if job.error is not None or header is None:
            return
        annotations: Annotations = job.value
        if layer is not self._layer or layer not in self._viewer.layers:
            known.text = ""  # it is offered again when the image is chosen again
            return
        self._restoring = True
        try:
            restore_layers(self._viewer, layer, annotations)
            self._watch.follow(layer)
            known.header, known.state = None, annotations.state
            # What is there is what was read, so changes may be saved over it.
            known.unsaved, known.saved = False, not known.changed
            self._say(known, f"Restored the annotations of {day(header)}")
            self.restored.emit(annotations)
        except ValueError as error:
            self._fail(known, error)
        finally:
            self._restoring = False

    # ----------------------------------------------------------------- watching

    def _collect_layers(self, layer: Image) -> Annotations:
        return collect_annotations(self._viewer, layer)

    def _on_listed(self, new: bool) -> None:
        """A layer of the image came or went.

        That a layer was removed is not saved before something else has changed.
        """
        known = self._current
        if known is None:
            return
        known.unsaved = known.unsaved or not self._restoring
        if known.saved and new:
            self.mark_unsaved()
        self._show()

    def _save_pending(self) -> None:
        """Save what is pending while all layers are there; they may go for good."""
        if self.timer.isActive():
            self.timer.stop()
            self._save_by_itself()

    def showEvent(self, event: QShowEvent) -> None:  # type: ignore[override]
        """Follow the row into another window."""
        super().showEvent(event)
        self._watch.follow_window(self)

    # -------------------------------------------------------------------- words

    def _fail(self, known: Known, error: Exception, advice: str = "") -> None:
        short, text = known.failure(error, advice)
        self._say(known, short)
        self.status.setToolTip(text)

    def _say(self, known: Known, text: str, where: Path | None = None) -> None:
        known.text = text
        self.status.setToolTip("" if where is None else str(where))
        self._show()

    def _show(self) -> None:
        self.show_known(self._current, busy=self.busy)
