"""Training data out of layers, in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.compat import isalive
from qtpy.QtCore import QUrl, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDesktopServices, QShowEvent
from qtpy.QtWidgets import QFileDialog, QWidget

from ..classes import ClassSet
from ..datasets import FORMATS
from ..layers import image_of, objects_of, training_data
from ..layers.label_names import kinds_of
from ..progress import CancelToken
from .control_names import in_the_dock
from .export_form import ExportForm
from .export_worker import Export, Told, start_export
from .labels_combo import LabelsCombo

if TYPE_CHECKING:
    from ..layers import Objects
    from ..review import Review

__all__ = ["ExportPanel"]

_OBJECTS: dict[Objects, tuple[str, str]] = {
    "regions": (
        "regions of the run",
        "A region that the run found, with what was painted at it.",
    ),
    "connected": (
        "connected parts",
        "What hangs together, also across corners, and is of one class.",
    ),
    "ids": ("one a label", "All pixels with the same number."),
}


class ExportPanel(ExportForm):
    """Writes the labels of a layer into a dataset.

    Parameters
    ----------
    viewer : napari.viewer.Viewer

    Attributes
    ----------
    image : callable
        Gives the image that labels are of whose layer does not say it.
    dock_classes : callable
        Gives the classes of the dock, or None.
    review : callable
        Gives the review of a Labels layer, or None.
    """

    _progressed = Signal(int, str)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(LabelsCombo(viewer), parent)
        self._viewer = viewer
        self.image: Callable[[], Image | None] = lambda: None
        self.dock_classes: Callable[[], ClassSet | None] = lambda: None
        self.review: Callable[[Labels], Review | None] = lambda labels: None
        self._cancel: CancelToken | None = None
        self._written: Path | None = None
        self._last: Labels | None = None
        self._followed: Labels | None = None
        self._stale = True
        self._progressed.connect(self._on_progress)
        self.labels.layer_changed.connect(self.refresh)
        self.objects.currentIndexChanged.connect(self._offer_classes)
        self.button.clicked.connect(self._on_button)
        self.browse.clicked.connect(self._choose_folder)
        self.open_button.clicked.connect(self._open_folder)
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether an export is under way."""
        return self._cancel is not None

    def follow(self, labels: Labels | None) -> None:
        """Choose the layer that runs write into, once; then the user chooses."""
        self.labels.refresh()
        if labels is not self._followed:
            self._followed = labels
            self.labels.choose(labels)

    def refresh(self) -> None:
        """Follow the chosen layer: what can be done with it may have changed.

        It costs some time with many regions, so it waits until somebody looks.
        """
        self._stale = True
        if self.isVisible():
            self._catch_up()

    def showEvent(self, event: QShowEvent) -> None:  # type: ignore[override]
        """See what has changed meanwhile, the classes of the dock too."""
        super().showEvent(event)
        self.refresh()

    def _catch_up(self) -> None:
        self._stale = False
        labels = self.labels.labels()
        before = self.objects.currentData()
        self.objects.blockSignals(True)
        self.objects.clear()
        for name in () if labels is None else objects_of(self._viewer, labels):
            self.objects.addItem(_OBJECTS[name][0], name)
            self.objects.setItemData(self.objects.count() - 1, _OBJECTS[name][1], 3)
        if labels is self._last:
            self.objects.setCurrentIndex(max(0, self.objects.findData(before)))
        self._last = labels
        self.objects.blockSignals(False)
        self._offer_slices(labels)
        self._offer_classes()
        if not self.busy:
            self.button.setEnabled(labels is not None)

    def _offer_slices(self, labels: Labels | None) -> None:
        shape = () if labels is None else labels.data.shape
        stack = labels is not None and labels.ndim > 2
        before = self.slices.currentData()
        self.slices.clear()
        count = 1
        for length in shape[:-2]:
            count *= int(length)
        self.slices.addItem(f"All {count}", "all")
        self.slices.addItem("Current", "current")
        self.slices.setCurrentIndex(max(0, self.slices.findData(before)))
        self.rows.setRowVisible(self.slices, stack)

    def _offer_classes(self) -> None:
        """Show where classes may come from, if there is a choice."""
        labels = self.labels.labels()
        before = self.classes.currentText()
        self.classes.clear()
        if labels is None:
            self.rows.setRowVisible(self.classes, False)
            return
        dock = self.dock_classes()
        if kinds_of(labels) is not None:
            self.classes.addItem("as the layer says", ("own", None))
        if self.objects.currentData() == "ids":
            for entry in dock or ():
                self.classes.addItem(f"all are {entry.name}", ("of", entry.id))
            for other in self._viewer.layers:
                same = isinstance(other, Labels) and other is not labels
                if same and other.data.shape == labels.data.shape:
                    self.classes.addItem(f"as in {other.name}", ("of", other))
        rest = not self.classes.count() or self.objects.currentData() != "ids"
        if rest and kinds_of(labels) is None:
            if dock is not None:
                self.classes.addItem("those of the Segment page", ("dock", None))
            self.classes.addItem("one a label", ("values", None))
        self.classes.setCurrentIndex(max(0, self.classes.findText(before)))
        self.rows.setRowVisible(self.classes, self.classes.count() > 1)

    def _on_button(self) -> None:
        if self._cancel is not None:
            self.cancel()
        else:
            self.start()

    def cancel(self) -> None:
        """Ask the export, if there is one, to stop after the image it is at."""
        if self._cancel is not None:
            self._cancel.cancel()
            self.show_cancelling()

    def start(self) -> None:
        """Begin to export what is chosen."""
        if self.busy:
            return
        if self._stale:
            self._catch_up()
        try:
            export = self._export()
        except ValueError as error:
            self.summary.say(in_the_dock(str(error)))
            return
        self._cancel = CancelToken()
        self.show_running(len(export.data))
        start_export(
            export,
            self._cancel,
            progress=self._tell,
            returned=self._on_ended,
        )

    def _export(self) -> Export:
        labels = self.labels.labels()
        if labels is None:
            raise ValueError("There are no labels to export; press Run first.")
        folder = self.folder.text().strip()
        if not folder:
            raise ValueError("Folder: it is empty; choose where the dataset goes")
        if self.val.value() + self.test.value() > 100:
            raise ValueError("Shares: val and test are more than 100 % together")
        source, value = self.classes.currentData()
        image = image_of(self._viewer, labels, self.image())
        data = training_data(
            self._viewer,
            labels,
            image,
            objects=self.objects.currentData(),
            classes=self.dock_classes() if source in ("dock", "of") else None,
            of=value if source == "of" else None,
            slices=self.slices.currentData(),
            empty=self.empty.isChecked(),
            review=self.review(labels),
        )
        form = FORMATS[self.format.currentData()]
        return Export(
            data,
            Path(folder).expanduser(),
            form(**self.options.options()),
            val=self.val.value() / 100,
            test=self.test.value() / 100,
            tile=self.tile.value(),
            overlap=self.overlap.value(),
            overwrite=self.overwrite.isChecked(),
        )

    def _tell(self, done: int, name: str) -> None:
        """In the thread."""
        with suppress(RuntimeError):  # the window was closed meanwhile
            self._progressed.emit(done, name)

    def _on_progress(self, done: int, name: str) -> None:
        # One that comes late says nothing about the export that follows.
        if self.busy:
            self.bar.setValue(done)
            self.summary.say(f"Exporting {name}")

    def _on_ended(self, told: Told) -> None:
        if not isalive(self):
            return
        self._cancel = None
        self.show_idle()
        self.refresh()
        self._written = told.folder
        self.open_button.setVisible(told.folder is not None)
        self.summary.say(in_the_dock(told.text), told.lines)

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder of the dataset", self.folder.text()
        )
        if chosen:
            self.folder.setText(chosen)

    def _open_folder(self) -> None:
        if self._written is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._written)))

    def state(self) -> dict[str, Any]:
        """What is set, as plain data."""
        return {
            "format": self.format.currentData(),
            "options": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.options.options().items()
            },
            "folder": self.folder.text(),
            "val": self.val.value(),
            "test": self.test.value(),
            "tile": self.tile.value(),
            "overlap": self.overlap.value(),
            "empty": self.empty.isChecked(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set what `state` gave; what does not fit is left as it is."""
        index = self.format.findData(state.get("format"))
        if index >= 0:
            self.format.setCurrentIndex(index)
            options = state.get("options")
            if isinstance(options, Mapping):
                self.options.restore(options)
        if isinstance(state.get("folder"), str):
            self.folder.setText(state["folder"])
        for name in ("val", "test", "tile", "overlap"):
            value = state.get(name)
            if isinstance(value, int):
                getattr(self, name).setValue(value)
        self.empty.setChecked(state.get("empty") is True)
