"""Saves what was changed of the image of a folder that is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from ..batch import refresh_summary
from ..batch.corrections import ResultsChanged, same_tables, save_corrections
from ..batch.listing import look_at
from ..batch.redraw import redraw
from ..errors import sentence
from .folder_form import row_of
from .folder_list import FolderList
from .folder_shown import ShownImage
from .job_queue import JobQueue
from .texts import breakable

if TYPE_CHECKING:
    from napari.layers import Image

    from ..batch.finished import FinishedImage
    from ..batch.reopen import OpenedResults
    from .annotation_jobs import Job

__all__ = ["FolderSaving"]

# Seconds that a window waits for a thread that is still at work.
_TO_SAVE, _TO_DRAW = 60.0, 5.0


class FolderSaving(FolderList):
    """Saves in a thread; pictures and summary of the folder follow in another.

    Parameters
    ----------
    viewer : napari.viewer.Viewer

    Attributes
    ----------
    shown : ShownImage
        The image that is open.
    """

    told = Signal(str)
    """Something to say when the folder is closed."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown = ShownImage(viewer, self)
        self._force = False
        self._corrected = False
        self._jobs, self._drawing = JobQueue(self), JobQueue(self)
        self.shown.removing.connect(self._on_removing)
        self.reviewed.toggled.connect(self.shown.mark_unsaved)
        self.save_button.clicked.connect(lambda: self.save())
        self.discard_button.clicked.connect(self.discard)
        self.export.before = self.save

    @property
    def busy(self) -> bool:
        """Whether a thread reads or saves."""
        return self._jobs.busy

    @property
    def drawing(self) -> bool:
        """Whether a thread draws pictures of what was saved."""
        return self._drawing.busy

    @property
    def layer(self) -> Image | None:
        """The layer of the image that is open."""
        return self.shown.layer

    @property
    def unsaved(self) -> bool:
        """Whether something was changed since it was saved."""
        return self.shown.unsaved

    def owns(self, layer: Image | None) -> bool:
        """Whether a layer is the image that is open."""
        return layer is not None and layer is self.layer

    def save(
        self,
        then: Callable[[], None] = lambda: None,
        otherwise: Callable[[], None] = lambda: None,
    ) -> None:
        """Save what has changed of the image, in a thread, and go on.

        Where it fails the image stays, with a sentence.

        Parameters
        ----------
        then, otherwise : callable
            Called when all is saved, or when it cannot be.
        """
        if self.busy:  # what is under way may change what is there to be saved
            self._jobs.start(lambda: None, lambda _: self.save(then, otherwise))
            return
        opened = self.shown.opened
        if opened is None or not self.shown.savable:
            then()
            return
        annotations, reviewed = self.shown.annotations(), self.reviewed.isChecked()
        # That nobody has said so is not the same as that nobody has looked.
        decided = reviewed if reviewed or opened.reviewed else None
        force, self.shown.unsaved = self._force, False
        self._say("Saving…")
        self._jobs.start(
            lambda: save_corrections(
                opened, annotations, reviewed=decided, force=force
            ),
            lambda job: self._on_saved(opened, job, then, otherwise),
        )

    def _on_saved(
        self,
        before: OpenedResults,
        job: Job,
        then: Callable[[], None],
        otherwise: Callable[[], None],
    ) -> None:
        if job.error is not None:
            self.shown.unsaved = True
            words = sentence(job.error)
            if isinstance(job.error, ResultsChanged):
                # Whoever saves again means it.
                self._force = True
                words += "; save again to replace what it wrote"
            self._say(words)
            self._offer(discard=True)
            self.table.choose(self.number)
            otherwise()
            return
        self._offer()
        saved: OpenedResults = job.value
        self._say("" if saved is before else "Saved")
        if saved is not before and self.shown.opened is before:
            self.shown.opened = saved
            listed = self.listed[self.number] = look_at(saved.image)
            self.table.images.update({self.number: row_of(listed)})
            self.show_count()
            self._corrected = True
            if _looks_otherwise(saved, before):
                self._draw(saved.image)
        if self.unsaved and self.shown.savable:  # somebody painted meanwhile
            self.save(then, otherwise)
        else:
            then()

    def reload(self) -> None:
        """Open the image anew."""
        raise NotImplementedError

    def discard(self) -> None:
        """Open the image as it was saved last; what was changed since is lost."""
        if self.layer is not None and not self.busy:
            self.shown.leave()  # so that nobody paints until it is there again
            self._offer()
            self.reload()

    def _offer(self, *, discard: bool = False) -> None:
        """Show what can be done where something went wrong."""
        self._force = self._force and discard
        self.discard_button.setVisible(discard)
        self.find_button.setVisible(self.shown.lost or self.moved is not None)

    def _on_removing(self) -> None:
        """Save while all layers are there; some may go for good."""
        if self.busy:
            self.shown.remember()  # it is saved when its turn comes
        else:
            self.save()

    def _draw(self, image: FinishedImage) -> None:
        """Let the pictures of an image follow its maps, beside all that is done."""
        sources = self.sources
        self._drawing.start(lambda: redraw(image, sources), self._on_drawn)

    def _on_drawn(self, job: Job) -> None:
        if job.error is not None:
            words = f"The pictures are not up to date: {sentence(job.error)}"
            before = self.status.text() if self.unsaved else ""
            self._say(f"{before}\n{words}".strip())

    def _tell_summary(self) -> None:
        """Count again what a folder holds, if it was corrected."""
        folder = self.folder
        if self._corrected and folder is not None:
            self._drawing.start(lambda: refresh_summary(folder), self._on_counted)
        self._corrected = False

    def _on_counted(self, job: Job) -> None:
        if job.error is not None:
            self.told.emit(
                f"The contact sheet is not up to date: {sentence(job.error)}"
            )

    def flush(self) -> None:
        """Save now, and wait for it."""
        self._jobs.finish(_TO_SAVE)
        if self.shown.present:
            self.save()
            self._jobs.finish(_TO_SAVE)

    def _finish_drawing(self) -> None:
        self._drawing.finish(_TO_DRAW)

    def _say(self, text: str) -> None:
        self.status.setText(breakable(text))
        self.status.setVisible(bool(text))


def _looks_otherwise(saved: OpenedResults, before: OpenedResults) -> bool:
    """Whether pictures of the maps are other ones now."""
    now, then = saved.annotations, before.annotations
    table = now.region_table
    return (
        saved.digests != before.digests
        or now.classes != then.classes
        or (table is not None and not same_tables(table, then.region_table))
    )
