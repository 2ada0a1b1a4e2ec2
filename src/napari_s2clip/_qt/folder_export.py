"""Training data out of a folder of results, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..batch.finished import finished_images
from ..batch.training import FolderItems
from ..datasets import FORMATS, DatasetWriter
from ..datasets.export import export_items
from .engine import Failure
from .export_form import folder_row
from .export_worker import Told, told
from .format_options import FormatOptions
from .newest import Newest
from .scope_rows import new_combo
from .summary_box import SummaryBox

if TYPE_CHECKING:
    from ..datasets import Format
    from ..progress import CancelToken

__all__ = ["FolderExport", "export_folder"]


def export_folder(
    folder: Path,
    out: Path,
    form: Format,
    *,
    reviewed_only: bool,
    overwrite: bool,
    moved: Path | None,
    progress: Callable[[int, int, str], None],
    cancel: CancelToken,
) -> Told:
    """Write the images of a folder of results into a dataset, as they are now.

    Parameters
    ----------
    folder, out : Path
    form : Format
    reviewed_only, overwrite : bool
    moved : Path or None
        Where the images are, if they were moved.
    progress : callable
        Takes the number of an image, how many there are, and its name.
    cancel : CancelToken

    Raises
    ------
    ValueError, OSError
        If there are no results, or the dataset cannot be written.
    """
    if out.resolve() == folder.resolve():
        raise ValueError("Folder: choose another one than that of the results")
    images = finished_images(folder)
    writer = DatasetWriter(out, form, images[0].classes, overwrite=overwrite)

    def step(number: int, name: str) -> None:
        cancel.raise_if_cancelled()
        progress(number, len(images), name)

    items = FolderItems(
        images, reviewed_only=reviewed_only, sources=moved, progress=step
    )
    return told(export_items(items, writer), items.skipped)


class FolderExport(QWidget):
    """A small form: format, folder, and a button.

    Attributes
    ----------
    before : callable
        Called with what is to be done once all corrections are saved.
    moved : Path or None
        Where the images are, if they were moved.
    """

    _progressed = Signal(int, int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.before: Callable[[Callable[[], None]], None] = lambda then: then()
        self.moved: Path | None = None
        self._folder: Path | None = None
        self._work = Newest(self)
        self._work.finished.connect(self._on_ended)
        self._progressed.connect(self._on_progress)
        self.format = new_combo("Format of the dataset.", {n: n for n in FORMATS})
        self.options = FormatOptions()
        self.out, self.browse, row = folder_row(
            "Folder of the dataset; it is made, or images are added to it."
        )
        self.reviewed = QCheckBox("Reviewed images only")
        self.overwrite = QCheckBox("Replace existing images")
        self.overwrite.setToolTip(
            "Images that are in the dataset already are written anew; else they are\n"
            "left as they are."
        )
        self.button = QPushButton("E&xport folder")
        self.bar = QProgressBar()
        self.bar.hide()
        self.summary = SummaryBox()
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.addRow("For&mat", self.format)
        form.addRow(self.options)
        form.addRow("Fol&der", row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        for widget in (
            *(self.reviewed, self.overwrite, self.button, self.bar, self.summary),
        ):
            layout.addWidget(widget)
        self.format.currentIndexChanged.connect(self._on_format)
        self.browse.clicked.connect(self._choose)
        self.button.clicked.connect(self._on_button)
        self._on_format()

    @property
    def busy(self) -> bool:
        """Whether an export is under way."""
        return self._work.busy

    def set_folder(self, folder: Path | None) -> None:
        """Export this folder of results from now on."""
        self._folder = folder
        self.summary.say("")

    def cancel(self) -> None:
        """Ask the export to stop after the image it is at."""
        self._work.cancel()

    def _on_format(self) -> None:
        self.options.set_format(FORMATS[self.format.currentData()])

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder of the dataset", self.out.text()
        )
        if chosen:
            self.out.setText(chosen)

    def _on_button(self) -> None:
        if self.busy:
            self.cancel()
            self.button.setText("Cancelling…")
            self.button.setEnabled(False)
        else:
            self.before(self.start)

    def start(self) -> None:
        """Begin to export, or say why not."""
        folder, text = self._folder, self.out.text().strip()
        if folder is None or self.busy:
            return
        if not text:
            self.summary.say("Folder: it is empty; choose where the dataset goes")
            return
        try:
            form = FORMATS[self.format.currentData()](**self.options.options())
        except ValueError as error:
            self.summary.say(str(error))
            return
        out = Path(text).expanduser()
        moved = self.moved
        reviewed, overwrite = self.reviewed.isChecked(), self.overwrite.isChecked()
        self.button.setText("Cancel")
        self.bar.setRange(0, 0)
        self.bar.show()
        self.summary.say("Exporting…")
        self._work.submit(
            out,
            lambda _, cancel: export_folder(
                folder,
                out,
                form,
                reviewed_only=reviewed,
                overwrite=overwrite,
                moved=moved,
                progress=self._progressed.emit,
                cancel=cancel,
            ),
        )

    def _on_progress(self, number: int, count: int, name: str) -> None:
        if self.busy:
            self.bar.setRange(0, count)
            self.bar.setValue(number)
            self.summary.say(f"Exporting {name}")

    def _on_ended(self, tag: Any, outcome: Told | Failure | None) -> None:
        if not isalive(self):
            return
        self.bar.hide()
        self.button.setText("E&xport folder")
        self.button.setEnabled(True)
        if isinstance(outcome, Told):
            self.summary.say(outcome.text, outcome.lines)
        elif isinstance(outcome, Failure):
            self.summary.say(outcome.message)
        else:
            self.summary.say("Cancelled; nothing was written.")
