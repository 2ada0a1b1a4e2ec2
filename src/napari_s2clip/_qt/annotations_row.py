"""A button that saves the annotations of an image, and the way back to them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, ref

from napari.layers import Image, Labels
from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..io.annotations import Annotations
from ..io.find_sidecar import Found
from ..io.sidecar import SidecarChanged
from ..io.sidecar_format import Header
from ..layers import belongs_to, collect_annotations, restore_layers
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
from .texts import breakable

__all__ = ["AnnotationsRow"]

_DELAY = 3000  # milliseconds after the last change before it is saved by itself
_PATIENCE = 60.0  # seconds that a window waits for a thread that is still saving


@dataclass(eq=False)
class _Known:
    """What is known about the annotations of a layer.

    Attributes
    ----------
    folder : Path or None
        Where they are saved; None while nobody has said.
    state : str or None
        Stands for what is there and was read or written here, empty for nothing. None
        lets the next save replace anything.
    header : Header or None
        Of annotations that are there and not restored.
    changed : bool
        Whether they are of another image of that name.
    saved : bool
        Whether the user has saved them in this window, so that changes are saved too.
    unsaved : bool
    text : str
        How the last thing ended.
    """

    folder: Path | None = None
    state: str | None = ""
    header: Header | None = None
    changed: bool = False
    saved: bool = False
    unsaved: bool = False
    text: str = ""


class AnnotationsRow(QWidget):
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
        self._known: WeakKeyDictionary[Image, _Known] = WeakKeyDictionary()
        self._job: Job | None = None
        self._then: Callable[[Job], None] | None = None
        self._waiting: list[tuple[Callable[[], Any], Callable[[Job], None]]] = []
        self._watched: WeakKeyDictionary[Labels, bool] = WeakKeyDictionary()
        self._restoring = False
        self._window: Callable[[], QMainWindow | None] = lambda: None

        self.button = QPushButton("&Save annotations")
        self.button.setToolTip(
            "Save the labels, classes and review of this image in a folder beside it.\n"
            "From then on changes are saved by themselves."
        )
        self.button.clicked.connect(self.save)
        self.restore_button = QPushButton("Resto&re")
        self.restore_button.setToolTip(
            "Bring back the annotations that are beside this image.\n"
            "Layers that are in the viewer stay."
        )
        self.restore_button.clicked.connect(self.restore)
        self.status = QLabel()
        self.status.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button, 1)
        buttons.addWidget(self.restore_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self.status)

        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.setInterval(_DELAY)
        self.timer.timeout.connect(self._save_by_itself)
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removing.connect(self._on_removing)
        viewer.layers.events.removed.connect(self._on_layers)
        self._show()

    # ------------------------------------------------------------------- state

    @property
    def busy(self) -> bool:
        """Whether a thread is at work."""
        return self._job is not None

    @property
    def unsaved(self) -> bool:
        """Whether something of the chosen image is not saved."""
        known = self._current
        return known is not None and known.unsaved

    @property
    def _current(self) -> _Known | None:
        return None if self._layer is None else self._known.get(self._layer)

    def set_layer(self, layer: Image | None) -> None:
        """Another image was chosen, or none.

        What is not saved of the one before is saved first, if it is saved by itself;
        so call this before the panels show the new one.
        """
        if layer is self._layer:
            return
        if self.timer.isActive():
            self.timer.stop()
            self._save_by_itself()
        self._layer = layer
        if layer is not None and layer not in self._known:
            known = self._known[layer] = _Known()
            picture = Picture.of(layer)
            if picture.path:
                self._start(
                    lambda: look_up(picture), lambda job: self._on_found(layer, job)
                )
            known.unsaved = bool(self._labels_of(layer))
        elif layer is not None:
            self._offer(layer)
        self._watch()
        self._follow_window()
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
        while self._job is not None:
            job = self._job
            if not job.done.wait(_PATIENCE):
                return
            self._finish(job)
        layer, known = self._layer, self._current
        if layer is None or known is None or not waits:
            return
        if known.saved and layer in self._viewer.layers:
            self._save(layer, known)
            if self._job is not None:
                self._job.done.wait(_PATIENCE)
                self._finish(self._job)

    def _save_by_itself(self) -> None:
        layer, known = self._layer, self._current
        if layer is None or known is None or not known.saved:
            return
        if layer in self._viewer.layers:
            self._save(layer, known)

    def _save(self, layer: Image, known: _Known) -> None:
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
        self._start(
            lambda: save(annotations, picture, folder, known.state),
            lambda job: self._on_saved(known, job),
        )

    def _on_saved(self, known: _Known, job: Job) -> None:
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
        if known.header is None or known.changed or self._labels_of(layer):
            return
        if layer in self._viewer.layers:
            self._load(layer, known)

    def _load(self, layer: Image, known: _Known) -> None:
        folder, picture = known.folder, Picture.of(layer)
        assert folder is not None
        self._say(known, "Restoring…")
        self._start(
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
            self._watch()
            known.header, known.state = None, annotations.state
            # What is there is what was read, so changes may be saved over it.
            known.unsaved, known.saved = False, not known.changed
            self._say(known, f"Restored the annotations of {_day(header)}")
            self.restored.emit(annotations)
        except ValueError as error:
            self._fail(known, error)
        finally:
            self._restoring = False

    # ----------------------------------------------------------------- watching

    def _collect_layers(self, layer: Image) -> Annotations:
        return collect_annotations(self._viewer, layer)

    def _labels_of(self, layer: Image) -> list[Labels]:
        """Labels layers that belong to an image, duplicates of them too."""
        return [
            other
            for other in self._viewer.layers
            if isinstance(other, Labels) and belongs_to(other, layer)
        ]

    def _watch(self) -> None:
        if self._layer is None:
            return
        for labels in self._labels_of(self._layer):
            if labels not in self._watched:
                self._watched[labels] = True
                for event in (labels.events.paint, labels.events.data):
                    event.connect(self._on_edit)

    def _on_layers(self, event: Any = None) -> None:
        if not isalive(self):
            return
        layer, known = self._layer, self._current
        if layer is None or known is None:
            return
        self._watch()
        if isinstance(event.value, Labels) and belongs_to(event.value, layer):
            known.unsaved = known.unsaved or not self._restoring
            if known.saved and event.type == "inserted":
                self.mark_unsaved()
            self._show()

    def _on_removing(self, event: Any = None) -> None:
        """Save what is pending while all layers are there; they may go for good.

        That a layer was removed is not saved before something else has changed.
        """
        if isalive(self) and self.timer.isActive():
            self.timer.stop()
            self._save_by_itself()

    def _on_edit(self, event: Any) -> None:
        if not isalive(self) or self._layer is None:
            return
        if belongs_to(event.source, self._layer):
            self.mark_unsaved()

    def showEvent(self, event: QShowEvent) -> None:  # type: ignore[override]
        """Follow the row into another window."""
        super().showEvent(event)
        self._follow_window()

    def _follow_window(self) -> None:
        """Hear when the window closes; what is in it is not asked."""
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QMainWindow):
            parent = parent.parentWidget()
        if parent is not None and parent is not self._window():
            # Whoever still has this row must not keep the window.
            self._window = ref(parent)
            parent.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # type: ignore[override]
        """Save what is saved by itself before the window is gone."""
        if event.type() == QEvent.Type.Close and watched is self._window():
            self.flush()
        return False

    # ------------------------------------------------------------------ threads

    def _start(self, work: Callable[[], Any], then: Callable[[Job], None]) -> None:
        """Do one thing after another in a thread."""
        if self._job is not None:
            self._waiting.append((work, then))
            return
        self._job, self._then = Job(work), then
        create_worker(self._job.run, _connect={"returned": self._finish})
        self._show()

    def _finish(self, job: Job) -> None:
        # The window may have waited for it already.
        if not isalive(self) or job is not self._job or self._then is None:
            return
        then, self._job, self._then = self._then, None, None
        then(job)
        if self._waiting and self._job is None:
            self._start(*self._waiting.pop(0))
        self._show()

    # -------------------------------------------------------------------- words

    def _fail(self, known: _Known, error: Exception, advice: str = "") -> None:
        """Say what went wrong, without the folder, which is known here."""
        text = f"{str(error) or type(error).__name__}{advice}"
        short = text
        if known.folder is not None and text.startswith(f"{known.folder}: "):
            short = text.removeprefix(f"{known.folder}: ")
            short = f"{short[0].upper()}{short[1:]}"
        if known.folder is not None:
            short = short.replace(f"{known.folder.parent}{os.sep}", "")
        self._say(known, short)
        self.status.setToolTip(text)

    def _say(self, known: _Known, text: str, where: Path | None = None) -> None:
        known.text = text
        self.status.setToolTip("" if where is None else str(where))
        self._show()

    def _show(self) -> None:
        known = self._current
        self.button.setEnabled(known is not None and not self.busy)
        self.restore_button.setEnabled(not self.busy)
        self.restore_button.setVisible(known is not None and known.header is not None)
        lines = []
        if known is not None:
            if known.text:
                lines.append(known.text)
            if known.header is not None and known.state is not None and not self.busy:
                lines.append(_notice(known.header, known.changed))
            if known.unsaved:
                soon = "; they are saved soon" if known.saved else ""
                lines.append(f"Unsaved changes{soon}")
        self.status.setText(_breakable("\n".join(lines)))
        self.status.setVisible(bool(lines))


def _breakable(text: str) -> str:
    """Let long names of files break too, or they widen the dock."""

    def broken(name: re.Match[str]) -> str:
        parts = re.sub(r"(?<=[._-])", "\u200b", name[0])
        return re.sub(r"([^\u200b]{16})", "\\1\u200b", parts)

    return breakable(re.sub(r"\S{17,}", broken, text))


def _day(header: Header) -> str:
    return f"{header.saved.astimezone():%Y-%m-%d %H:%M}"


def _notice(header: Header, changed: bool) -> str:
    if changed:
        return (
            f"The annotations of {_day(header)} are of another image of this name, or "
            "the image has changed"
        )
    return f"There are annotations of {_day(header)}"
