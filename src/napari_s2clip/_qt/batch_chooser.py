"""Which images a job is about, and what would be done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFileDialog, QWidget

from ..batch.sheet import sheet_path
from ..methods import find_method
from .batch_form import BatchForm
from .batch_work import Planned, default_folder, given_paths, look
from .control_names import in_the_dock
from .engine import Failure
from .image_table import Row
from .newest import Newest
from .runs import Garbage
from .texts import breakable

if TYPE_CHECKING:
    from ..batch import Job
    from .controls import Controls

__all__ = ["BatchChooser"]

_REST = 400  # milliseconds after the last change before images are looked for


class BatchChooser(BatchForm):
    """Looks, in a thread, which images there are and which of them are done.

    Attributes
    ----------
    controls : Controls or None
        Say what is done.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.controls: Controls | None = None
        self._search = Newest(self)
        self._search.idle.connect(self._on_idle)
        self._garbage = Garbage()
        self.destroyed.connect(self._garbage.search)
        self._search.finished.connect(self._on_planned)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self.look)
        self.images.textChanged.connect(self._on_images)
        self.out.textChanged.connect(self._later)
        self.overwrite.toggled.connect(self._later)
        self.contrast.changed.connect(self._on_contrast)
        self.contrast.suggest = self._limits_of_layer
        self.folder_button.clicked.connect(self._choose_folder)
        self.files_button.clicked.connect(self._choose_files)
        self.out_button.clicked.connect(self._choose_out)
        self.table.selectionModel().selectionChanged.connect(self._on_selected)
        self._on_images()

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return False

    @property
    def looking(self) -> bool:
        """Whether images are being looked for, or will be at once."""
        return self._search.busy or self._rest.isActive()

    @property
    def folder(self) -> Path | None:
        """Where results go."""
        text = self.out.text().strip()
        if text:
            return Path(text).expanduser()
        return default_folder(given_paths(self.images.text()))

    def state(self) -> dict[str, Any]:
        """What is set, as plain data."""
        return {
            "images": self.images.text(),
            "out": self.out.text(),
            "pictures": self.pictures.isChecked(),
            **self.contrast.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set what `state` gave; what does not fit is left as it is."""
        for name, edit in (("images", self.images), ("out", self.out)):
            if isinstance(state.get(name), str) and not self.busy:
                edit.setText(state[name])
        self.pictures.setChecked(state.get("pictures") is not False)
        self.contrast.restore(state)

    def _later(self, *_: Any) -> None:
        self._rest.start()

    def showEvent(self, event: QShowEvent) -> None:  # type: ignore[override]
        """The other pages may say something else now."""
        super().showEvent(event)
        self._show_job()
        if not self.busy:
            self._rest.start()

    def _show_job(self) -> Job | None:
        """Say what would be done; the job, if there can be one."""
        try:
            job = self._job()
        except ValueError as error:
            if not self.busy:
                self.about.setText(in_the_dock(str(error)))
            return None
        if not self.busy and self.controls is not None:
            self.about.setText(_about(job, self.controls.choice().spec.title))
            changed = job.settings.model_dump(mode="json", exclude_defaults=True)
            changed.pop("method", None)
            more = "".join(f"\n{name}: {value}" for name, value in changed.items())
            self.about.setToolTip(
                "Classes, models and settings are those of the dock; tiles and\n"
                f"channels those of the page Input.{more}"
            )
        return job

    def _job(self) -> Job:
        if self.controls is None:
            raise ValueError("There are no controls to take the job from")
        return self.controls.job(
            pictures=self.pictures.isChecked(), contrast_limits=self.contrast.limits()
        )

    def _limits_of_layer(self) -> tuple[float, float] | None:
        """Contrast limits of the chosen image; those of colours mean nothing."""
        layer = None if self.controls is None else self.controls.image.layer()
        if layer is None or layer.rgb:
            return None
        low, high = layer.contrast_limits
        return float(low), float(high)

    def _on_contrast(self) -> None:
        if self.isVisible():
            self._show_job()
        self._rest.start()

    def _on_images(self) -> None:
        folder = default_folder(given_paths(self.images.text()))
        self.out.setPlaceholderText(
            "beside the images" if folder is None else str(folder)
        )
        self._rest.start()

    def look(self) -> None:
        """Look in a thread which images there are, and which are done."""
        self._rest.stop()
        given, out = given_paths(self.images.text()), self.folder
        self._show_results()
        if self.busy or not self.isVisible():
            return
        if not given or out is None:
            self._search.cancel()
            self._show_planned(Planned([], [], []), "")
            return
        job = self._show_job()
        overwrite = self.overwrite.isChecked()
        self._search.cancel()
        self.planned.setText("Looking for images…")
        self._garbage.wait()
        self._search.submit(
            (given, out),
            lambda progress, cancel: look(
                given, out, job, overwrite=overwrite, cancel=cancel
            ),
        )

    def _on_idle(self) -> None:
        if isalive(self):
            self._garbage.search()

    def _on_planned(self, tag: Any, outcome: Planned | Failure | None) -> None:
        now = given_paths(self.images.text()), self.folder
        if not isalive(self) or self.busy or outcome is None or tag != now:
            return
        if isinstance(outcome, Failure):
            self._show_planned(Planned([], [], []), outcome.message)
        else:
            self._show_planned(outcome, outcome.words())

    def _show_planned(self, planned: Planned, words: str) -> None:
        self.planned.setText(breakable(words))
        self.planned.setVisible(bool(words))
        self.table.images.set_rows(
            [*map(Row, planned.names, planned.states, planned.reasons)]
        )
        self._on_selected()

    def _show_results(self) -> None:
        folder = self.folder
        there = folder is not None and sheet_path(folder).is_file()
        self.sheet_button.setEnabled(there)

    def _on_selected(self, *_: Any) -> None:
        """Say why the selected image failed."""
        number = self.table.current()
        row = None if number is None else self.table.images.rows[number]
        self.reason.setText("" if row is None else breakable(row.more))
        self.reason.setVisible(row is not None and bool(row.more))

    def _choose_folder(self) -> None:
        self._choose(
            self.images, partial(QFileDialog.getExistingDirectory, self, "Images")
        )

    def _choose_out(self) -> None:
        self._choose(
            self.out, partial(QFileDialog.getExistingDirectory, self, "Results")
        )

    def _choose(self, edit: Any, ask: Callable[[str], str]) -> None:
        now = self.folder if edit is self.out else None
        chosen = ask(edit.text() or str(now or ""))
        if chosen:
            edit.setText(chosen)

    def _choose_files(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self, "Images")
        if files:
            self.images.setText("; ".join(files))


def _about(job: Job, title: str) -> str:
    """What is done, in one line: ``2 classes (cat, dog); …``."""
    names = ", ".join(job.classes.names[:4])
    more = ", …" if len(job.classes) > 4 else ""
    count = len(job.classes)
    method = find_method(job.settings.method).title
    device = "" if job.device == "auto" else f", {job.device.upper()}"
    precision = "" if job.precision == "auto" else f" {job.precision}"
    refine = "" if job.settings.refine else ", not refined"
    return (
        f"{count} class{'' if count == 1 else 'es'} ({names}{more}); {title}, "
        f"{method}{refine}{device}{precision}"
    )
