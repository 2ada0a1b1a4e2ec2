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
from qtpy.QtCore import QEvent, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QFormLayout, QScrollArea, QVBoxLayout, QWidget

from ..layers import add_segmentation, class_names
from ..models.bring import describe_transfer
from ..models.errors import WeightsNotFound
from ..models.weights import locate
from ..planes import take_target
from ..progress import CancelToken, Progress
from ..results import Segmentation
from .activity import Activity
from .class_panel import ClassPanel
from .layer_combo import ImageCombo
from .model_panel import ModelPanel
from .models_dialog import ModelsDialog
from .preferences import follow_preferences, read_preferences
from .run_panel import RunPanel
from .texts import breakable, summary
from .transfers import Transfers
from .worker import Download, Engine, Failure, Request, start_run

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Image

    from ..planes import Target

__all__ = ["S2CLIPWidget"]


class S2CLIPWidget(QWidget):
    """Segment an image by class names."""

    # Emitted in the thread of the run, received in the GUI's.
    _progressed = Signal(object)

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._engine = Engine()
        self._cancel: CancelToken | None = None
        self._run_on: tuple[Image, Target] | None = None

        self.image = ImageCombo(napari_viewer)
        self.classes = ClassPanel()
        self._preferences = read_preferences()
        self.models = ModelPanel(self._preferences.store())
        self.models.where.choose(self._preferences.device, self._preferences.precision)
        self.transfers = Transfers(self)
        self.dialog: ModelsDialog | None = None
        self.run = RunPanel()
        self._activity = Activity()
        self._lay_out()

        self.image.layer_changed.connect(self._on_image)
        self.run.run_requested.connect(self.start)
        self.run.cancel_requested.connect(self.cancel)
        self._progressed.connect(self._on_progress)
        self.models.spec_changed.connect(self._on_spec)
        self.models.state.models_button.clicked.connect(self.open_models)
        self.models.state.accepted.connect(self._download_and_start)
        self.transfers.changed.connect(self._on_transfer)
        self.transfers.ended.connect(self._on_files)
        follow_preferences(self._on_preferences)
        self._on_image()

    def _lay_out(self) -> None:
        inner = QWidget()
        self._column = column = QVBoxLayout(inner)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Image", self.image)
        column.addLayout(form)
        column.addWidget(self.classes, 1)
        column.addWidget(self.models)
        column.addWidget(self.run)
        self._scroll = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.setMinimumWidth(230)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; napari calls it when the list changes."""
        # Older versions of napari call it once more for a deleted widget.
        if isalive(self.image):
            self.image.refresh()

    def start(self, *, download: bool = False) -> None:
        """Start a run on what is shown of the chosen image.

        Parameters
        ----------
        download : bool
            Whether files that are missing are downloaded first, or asked for.
        """
        if self.run.running:
            return
        layer = self.image.layer()
        if layer is None:
            show_error("There is no image to segment; open one first.")
            return
        try:
            classes = self.classes.class_set()
            target = take_target(self._viewer, layer)
            plane = replace(target.planes[0], notes=target.notes)
        except ValueError as error:
            show_error(str(error))
            return
        if not download and not self._all_here():
            return
        self._cancel = CancelToken()
        self._run_on = (layer, target)
        self.run.show_running("; ".join(plane.notes))
        self.models.refresh()
        if self.dialog is not None:
            self.dialog.show_running()
        self._activity.begin(f"S2CLIP: {layer.name}")
        start_run(
            self._engine,
            Request(
                plane,
                classes,
                self.models.spec,
                self.models.settings,
                self.models.device,
                self.models.precision,
                self.models.store,
                download,
            ),
            self._cancel,
            progress=self._progressed.emit,
            returned=self._on_returned,
        )

    def _download_and_start(self) -> None:
        self.start(download=True)

    def _all_here(self) -> bool:
        """Whether a run has its files; if not, asks or says what to do."""
        missing, store = self.models.missing(), self.models.store
        for card in missing:
            if not card.can_be_downloaded:
                try:
                    locate(card, None, store)
                except WeightsNotFound as error:
                    self._show_idle(error.what)
                return False
        if missing:
            self.models.state.ask(missing, offline=store.offline)
            self._fit()
            self._scroll.ensureWidgetVisible(self.models.state.download_button)
        return not missing

    def open_models(self) -> None:
        """Open the window that lists the models."""
        self.models.reload()
        if self.dialog is None:
            self.dialog = ModelsDialog(
                self.transfers, self.models.store, self.models.spec, self
            )
            self.dialog.preset_added.connect(self._on_preset)
            self.dialog.list_changed.connect(self._on_list)
            self.dialog.memory_unwanted.connect(self._free_memory)
        self._show_memory()
        self.dialog.show()
        self.dialog.raise_()

    def cancel(self) -> None:
        """Ask the run, if there is one, to stop at its next step."""
        if self._cancel is not None:
            self._cancel.cancel()
            self.run.show_cancelling()

    def _on_image(self) -> None:
        layer = self.image.layer()
        if layer is not None:
            self.classes.offer(class_names(layer))

    def _on_spec(self) -> None:
        if self.dialog is not None:
            self.dialog.show_spec(self.models.spec, self.models.store)

    def _on_preset(self, name: str) -> None:
        self.models.reload()
        self.models.choose(name)

    def _on_list(self) -> None:
        self.models.reload()
        if self.dialog is not None:
            self.dialog.rebuild()

    def _on_transfer(self) -> None:
        """Say in the dock how far a download of the chosen models is."""
        for card in self.models.spec.parts:
            transfer = self.transfers.of(card)
            if transfer is not None and not self.models.state.asks:
                self.models.state.show_details(describe_transfer(transfer))
                self._fit()
                return

    def _on_files(self, words: str) -> None:
        self.models.refresh()
        if self.dialog is None or not self.dialog.isVisible():
            # Nobody would read it there.
            self.models.state.show_details(breakable(words))
            self._fit()
        self._on_transfer()

    def _on_preferences(self, event: Any = None) -> None:
        """Follow napari's settings; what the user chose here stays."""
        if not isalive(self.models):
            return
        old, new = self._preferences, read_preferences()
        self._preferences = new
        device = new.device if new.device != old.device else self.models.device
        precision = (
            new.precision if new.precision != old.precision else self.models.precision
        )
        self.models.where.choose(device, precision)
        if new.store_facts != old.store_facts:
            self.models.store = new.store()
            self._on_spec()

    def _free_memory(self) -> None:
        if not self.run.running:
            self._engine.release()
        self._show_memory()

    def _show_memory(self) -> None:
        # During a run the models are in use, and asking them would wait for it.
        if self.dialog is not None and not self.run.running:
            self.dialog.show_memory(self._engine.held(), self._engine.device)

    def _on_progress(self, progress: Progress | Download) -> None:
        if not self.run.running:
            return
        if isinstance(progress, Download):
            self.run.show_download(progress)
        else:
            self.run.show_progress(progress)
            self._activity.show(progress)

    def _on_returned(self, outcome: Segmentation | Failure | None) -> None:
        cancelled = self._cancel is not None and self._cancel.cancelled
        run_on, self._run_on, self._cancel = self._run_on, None, None
        self._activity.end()
        self.models.refresh()
        if cancelled or outcome is None or run_on is None:
            self._show_idle("Cancelled; nothing was changed.")
        elif isinstance(outcome, Failure):
            # The notification goes after some seconds; what to do must stay readable.
            self._show_idle(outcome.message)
            _show(outcome)
        else:
            layer, target = run_on
            gone = layer not in self._viewer.layers
            add_segmentation(self._viewer, layer, outcome, target=target)
            self._show_idle(summary(outcome, layer.name, gone))

    def _show_idle(self, text: str) -> None:
        """Say how a run ended, where it can be seen."""
        self.run.show_idle(text)
        self._show_memory()
        self._fit()
        self._scroll.ensureWidgetVisible(self.run.status)

    def _fit(self) -> None:
        """Make room for a new text; Qt would find out its height only later."""
        for layout in (self.run.layout(), self.models.layout(), self._column):
            if layout is not None:
                layout.activate()
        inner, view = self._scroll.widget(), self._scroll.viewport()
        if inner is not None and view is not None:
            height = self._column.totalHeightForWidth(inner.width())
            inner.resize(inner.width(), max(height, view.height()))

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
        self.transfers.cancel_all()
        if self.dialog is not None:
            self.dialog.close()
        self._activity.end()


def _show(failure: Failure) -> None:
    if failure.surprise is None:
        show_error(failure.message)
    else:
        notification_manager.dispatch(ErrorNotification(failure.surprise))
