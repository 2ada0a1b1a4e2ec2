"""The dock widget: puts the panels together and starts runs."""

from __future__ import annotations

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
from ..methods import find_method
from ..plane import take_plane
from ..progress import CancelToken, Progress
from ..results import Segmentation
from .activity import Activity
from .class_panel import ClassPanel
from .layer_combo import ImageCombo
from .model_panel import ModelPanel
from .run_panel import RunPanel
from .worker import Engine, Failure, Request, start_run

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Image

    from ..plane import Plane

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
        self._run_on: tuple[Image, Plane] | None = None

        self.image = ImageCombo(napari_viewer)
        self.classes = ClassPanel()
        self.models = ModelPanel()
        self.run = RunPanel()
        self._activity = Activity()
        self._lay_out()

        self.image.layer_changed.connect(self._on_image)
        self.run.run_requested.connect(self.start)
        self.run.cancel_requested.connect(self.cancel)
        self._progressed.connect(self._on_progress)
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

    def start(self) -> None:
        """Start a run on what is shown of the chosen image."""
        if self.run.running:
            return
        layer = self.image.layer()
        if layer is None:
            show_error("There is no image to segment; open one first.")
            return
        try:
            classes = self.classes.class_set()
            plane = take_plane(self._viewer, layer)
        except ValueError as error:
            show_error(str(error))
            return
        self._cancel = CancelToken()
        self._run_on = (layer, plane)
        self.run.show_running("; ".join(plane.notes))
        self._activity.begin(f"S2CLIP: {layer.name}")
        start_run(
            self._engine,
            Request(
                plane,
                classes,
                self.models.model,
                self.models.device,
                self.models.method,
            ),
            self._cancel,
            progress=self._progressed.emit,
            returned=self._on_returned,
        )

    def cancel(self) -> None:
        """Ask the run, if there is one, to stop at its next step."""
        if self._cancel is not None:
            self._cancel.cancel()
            self.run.show_cancelling()

    def _on_image(self) -> None:
        layer = self.image.layer()
        if layer is not None:
            self.classes.offer(class_names(layer))

    def _on_progress(self, progress: Progress) -> None:
        if self.run.running:
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
            layer, plane = run_on
            gone = layer not in self._viewer.layers
            add_segmentation(self._viewer, layer, outcome, plane=plane)
            self._show_idle(_summary(outcome, layer.name, gone))

    def _show_idle(self, text: str) -> None:
        """Say how a run ended, where it can be seen."""
        self.run.show_idle(text)
        # Qt would find out only later how high the new text is.
        for layout in (self.run.layout(), self._column):
            if layout is not None:
                layout.activate()
        inner, view = self._scroll.widget(), self._scroll.viewport()
        if inner is not None and view is not None:
            height = self._column.totalHeightForWidth(inner.width())
            inner.resize(inner.width(), max(height, view.height()))
        self._scroll.ensureWidgetVisible(self.run.status)

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
        self._activity.end()


def _show(failure: Failure) -> None:
    if failure.surprise is None:
        show_error(failure.message)
    else:
        notification_manager.dispatch(ErrorNotification(failure.surprise))


def _device(result: Segmentation) -> str:
    """The device as people write it, and its precision: ``CUDA in fp16``."""
    device = str(result.provenance["device"]).split(":")[0].upper()
    return f"{device} in {result.provenance['precision']}"


def _method(result: Segmentation) -> str:
    """The method as people write it."""
    return find_method(result.provenance["settings"]["method"]).title


def _summary(result: Segmentation, name: str, gone: bool) -> str:
    regions = len(result.region_table)
    seconds = sum(result.seconds.values())
    head = (
        f"{name}: {regions} region{'' if regions == 1 else 's'} of "
        f"{len(result.classes)} classes in {seconds:.1f} s by {_method(result)} on "
        f"{_device(result)}."
    )
    notes = list(result.provenance["input_notes"])
    if gone:
        notes.insert(0, "the image was removed during the run; its labels are here")
    return "\n".join([head, *(f"{note[0].upper()}{note[1:]}." for note in notes)])
