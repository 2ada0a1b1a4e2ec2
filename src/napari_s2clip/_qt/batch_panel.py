"""The job of the dock over files and folders, in a thread."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.compat import isalive
from qtpy.QtCore import QTimer, QUrl, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDesktopServices, QGuiApplication
from qtpy.QtWidgets import QWidget

from ..batch.sheet import sheet_path
from ..time_left import in_words
from .batch_chooser import BatchChooser
from .batch_work import (
    BatchRequest,
    Finished,
    Planned,
    Reports,
    given_paths,
    run,
)
from .control_names import in_the_dock
from .engine import Failure
from .image_table import Row
from .newest import Newest
from .texts import breakable, to_download

if TYPE_CHECKING:
    from ..batch import Outcome
    from .engine import Engine
    from .runs import Runs

__all__ = ["BatchPanel"]

_CLAIM: Final = (
    "A job over many images is under way on the page Batch; wait, or cancel."
)
_INTERVAL = 100  # milliseconds between two looks at what the thread has reported
_AT_ONCE = 5000  # images whose states are shown in one look


class BatchPanel(BatchChooser):
    """Runs what the dock is set to on many images.

    Parameters
    ----------
    engine : Engine
    runs : Runs
        Run nothing meanwhile.
    """

    review_requested = Signal(object)
    """Somebody wants to look through this folder of results; None if none is named."""

    began = Signal(str)
    """A job has begun in this folder."""

    def __init__(
        self, engine: Engine, runs: Runs, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._engine, self._runs = engine, runs
        self._request: BatchRequest | None = None
        self._reports = Reports()
        self._counts: Counter[str] = Counter()
        self._next = 0
        self._told: tuple[Any, ...] = ()
        self._work = Newest(self)
        self._work.finished.connect(self._on_ended)
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._take_reports)
        self.button.clicked.connect(self._on_button)
        self.copy_button.clicked.connect(self._copy)
        self.sheet_button.clicked.connect(self._open_sheet)
        self.review_button.clicked.connect(
            lambda: self.review_requested.emit(self._reviewable())
        )

    # ------------------------------------------------------------------- state

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self._request is not None

    def leave(self) -> None:
        """Stop what is under way; the window closes."""
        self._rest.stop()
        self._search.cancel()
        self._work.cancel()

    # --------------------------------------------------------------------- run

    def _on_button(self) -> None:
        if self.busy:
            self.cancel()
        else:
            self.start()

    def refuse(self, why: str) -> None:
        """Say why results cannot be shown, until something else is chosen."""
        self._told = self._asked()
        self.say(breakable(why))

    def cancel(self) -> None:
        """Ask the job to stop; images that are being written are finished."""
        if self.busy:
            self._work.cancel()
            self.show_cancelling()

    def start(self) -> None:
        """Begin with the job, or say why not."""
        if self.busy:
            return
        self._told = self._asked()
        try:
            request = self._make_request()
        except ValueError as error:
            self.say(breakable(in_the_dock(str(error))))
            return
        if not self._runs.keep_for(_CLAIM):
            self.say("A run uses the models; wait until it is done, or cancel it.")
            return
        self._rest.stop()
        self._search.cancel()
        self._request, self._reports = request, Reports()
        self._counts, self._next = Counter(), 0
        self.show_running()
        self.say("Looking for images…")
        self.planned.hide()
        self.copy_button.hide()
        self.began.emit(str(request.out))
        reports, engine = self._reports, self._engine
        self._work.submit(
            request, lambda progress, cancel: run(engine, request, reports, cancel)
        )
        self._timer.start()

    def _make_request(self) -> BatchRequest:
        given, out = given_paths(self.images.text()), self.folder
        if not given:
            raise ValueError("Images: choose a folder, files or a pattern")
        if out is None:
            raise ValueError("Results: choose a folder for the results")
        job = self._job()
        assert self.controls is not None
        missing = self.controls.models.missing(job.settings)
        if missing:
            names = ", ".join(card.title for card in missing)
            raise ValueError(
                f"{names}: {to_download(missing)} to download first; press Models… on "
                "the page Segment"
            )
        overwrite = self.overwrite.isChecked()
        return BatchRequest(job, self.controls.choice(), given, out, overwrite)

    def _asked(self) -> tuple[Any, ...]:
        """What a job would be about; what is said of one is not said of another."""
        try:
            job = self._job().fingerprint
        except ValueError:
            job = ""
        return self.images.text(), self.folder, job, self.overwrite.isChecked()

    def _show_planned(self, planned: Planned, words: str) -> None:
        super()._show_planned(planned, words)
        self.copy_button.hide()  # the list has no failures any more
        if self._asked() != self._told:
            self.say("")
            self.classes.hide()

    def _take_reports(self) -> None:
        """Show what has happened since the last look."""
        reports = self._reports
        if reports.names is not None:
            self.table.images.set_rows([Row(n, "waiting") for n in reports.names])
            reports.names = None
            self._next = 0
        changes: dict[int, Row] = {}
        while reports.outcomes and (
            len(changes) < _AT_ONCE or not self._timer.isActive()
        ):
            outcome = reports.outcomes.popleft()
            self._counts[outcome.state] += 1
            changes[self._next] = _row(outcome)
            self._next += 1
        if changes:
            self.table.images.update(changes)
            self.copy_button.setVisible(bool(self._counts["failed"]))
            self._on_selected()
        self._show_progress()

    def _show_progress(self) -> None:
        report = self._reports.progress
        if self._reports.loading:
            self.bar.setFormat("Loading models")
            self.say(self._reports.loading)
        if report is None or self._reports.loading:
            return
        done = report.total - report.to_compute + report.computed
        self.bar.setValue(round(1000 * done / max(1, report.total)))
        self.bar.setFormat(f"{report.finished:,} of {report.total:,}")
        words = [report.image]
        if report.rate is not None:
            words.append(_speed(report.rate))
        if report.seconds_left is not None:
            words.append(f"{in_words(report.seconds_left)} left")
        self.say(breakable(", ".join(words)))

    def _on_ended(self, request: Any, outcome: Finished | Failure | None) -> None:
        if not isalive(self):
            return
        self._timer.stop()
        self._take_reports()
        self._request = None
        self._runs.give_back()
        self.show_idle()
        counts = ", ".join(
            f"{self._counts[state]:,} {words}"
            for state, words in (
                ("done", "done"),
                ("skipped", "done before"),
                ("kept", "kept as edited"),
                ("failed", "failed"),
            )
            if self._counts[state]
        )
        if isinstance(outcome, Finished):
            self.classes.show_summary(outcome.summary, request.job.classes)
            others = outcome.summary.said_of_others
            self.say(f"{counts}." + (f" {others}." if others else ""))
        elif isinstance(outcome, Failure):
            self.say(breakable(in_the_dock(outcome.message, settings=True)))
        else:
            self.say(
                f"Cancelled; {counts or 'nothing was done'}. Run it again to go on."
            )
        self._show_results()

    # ----------------------------------------------------------------- results

    def _reviewable(self) -> Path | None:
        folder = self.folder
        return folder if folder is not None and folder.is_dir() else None

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        rows = self.table.images.rows
        failed = [f"{row.name}\t{row.more}" for row in rows if row.state == "failed"]
        if clipboard is not None:
            clipboard.setText("\n".join(failed))

    def _open_sheet(self) -> None:
        if self.folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(sheet_path(self.folder))))


def _row(outcome: Outcome) -> Row:
    state = outcome.state if outcome.state in ("failed", "kept") else "done"
    more = "done before" if outcome.state == "skipped" else outcome.error
    if outcome.state == "done":
        count = outcome.told["regions"]
        more = f"{count:,} region{'' if count == 1 else 's'}"
    return Row(outcome.input.name, state, more)


def _speed(rate: float) -> str:
    """``2.5 images/s``, or seconds an image where that is more than one."""
    return f"{rate:.1f} images/s" if rate >= 1 else f"{1 / rate:.1f} s/image"
