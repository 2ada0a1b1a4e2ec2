"""What else can be done with a list of classes: files, presets, undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from ..class_presets import CLASS_PRESETS, ClassPreset
from ..classes import ClassSet
from ..io.class_lists import read_classes, write_classes
from .class_view import ClassView

__all__ = ["ClassMenu"]

_LISTS = "Class lists (*.json *.yaml *.yml *.txt *.names);;All files (*)"
_OURS = "JSON (*.json);;YAML (*.yaml *.yml)"

_Standard = QKeySequence.StandardKey


class ClassMenu(QMenu):
    """Acts on the table of a view."""

    taken = Signal(object)
    """A `ClassSet` that takes the place of the list."""

    said = Signal(str)
    """How a file was read or written; empty takes the words back."""

    thresholds_wanted = Signal()
    """Whether thresholds are shown has changed."""

    def __init__(self, view: ClassView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self.setToolTipsVisible(True)
        self.paste = self._act("Paste a list", view.paste_clipboard, _Standard.Paste)
        self.paste.setToolTip("One name a line, or separated by semicolons or tabs.")
        self.load = self._act("Load…", self.load_file)
        self.load.setToolTip(
            "JSON or YAML, also the class list of a COCO or YOLO file; or one name a "
            "line."
        )
        self.save = self._act("Save…", self.save_file)
        self.save.setToolTip("As JSON or YAML, with ids, colours and thresholds.")
        self.presets = self.addMenu("Presets")
        self.presets.setToolTipsVisible(True)
        for preset in CLASS_PRESETS.values():
            self._offer(preset)
        self.addSeparator()
        self.undo = self._act("Undo", view.undo, _Standard.Undo)
        self.redo = self._act("Redo", view.redo, _Standard.Redo)
        self.addSeparator()
        self.thresholds = self.addAction("Thresholds of classes")
        self.thresholds.setToolTip("Show the column of thresholds.")
        self.thresholds.setCheckable(True)
        self.thresholds.toggled.connect(lambda _: self.thresholds_wanted.emit())
        self.aboutToShow.connect(self._refresh)

    def _act(
        self,
        title: str,
        act: Callable[[], object],
        key: QKeySequence.StandardKey | None = None,
    ) -> QAction:
        # The keys are the table's; as shortcuts they would act in the whole window.
        if key is not None:
            keys = QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
            title = f"{title}\t{keys}"
        action = self.addAction(title)
        action.triggered.connect(lambda _=False: act())
        return action

    def _offer(self, preset: ClassPreset) -> None:
        classes = preset.classes
        action = self.presets.addAction(f"{preset.title} ({len(classes)})")
        action.setToolTip(f"{preset.source}. Takes the place of the list.")
        action.triggered.connect(lambda _=False: self.taken.emit(classes))

    def _refresh(self) -> None:
        table = self._view.classes.table
        self.undo.setEnabled(table.can_undo)
        self.redo.setEnabled(table.can_redo)
        self.save.setEnabled(bool(table.rows))

    def load_file(self) -> None:
        """Ask for a file and take its classes."""
        name, _ = QFileDialog.getOpenFileName(self._view, "Load classes", "", _LISTS)
        if not name:
            return
        # The annotations of a large data set take seconds to read.
        self.said.emit(f"Reading {Path(name).name}…")
        create_worker(_read, name, _connect={"returned": self._on_read})

    def _on_read(self, found: ClassSet | str) -> None:
        if not isalive(self):
            return
        if isinstance(found, str):
            self.said.emit(found)
        else:
            self.said.emit("")
            self.taken.emit(found)

    def save_file(self) -> None:
        """Ask for a file and write the classes."""
        try:
            classes = self._view.classes.table.class_set()
        except ValueError as error:
            self.said.emit(str(error))
            return
        name, _ = QFileDialog.getSaveFileName(
            self._view, "Save classes", "classes.json", _OURS
        )
        if not name:
            return
        path = Path(name)
        # The dialog has asked about the name as it was typed, and about no other.
        asked = bool(path.suffix)
        path = path if asked else path.with_name(path.name + ".json")
        try:
            write_classes(path, classes, overwrite=asked)
        except (OSError, ValueError) as error:
            self.said.emit(_words(error, path))
        else:
            self.said.emit(f"Saved as {path}.")


def _read(name: str) -> ClassSet | str:
    """Runs in a thread, and raises nothing out of it."""
    try:
        return read_classes(name)
    except (OSError, ValueError) as error:
        return _words(error, Path(name))


def _words(error: Exception, path: Path) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{path}: {error.strerror}"
    return str(error)
