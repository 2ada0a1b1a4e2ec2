"""Runs of the dock from the button to the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import (
    ErrorNotification,
    notification_manager,
    show_error,
)
from qtpy.QtCore import QObject

from ..progress import Progress
from .activity import Activity
from .control_names import in_the_dock
from .engine import Done, Download, Draft, Failure, Outcome, Request
from .texts import summary

if TYPE_CHECKING:
    from .controls import Controls
    from .live_updates import LiveUpdates
    from .models_desk import ModelsDesk
    from .remember import Remembering
    from .results import Results
    from .run_panel import RunPanel
    from .runs import Runs

__all__ = ["RunDesk"]


class RunDesk(QObject):
    """Starts runs, says how far they are, and brings in what they found.

    Parameters
    ----------
    controls : Controls
    runs : Runs
    desk : ModelsDesk
    panel : RunPanel
    live : LiveUpdates
    results : Results
    memory : Remembering
    """

    def __init__(
        self,
        *,
        controls: Controls,
        runs: Runs,
        desk: ModelsDesk,
        panel: RunPanel,
        live: LiveUpdates,
        results: Results,
        memory: Remembering,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._controls, self._runs, self._desk = controls, runs, desk
        self._panel, self._live, self._results = panel, live, results
        self._memory = memory
        self._activity = Activity()
        panel.run_requested.connect(self.start)
        panel.cancel_requested.connect(self.cancel)
        runs.progressed.connect(self._on_progress)
        runs.ended.connect(self._on_ended)
        desk.accepted.connect(self._download_and_start)
        desk.refused.connect(self._show_idle)

    def start(self, *, download: bool = False) -> None:
        """Start a run on what is chosen of the image.

        Parameters
        ----------
        download : bool
            Whether files that are missing are downloaded first, or asked for.
        """
        if self._runs.running:
            return
        if self._runs.claim:
            self._show_idle(self._runs.claim)
            return
        try:
            request = self._controls.request(download=download)
        except ValueError as error:
            show_error(in_the_dock(str(error)))
            self._show_idle(in_the_dock(str(error)))
            return
        if not download and not self._desk.all_here(request.settings):
            return
        self._live.not_now()
        self._panel.show_running("; ".join(request.target.notes))
        self._desk.show_running()
        self._activity.begin(f"S2CLIP: {request.target.image_name}")
        self._runs.start(request)

    def cancel(self) -> None:
        """Ask the run, if there is one, to stop at its next step."""
        if self._runs.request is not None:
            self._runs.cancel()
            self._panel.show_cancelling()

    def leave(self) -> None:
        """Take away what napari shows of a run; the window closes."""
        self._activity.end()

    def _download_and_start(self) -> None:
        self.start(download=True)

    def _on_progress(
        self, request: Request, progress: Progress | Download | Draft
    ) -> None:
        if isinstance(progress, Draft):
            if self._results.wait(self._on_progress, request, progress):
                return
            # Regions and the refined map belong together.
            edited = self._controls.outputs.edited
            self._results.show(request, progress, edited, stages=("coarse",))
        elif isinstance(progress, Download):
            self._panel.show_download(progress)
        elif request.live:
            self._panel.show_update(progress)
        else:
            self._panel.show_progress(progress)
            self._activity.show(progress)

    def _on_ended(self, request: Request, outcome: Outcome) -> None:
        if self._results.wait(self._on_ended, request, outcome):
            return
        if not self._runs.running:
            # Also a run that waited for this update, and was cancelled meanwhile.
            self._activity.end()
        if isinstance(outcome, Done):
            controls = self._controls
            gone = request.layer not in controls.viewer.layers
            notes = self._results.show(request, outcome, controls.outputs.edited)
            self._live.follow(request)
            self._memory.keep()
            self._show_idle(*summary(outcome, request.layer.name, gone, notes))
            self._live.soon()  # the controls may have been moved meanwhile
        elif isinstance(outcome, Failure):
            # The notification goes after some seconds; what to do must stay readable.
            self._show_idle(outcome.message)
            if not request.live:
                _show(outcome)
        elif not request.live:
            self._show_idle("Cancelled; nothing was changed.")
        elif not self._runs.busy:
            self._panel.show_idle("Cancelled; move a control again, or press Run.")
        self._desk.panel.refresh()

    def _show_idle(self, text: str, more: str = "") -> None:
        """Say how a run ended; more of it where the mouse rests on it."""
        self._panel.show_idle(text, more)
        self._desk.show_memory()


def _show(failure: Failure) -> None:
    if failure.surprise is None:
        show_error(failure.message)
    else:
        notification_manager.dispatch(ErrorNotification(failure.surprise))
