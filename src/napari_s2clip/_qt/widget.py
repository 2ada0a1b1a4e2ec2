"""The dock widget: puts the panels together and starts runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import (
    ErrorNotification,
    notification_manager,
    show_error,
)
from qtpy.compat import isalive
from qtpy.QtCore import QEvent
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QFormLayout, QTabWidget, QVBoxLayout, QWidget
from superqt.utils import QSignalDebouncer

from ..layers import apply_classes, class_names, outputs_of, show_result
from ..planes import take_target
from ..progress import Progress
from .activity import Activity
from .class_panel import ClassPanel
from .hover_line import HoverLine
from .layer_combo import ImageCombo
from .models_desk import ModelsDesk
from .outputs_row import OutputsRow
from .pages import Page
from .run_panel import RunPanel
from .runs import Runs
from .scope_panel import ScopePanel
from .texts import summary
from .tune_panel import TunePanel
from .engine import Done, Download, Draft, Engine, Failure, Outcome, Request

if TYPE_CHECKING:
    import napari.viewer

    from ..classes import ClassSet
    from ..layers import OutputSet

__all__ = ["S2CLIPWidget"]

_PAUSE = 80
"""After the last change of a control until it is shown, in ms."""


class S2CLIPWidget(QWidget):
    """Segment an image by class names."""

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self.engine = Engine()
        self.runs = Runs(self.engine, self)
        self._shown: Request | None = None

        self.image = ImageCombo(napari_viewer)
        self.classes = ClassPanel()
        self.desk = ModelsDesk(self.engine, lambda: self.runs.busy, self)
        self.models = self.desk.panel
        self.scope = ScopePanel(napari_viewer)
        self.outputs = OutputsRow()
        self.tune = TunePanel()
        self.run = RunPanel()
        self.hover = HoverLine(napari_viewer)
        self._activity = Activity()
        self._pause = QSignalDebouncer(parent=self)
        self._pause.setTimeout(_PAUSE)
        self._lay_out()
        self._connect()
        self._on_image()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Image", self.image)
        self.pages = QTabWidget()
        self.segment_page = Page(
            self.classes, self.models, self.scope, self.outputs, stretched=self.classes
        )
        self.tune_page = Page(self.tune)
        for page, title, about in (
            (self.segment_page, "Segment", "Classes, models, and what is segmented."),
            (self.tune_page, "Tune", "Thresholds that act at once."),
        ):
            index = self.pages.addTab(page, title)
            self.pages.setTabToolTip(index, about)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(form)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.hover)
        layout.addWidget(self.run)
        self.setMinimumWidth(230)

    def _connect(self) -> None:
        self.image.layer_changed.connect(self._on_image)
        self.run.run_requested.connect(self.start)
        self.run.cancel_requested.connect(self.cancel)
        self.runs.progressed.connect(self._on_progress)
        self.runs.ended.connect(self._on_ended)
        self.desk.changed.connect(self.segment_page.fit)
        self.desk.asked.connect(self._show_question)
        self.desk.accepted.connect(self._download_and_start)
        self.desk.refused.connect(self._show_idle)
        self.models.method_changed.connect(self.tune.set_method)
        self.tune.changed.connect(self._pause.throttle)
        self.tune.live.toggled.connect(self._pause.throttle)
        self.classes.classes_changed.connect(self._pause.throttle)
        self.classes.look_changed.connect(self._on_look)
        self._pause.triggered.connect(self.update_live)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; napari calls it when the list changes."""
        # Older versions of napari call it once more for a deleted widget.
        if isalive(self.image):
            self.image.refresh()

    def start(self, *, download: bool = False) -> None:
        """Start a run on what is chosen of the image.

        Parameters
        ----------
        download : bool
            Whether files that are missing are downloaded first, or asked for.
        """
        if self.runs.running:
            return
        try:
            request = self._request(download)
        except ValueError as error:
            show_error(str(error))
            return
        if not download and not self.desk.all_here(request.settings):
            return
        self.run.show_running("; ".join(request.target.notes))
        self.desk.show_running()
        self._activity.begin(f"S2CLIP: {request.target.image_name}")
        self.runs.start(request)

    def update_live(self) -> None:
        """Bring the layers up to date with the controls, without encoding anything."""
        shown = self._shown
        if shown is None or self.runs.running or not self.tune.live.isChecked():
            return
        try:
            request = replace(
                shown,
                classes=self.classes.class_set(),
                settings=self.tune.settings(),
                live=True,
            )
        except ValueError as error:
            self.run.show_note(str(error))
            return
        if (request.classes, request.settings) == (shown.classes, shown.settings):
            self.runs.cancel()  # an update that is no longer wanted
            return
        self.runs.start(request)

    def cancel(self) -> None:
        """Ask the run, if there is one, to stop at its next step."""
        if self.runs.busy:
            self.runs.cancel()
            self.run.show_cancelling()

    def _request(self, download: bool) -> Request:
        layer = self.image.layer()
        if layer is None:
            raise ValueError("There is no image to segment; open one first.")
        return Request(
            layer=layer,
            target=take_target(
                self._viewer, layer, self.scope.scope(self._viewer, layer)
            ),
            classes=self.classes.class_set(),
            spec=self.models.spec,
            settings=self.tune.settings(),
            device=self.models.device,
            precision=self.models.precision,
            store=self.models.store,
            tiling=self.scope.tiling,
            probabilities=self.outputs.probabilities.isChecked(),
            download=download,
        )

    def _download_and_start(self) -> None:
        self.start(download=True)

    def _show_question(self) -> None:
        self.pages.setCurrentWidget(self.segment_page)
        self.segment_page.fit()
        self.segment_page.ensureWidgetVisible(self.models.state.download_button)

    def _on_image(self) -> None:
        layer = self.image.layer()
        self.scope.set_layer(layer)
        if layer is not None:
            self.classes.offer(class_names(layer))
        found = outputs_of(self._viewer, layer) if layer is not None else []
        self._set_output(found[0] if found else None)

    def _on_look(self, classes: ClassSet) -> None:
        layer = self.image.layer()
        if layer is not None:
            apply_classes(self._viewer, layer, classes)

    def _on_progress(
        self, request: Request, progress: Progress | Download | Draft
    ) -> None:
        if isinstance(progress, Draft):
            self._show(request, progress, stages=("coarse", "regions"))
        elif isinstance(progress, Download):
            self.run.show_download(progress)
        elif request.live:
            self.run.show_update(progress)
        else:
            self.run.show_progress(progress)
            self._activity.show(progress)

    def _on_ended(self, request: Request, outcome: Outcome) -> None:
        if not request.live:
            self._activity.end()
        if isinstance(outcome, Done):
            gone = request.layer not in self._viewer.layers
            notes = self._show(request, outcome)
            self._shown = request
            name = request.layer.name
            self._show_idle(summary(outcome.result, name, gone, notes))
            self._pause.throttle()  # the controls may have been moved meanwhile
        elif isinstance(outcome, Failure):
            # The notification goes after some seconds; what to do must stay readable.
            self._show_idle(outcome.message)
            if not request.live:
                _show(outcome)
        elif not request.live:
            self._show_idle("Cancelled; nothing was changed.")
        elif not self.runs.busy:
            self.run.show_idle("")
        self.models.refresh()

    def _show(
        self, request: Request, found: Done | Draft, **options: Any
    ) -> tuple[str, ...]:
        """Bring a result into the viewer; what was done with the layers, for people."""
        shown = show_result(
            self._viewer,
            request.layer,
            found.result,
            edited=self.outputs.edited,
            amend=request.live,
            **options,
        )
        outputs = outputs_of(self._viewer, request.layer)
        if outputs and request.layer is self.image.layer():
            self._set_output(outputs[0])
        if isinstance(found, Done):
            regions = found.result.region_table["class_id"].value_counts().to_dict()
            self.classes.show_counts(found.pixels, regions)
        return shown.notes

    def _set_output(self, output: OutputSet | None) -> None:
        self.hover.set_output(output)

    def _show_idle(self, text: str) -> None:
        """Say how a run ended."""
        self.run.show_idle(text)
        self.desk.show_memory()

    def event(self, event: QEvent) -> bool:  # type: ignore[override]
        """Stop the run when napari takes the widget out of its dock."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._leave()
        return super().event(event)

    def closeEvent(self, event: QCloseEvent) -> None:  # type: ignore[override]
        """Stop the run when the widget is closed."""
        self._leave()
        super().closeEvent(event)

    def _leave(self) -> None:
        self.cancel()
        self.desk.close()
        self._activity.end()


def _show(failure: Failure) -> None:
    if failure.surprise is None:
        show_error(failure.message)
    else:
        notification_manager.dispatch(ErrorNotification(failure.surprise))
