"""A folder of results, looked through and corrected image by image."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFileDialog, QWidget

from ..batch.finished import FinishedImage
from ..batch.listing import Listed, list_results
from ..batch.sources import Sources
from ..errors import sentence
from ..progress import Cancelled, CancelToken
from .canvas_keys import CanvasKeys
from .folder_form import KEY, row_of
from .folder_saving import FolderSaving
from .folder_work import load

if TYPE_CHECKING:
    from .annotation_jobs import Job
    from .folder_work import Loaded

__all__ = ["FolderPanel"]


class FolderPanel(FolderSaving):
    """Opens one image of a folder after the other; corrections are saved on moving on.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    opened = Signal()
    """A folder is open."""

    refused = Signal(str)
    """A folder cannot be opened, and none is; why."""

    closed = Signal()
    """The folder is closed."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self._listing = CancelToken()
        self._drawn: set[int] = set()
        keys = self._keys = CanvasKeys(viewer, {KEY: self.accept})
        self.destroyed.connect(lambda *_: keys.unbind())
        self.shown.closing.connect(self._stop)
        self._jobs.changed.connect(self._enable)
        self.table.doubleClicked.connect(self._on_chosen)
        self.table.activated.connect(self._on_chosen)
        self.table.clicked.connect(self._on_chosen)
        self.previous_button.clicked.connect(lambda: self.move(-1))
        self.next_button.clicked.connect(lambda: self.move(1))
        self.reviewed_button.clicked.connect(lambda: self.accept())
        self.find_button.clicked.connect(self._find_images)
        self.back_button.clicked.connect(self.close_folder)
        self.export_button.toggled.connect(self.export.setVisible)
        self._enable()

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
        self.save(lambda: self._open(folder, job.value))

    def _open(self, folder: Path, listed: list[Listed]) -> None:
        self._leave_image()
        self._tell_summary()
        self.folder, self.listed = folder, listed
        self._set_moved(None)
        self.title.setText(folder.name)
        self.title.setToolTip(str(folder))
        self.export.set_folder(folder)
        self.number = -1
        self.shown.follow_window(self)
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
        self._tell_summary()
        self.shown.search_garbage()
        self._keys.unbind()
        self.folder, self.listed = None, []
        self.table.images.set_rows([])
        self.closed.emit()

    def _stop(self) -> None:
        """Let the window close: stop what only looks, and save."""
        self.export.cancel()
        self._listing.cancel()
        self.flush()
        self._tell_summary()
        self._finish_drawing()

    def leave(self) -> None:
        """Save, and follow nothing; the widget goes."""
        self._stop()
        self.shown.search_garbage()
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
            *(self.discard_button, self.find_button),
        ):
            widget.setEnabled(idle)
        for widget in (self.save_button, self.reviewed, self.reviewed_button):
            widget.setEnabled(idle and self.layer is not None)

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
        if self.layer is not None and not self.busy:
            self.reviewed.setChecked(True)
            self.move(1, only_open=True)

    def go(self, number: int) -> None:
        """Open another image, once this one is saved."""
        self.save(partial(self._load, number))

    def reload(self) -> None:
        """Open the image anew."""
        self._load(self.number)

    def _load(self, number: int) -> None:
        folder, listed = self.folder, self.listed[number]
        assert folder is not None
        if listed.error:
            self._show_none(number, listed.error)
            return
        self._say("Opening…")
        image = FinishedImage(folder, listed.name)
        moved, known = self.moved, self.sources

        def work() -> tuple[Loaded, Sources]:
            sources = Sources(folder, moved) if known is None else known
            return load(image, sources), sources

        self._jobs.start(work, lambda job: self._on_loaded(number, job))

    def _on_loaded(self, number: int, job: Job) -> None:
        if job.error is None:
            loaded, self.sources = job.value
        if self.unsaved and job.error is None:
            # Somebody painted while it was read. If it is the same image, what was
            # read is not what there is now.
            if number == self.number:
                loaded.close()
                self.save(self.reload)
            else:
                self.save(lambda: self._show(number, loaded), loaded.close)
        elif job.error is None:
            self._show(number, loaded)
        else:
            why = sentence(job.error)
            self.save(lambda: self._show_none(number, why))

    def _show_none(self, number: int, why: str) -> None:
        """There is nothing to be seen of an image."""
        self.number = number
        self._leave_image()
        self.table.choose(number)
        self._say(why)

    def _show(self, number: int, loaded: Loaded) -> None:
        """Put an image into the viewer instead of the one before."""
        self.number = number
        try:
            self.shown.show(self.listed[number].name, loaded)
        except ValueError as error:
            self._say(sentence(error))
            self._offer()
            self._enable()
            return
        self.reviewed.setChecked(bool(loaded.opened.reviewed))
        self.shown.unsaved = False
        self.table.choose(number)
        self._say(loaded.note)
        self._offer()
        self._enable()
        found = self.moved is not None and not loaded.lost
        if found and self.listed[number].edited and number not in self._drawn:
            self._drawn.add(number)
            self._draw(loaded.opened.image)  # nobody could while it was lost

    def _leave_image(self) -> None:
        """Take the image out of the viewer; everything of it is saved."""
        self.shown.leave()
        self._offer()
        self._enable()

    def _find_images(self) -> None:
        """Ask where the images are, and open this one again, with its pixels."""
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder that the images were moved to"
        )
        if chosen and not self.busy:
            self._set_moved(Path(chosen))
            self.go(self.number)

    def _set_moved(self, moved: Path | None) -> None:
        self.moved = self.export.moved = moved
        self.sources = None
        self._drawn.clear()

    def showEvent(self, event: QShowEvent) -> None:  # type: ignore[override]
        """Follow the panel into another window."""
        super().showEvent(event)
        self.shown.follow_window(self)
