"""Layers follow the controls without a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import QSignalDebouncer

from .control_names import in_the_dock

if TYPE_CHECKING:
    from .controls import Controls
    from .engine import Request
    from .results import Results
    from .runs import Runs

__all__ = ["LiveUpdates"]

_PAUSE = 5
"""After the last change of a control until it is shown, in ms."""


class LiveUpdates(QObject):
    """Brings the layers up to date with the controls; nothing is encoded for it.

    Parameters
    ----------
    controls : Controls
    runs : Runs
    results : Results

    Attributes
    ----------
    shown : Request or None
        Whose result is in the viewer.
    """

    noted = Signal(str)
    """One line about why nothing happens."""

    def __init__(
        self,
        controls: Controls,
        runs: Runs,
        results: Results,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._controls = controls
        self._runs = runs
        self._results = results
        self.shown: Request | None = None
        self._pause = QSignalDebouncer(parent=self)
        self._pause.setTimeout(_PAUSE)
        self._pause.triggered.connect(self.update)

    def follow(self, shown: Request | None) -> None:
        """Work on what this request has found from now on."""
        self.shown = shown

    def soon(self) -> None:
        """Update when the controls have come to rest."""
        self._pause.throttle()

    def not_now(self) -> None:
        """Drop an update that is due; a run does its work."""
        self._pause.cancel()

    def update(self) -> None:
        """Update now, if something else is asked for than what is shown."""
        if self._results.wait(self.update):
            return
        controls, shown = self._controls, self.shown
        layer = controls.image.layer()
        if self._runs.running or not controls.tune.live.isChecked() or layer is None:
            return
        if shown is None or shown.layer is not layer:
            if self._results.output is not None:
                self.noted.emit("Press Run once; then changes act at once.")
            return
        try:
            request = controls.update_of(shown)
        except ValueError as error:
            self.noted.emit(in_the_dock(str(error)))
            return
        if _asked(request) == _asked(shown):
            self._runs.cancel()  # an update that is no longer wanted
        elif self._runs.claim:
            self.noted.emit(self._runs.claim)
        else:
            self._results.begin_update()
            self._runs.start(request)


def _asked(request: Request) -> tuple[object, ...]:
    """What an update depends on; a name may only be called otherwise."""
    classes = request.classes
    rows = [(entry.id, entry.synonyms, entry.threshold) for entry in classes]
    planes = [plane.position for plane in request.target.planes]
    return rows, classes.background, request.settings, planes
