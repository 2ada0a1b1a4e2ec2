"""A folder of results, looked through and corrected image by image."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QWidget

from ..batch.corrections import ResultsChanged, save_corrections
from ..batch.finished import FinishedImage
from ..batch.listing import Listed, list_results, look_at
from ..errors import sentence
from ..layers import add_results, collect_annotations, remove_results
from ..progress import Cancelled, CancelToken
from .annotation_jobs import Job, still
from .annotations_watch import AnnotationsWatch
from .canvas_keys import CanvasKeys
from .folder_form import KEY, row_of
from .folder_list import FolderList
from .folder_work import Loaded, load
from .job_queue import JobQueue
from .runs import Garbage
from .texts import breakable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..batch.reopen import OpenedResults
    from ..io.annotations import Annotations

__all__ = ["FolderPanel"]

_PATIENCE = 60.0  # seconds that a window waits for a thread that is still saving


@dataclass(eq=False)
class _Current:
    """The image that is in the viewer."""

    number: int
    layer: Image
    opened: OpenedResults
    close: Callable[[], None]
    dirty: bool = False
    force: bool = False


class FolderPanel(FolderList):
    """Opens one image of a folder after the other; corrections are saved on moving on.

    Parameters
    ----------
    viewer : napari.viewer.Viewer

    Attributes
    ----------
    collect : callable
        Gives the `Annotations` of an Image layer as they are now. By default those of
        its layers, with nothing of the panels.
    """

    restored = Signal(object)
    """`Annotations` were read and their layers made: classes and review follow."""

    opened = Signal()
    """A folder is open."""

    refused = Signal(str)
    """A folder cannot be opened, and none is; why."""

    closed = Signal()
    """The folder is closed."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.collect: Callable[[Image], Annotations] = self._collect_layers
        self._current: _Current | None = None
        self._changing = False
        self._listing = CancelToken()
        self._jobs = JobQueue(self)
        # napari searches everywhere for each layer that goes, half a second each.
        self._garbage = Garbage()
        self.destroyed.connect(self._garbage.search)
        self._watch = AnnotationsWatch(viewer, self)
        keys = self._keys = CanvasKeys(viewer, {KEY: self.accept})
        self.destroyed.connect(lambda *_: keys.unbind())
        self._watch.edited.connect(self.mark_unsaved)
        self._watch.removing.connect(self._on_removing)
        self._watch.closing.connect(self._stop)
        self._jobs.changed.connect(self._enable)
        self.table.doubleClicked.connect(self._on_chosen)
        self.table.activated.connect(self._on_chosen)
        self.table.clicked.connect(self._on_chosen)
        self.previous_button.clicked.connect(lambda: self.move(-1))
        self.next_button.clicked.connect(lambda: self.move(1))
        self.reviewed_button.clicked.connect(lambda: self.accept())
        self.reviewed.toggled.connect(self.mark_unsaved)
        self.save_button.clicked.connect(lambda: self.save())
        self.back_button.clicked.connect(self.close_folder)
        self.export_button.toggled.connect(self.export.setVisible)
        self.export.before = self.save
        self._enable()

    # ------------------------------------------------------------------- state

    @property
    def busy(self) -> bool:
        """Whether a thread is at work."""
        return self._jobs.busy

    @property
    def layer(self) -> Image | None:
        """The layer of the image that is open."""
        return None if self._current is None else self._current.layer

    @property
    def unsaved(self) -> bool:
        """Whether something was changed since it was saved."""
        return self._current is not None and self._current.dirty

    def owns(self, layer: Image | None) -> bool:
        """Whether a layer is the image that is open."""
        return layer is not None and layer is self.layer

    def mark_unsaved(self, *_: Any) -> None:
        """Something of the image that is open was changed."""
        if self._current is not None and not self._changing:
            self._current.dirty = True

    # ------------------------------------------------------------------ folder

    def open_folder(self, folder: Path) -> None:
        """List the images of a folder of results, and open the first open one."""
        self.save(partial(self._list, folder))

    def _list(self, folder: Path) -> None:
        self._say("Looking for results…")
        cancel = self._listing = CancelToken()

        def work() -> list[Listed] | None:
            try:
                return list_results(folder, cancel)
            except Cancelled:
                return None

        self._jobs.start(work, lambda job: self._on_listed(folder, job))

    def _on_listed(self, folder: Path, job: Job) -> None:
        if job.error is not None:
            self._say(sentence(job.error))
            if self.folder is None:  # the panel is not to be seen
                self.refused.emit(sentence(job.error))
        if job.error is not None or job.value is None:
            return
        self._leave_image()
        self.folder, self.listed = folder, job.value
        self.title.setText(folder.name)
        self.title.setToolTip(str(folder))
        self.export.set_folder(folder)
        self.number = -1
        self._watch.follow_window(self)
        self.table.images.set_rows([row_of(one) for one in self.listed])
        self.show_list()
        self._keys.bind()
        self._say("")
        self.opened.emit()
        self.move(1, only_open=True)

    def close_folder(self) -> None:
        """Save, and take the image out of the viewer; a failed save keeps it."""
        self.save(self._close)

    def _close(self) -> None:
        self._leave_image()
        self._garbage.search()
        self._keys.unbind()
        self.folder, self.listed = None, []
        self.table.images.set_rows([])
        self.closed.emit()

    def flush(self) -> None:
        """Save now, and wait for it."""
        self._jobs.finish(_PATIENCE)
        current = self._current
        if current is not None and current.layer in self._viewer.layers:
            self.save()
            self._jobs.finish(_PATIENCE)

    def _stop(self) -> None:
        """Let the window close: stop what only looks, and save."""
        self.export.cancel()
        self._listing.cancel()
        self.flush()

    def leave(self) -> None:
        """Save, and follow nothing; the widget goes."""
        self._stop()
        self._garbage.search()
        self._keys.unbind()

    def _on_chosen(self, *_: Any) -> None:
        number = self.table.current()
        if number is not None and number != self.number and not self.busy:
            self.go(number)

    def _enable(self) -> None:
        idle = not self.busy
        for widget in (
            *(self.previous_button, self.next_button, self.reviewed_button),
            *(self.save_button, self.reviewed, self.back_button),
        ):
            widget.setEnabled(idle)
        for widget in (self.save_button, self.reviewed, self.reviewed_button):
            widget.setEnabled(idle and self._current is not None)

    # -------------------------------------------------------------------- moving

    def move(self, step: int, *, only_open: bool = False) -> None:
        """Go to the next image of the list, or to the one before.

        Parameters
        ----------
        step : {1, -1}
        only_open : bool
            Pass those that were reviewed, and failed, as far as there are others.
        """
        if self.busy:
            return
        following = self.following(step, only_open=only_open)
        if following is not None:
            self.go(following)
        elif only_open:
            self.save(lambda: self._say("All images that are shown were reviewed."))
        else:
            self._say("There is no other image in this direction.")

    def accept(self) -> None:
        """The image is as it should be: on to the next one."""
        if self._current is not None and not self.busy:
            self.reviewed.setChecked(True)
            self.move(1, only_open=True)

    def go(self, number: int) -> None:
        """Open another image, once this one is saved."""
        self.save(partial(self._load, number))

    def _load(self, number: int) -> None:
        folder, listed = self.folder, self.listed[number]
        assert folder is not None
        if listed.error:
            self.number = number
            self._leave_image()
            self.table.choose(number)
            self._say(listed.error)
            return
        self._say("Opening…")
        image = FinishedImage(folder, listed.name)
        self._jobs.start(lambda: load(image), lambda job: self._on_loaded(number, job))

    def _on_loaded(self, number: int, job: Job) -> None:
        if self._current is not None and self._current.dirty and job.error is None:
            # Somebody painted while it was read.
            self.save(lambda: self._show(number, job.value))
        elif job.error is None:
            self._show(number, job.value)
        else:
            self.number = number
            self._leave_image()
            self._say(sentence(job.error))
            self.table.choose(number)

    def _show(self, number: int, loaded: Loaded) -> None:
        """Put an image into the viewer instead of the one before."""
        name, before = self.listed[number].name, self._extent()
        self.number = number
        self._leave_image()
        self._garbage.search()
        self._garbage.wait()
        annotations = loaded.opened.annotations
        try:
            with self._by_ourselves():
                layer = add_results(self._viewer, name, loaded.picture, annotations)
                self._current = _Current(number, layer, loaded.opened, loaded.close)
                self.reviewed.setChecked(bool(loaded.opened.reviewed))
                self._watch.follow(layer)
                self.restored.emit(annotations)
        except ValueError as error:
            loaded.close()
            self._say(sentence(error))
            return
        if self._extent() != before:
            self._viewer.reset_view()
        self.table.choose(number)
        self._say(loaded.note)
        self._enable()

    def _extent(self) -> Any:
        layer = self.layer
        return None if layer is None else layer.extent.world.tolist()

    def _leave_image(self) -> None:
        """Take the image out of the viewer; everything of it is saved."""
        current, self._current = self._current, None
        if current is None:
            return
        with self._by_ourselves():
            self._watch.follow(None)
            remove_results(self._viewer, current.layer)
            current.close()
        self._enable()

    @contextmanager
    def _by_ourselves(self) -> Iterator[None]:
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    # ------------------------------------------------------------------- saving

    def save(self, then: Callable[[], None] = lambda: None) -> None:
        """Save what has changed of the image, in a thread, and go on.

        Where it fails the image stays, with a sentence.
        """
        current = self._current
        if current is None or current.layer not in self._viewer.layers:
            then()
            return
        try:
            annotations = still(self.collect(current.layer))
        except ValueError:  # all its labels were removed: there is nothing to write
            before = current.opened.annotations
            annotations = replace(before, maps={}, written={}, edited=())
        opened, reviewed = current.opened, self.reviewed.isChecked()
        # That nobody has said so is not the same as that nobody has looked.
        decided = reviewed if reviewed or opened.reviewed else None
        force, current.dirty = current.force, False
        self._say("Saving…")
        self._jobs.start(
            lambda: save_corrections(
                opened, annotations, reviewed=decided, force=force
            ),
            lambda job: self._on_saved(current, job, then),
        )

    def _on_saved(self, current: _Current, job: Job, then: Callable[[], None]) -> None:
        if job.error is not None:
            current.dirty = True
            words = sentence(job.error)
            if isinstance(job.error, ResultsChanged):
                # Whoever saves again means it.
                current.force = True
                words += "; save again to replace what it wrote"
            self._say(words)
            self.table.choose(self.number)
            return
        current.force = False
        saved: OpenedResults = job.value
        self._say("" if saved is current.opened else "Saved")
        if saved is not current.opened:
            current.opened = saved
            listed = self.listed[current.number] = look_at(saved.image)
            self.table.images.update({current.number: row_of(listed)})
            self.show_count()
        then()

    def _on_removing(self) -> None:
        """Save while all layers are there; some may go for good."""
        if not self._changing and not self.busy:
            self.save()

    def _collect_layers(self, layer: Image) -> Annotations:
        return collect_annotations(self._viewer, layer)

    def showEvent(self, event: QShowEvent) -> None:  # type: ignore[override]
        """Follow the panel into another window."""
        super().showEvent(event)
        self._watch.follow_window(self)

    def _say(self, text: str) -> None:
        self.status.setText(breakable(text))
        self.status.setVisible(bool(text))
