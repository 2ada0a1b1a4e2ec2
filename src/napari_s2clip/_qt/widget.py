"""The dock widget: puts the panels together and starts runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QEvent
from qtpy.QtGui import QCloseEvent, QShowEvent
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from ..layers import apply_classes, class_names, collect_annotations
from ..user_memory import Remembered
from .annotations_row import AnnotationsRow
from .batch_tab import BatchTab
from .class_panel import ClassPanel
from .controls import Controls
from .counts import Counts
from .data_panel import DataPanel
from .dock_pages import DockPages
from .engine import Engine
from .folder_images import FolderImages
from .hover_line import HoverLine
from .last_used import read_controls, set_controls
from .layer_combo import ImageCombo
from .live_updates import LiveUpdates
from .models_desk import ModelsDesk
from .outputs_row import OutputsRow
from .prompt_model import PromptModel
from .prompt_panel import PromptPanel
from .remember import Remembering
from .results import Results
from .review_panel import ReviewPanel
from .run_desk import RunDesk
from .run_panel import RunPanel
from .runs import Runs
from .scope_panel import ScopePanel
from .tune_panel import TunePanel

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Image, Labels

    from ..classes import ClassSet
    from ..io.annotations import Annotations
    from ..review import Review

__all__ = ["S2CLIPWidget"]


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
        self._prompt_key: tuple[Any, ...] = ()

        self.image = ImageCombo(napari_viewer)
        self.classes = ClassPanel()
        self.desk = ModelsDesk(self.engine, lambda: self.runs.busy, self)
        self.models = self.desk.panel
        self.scope = ScopePanel(napari_viewer)
        self.outputs = OutputsRow()
        self.tune = TunePanel()
        self.review = ReviewPanel(napari_viewer)
        self.prompts = PromptPanel(napari_viewer)
        self.data = DataPanel(napari_viewer)
        self.annotations = AnnotationsRow(napari_viewer)
        self.annotations.collect = self._collect
        self.memory = Remembering(self._used, self._set_used, self)
        self.batch = BatchTab(napari_viewer, self.engine, self.runs)
        self.counts = Counts(self)
        self.run = RunPanel()
        self.hover = HoverLine(napari_viewer)
        self.results = Results(napari_viewer, self)
        self.controls = Controls(
            viewer=napari_viewer,
            image=self.image,
            classes=self.classes,
            models=self.models,
            scope=self.scope,
            outputs=self.outputs,
            tune=self.tune,
        )
        self.batch.job.controls = self.controls
        self.of_folder = FolderImages(napari_viewer, self.batch.folder, self.review)
        self.live = LiveUpdates(self.controls, self.runs, self.results, self)
        self.run_desk = RunDesk(
            controls=self.controls,
            runs=self.runs,
            desk=self.desk,
            panel=self.run,
            live=self.live,
            results=self.results,
            memory=self.memory,
            parent=self,
        )
        self._lay_out()
        self._connect()
        self._on_image()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Image", self.image)
        self.pages = DockPages(
            classes=self.classes,
            models=self.models,
            scope=self.scope,
            outputs=self.outputs,
            tune=self.tune,
            review=self.review,
            prompts=self.prompts,
            data=self.data,
            batch=self.batch,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(form)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.hover)
        layout.addWidget(self.run)
        layout.addWidget(self.annotations)
        self.setMinimumWidth(230)

    def _connect(self) -> None:
        self.image.layer_changed.connect(self._on_image)
        self.desk.changed.connect(self.pages.segment_page.fit)
        self.desk.asked.connect(self._show_question)
        self.models.method_changed.connect(self.tune.set_method)
        self.tune.changed.connect(self.live.soon)
        self.tune.live.toggled.connect(self.live.soon)
        self.classes.classes_changed.connect(self.live.soon)
        self.classes.look_changed.connect(self._on_look)
        self.live.noted.connect(self.run.show_note)
        self.results.changed.connect(self._on_output)
        self.models.spec_changed.connect(self._on_choice)
        self.prompts.needs_model.connect(self._on_choice)
        self.pages.currentChanged.connect(self._on_choice)
        self.review.changed.connect(self.annotations.mark_unsaved)
        self.classes.look_changed.connect(self.annotations.mark_unsaved)
        self.annotations.restored.connect(self._on_restored)
        self.batch.folder.shown.collect = self._collect_of_folder
        self.batch.folder.shown.restored.connect(self._on_folder_image)
        self.review.changed.connect(self.batch.folder.shown.mark_unsaved)
        self.classes.look_changed.connect(self.batch.folder.shown.mark_unsaved)
        self.memory.noted.connect(self.run.show_note)
        self.counts.counted.connect(self._on_counted)
        self.data.exporting.image = self.image.layer
        self.data.exporting.dock_classes = self.controls.classes_now
        self.data.exporting.review = self._review_of
        self._viewer.layers.selection.events.active.connect(self._on_active)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; napari calls it when the list changes."""
        # Older versions of napari call it once more for a deleted widget.
        if isalive(self.image):
            self.image.refresh()
            self.data.exporting.labels.refresh()
            self.data.exporting.refresh()

    def start(self, *, download: bool = False) -> None:
        """Start a run on what is chosen of the image; see `RunDesk.start`."""
        self.run_desk.start(download=download)

    def cancel(self) -> None:
        """Ask the run, if there is one, to stop at its next step."""
        self.run_desk.cancel()

    def _show_question(self) -> None:
        self.pages.setCurrentWidget(self.pages.segment_page)
        self.pages.segment_page.fit()
        self.pages.segment_page.ensureWidgetVisible(self.models.state.download_button)

    def _on_image(self) -> None:
        layer = self.image.layer()
        self.of_folder.keep(self.results.image, layer)
        self.annotations.setHidden(self.batch.folder.owns(layer))
        # First, so that it saves what belongs to the image before.
        self.annotations.set_layer(layer)
        self.memory.follow(layer)
        self.scope.set_layer(layer)
        self.prompts.set_image(layer)
        self.results.follow(layer)
        output = self.results.output
        if output is not None:
            if output.classes != self.controls.classes_now():
                self.classes.set_classes(output.classes)
        elif layer is not None:
            self.classes.offer(class_names(layer))
            self.classes.show_counts({}, {})

    def _on_look(self, classes: ClassSet) -> None:
        layer = self.image.layer()
        if layer is not None:
            apply_classes(self._viewer, layer, classes)
        self.review.set_classes(classes)
        self.prompts.set_classes(classes)

    def _on_choice(self, *_: Any) -> None:
        """Let prompts be answered by the models that are chosen now."""
        with suppress(ValueError):  # a run says what is wrong
            scope = self.controls.prompt_scope()
            if scope is not None:
                self.prompts.set_scope(scope)
        choice = self.controls.choice()
        if self._prompt_key != choice.key:
            self._prompt_key = choice.key
            self.prompts.set_engine(PromptModel(self.engine, choice))

    @property
    def settled(self) -> bool:
        """Whether nothing is under way, and everything that was found is shown."""
        return not (self.runs.busy or self.results.busy)

    def _on_output(self) -> None:
        """Let the panels work on the newest layers of the chosen image."""
        output = self.results.output
        self.hover.set_output(output)
        self.review.set_output(output)
        refined = None if output is None else output.refined
        self.prompts.set_target(refined)
        self.data.exporting.follow(refined)
        if output is not None:
            self.prompts.set_classes(output.classes)
        self.counts.follow(refined)

    def _review_of(self, labels: Labels) -> Review | None:
        output = self.results.output
        shown = output is not None and output.refined is labels
        return self.review.review if shown else None

    def _on_active(self, event: Any) -> None:
        """Work on the image that was opened or selected last."""
        if isalive(self.image):
            self.image.choose(event.value)

    def _on_counted(self, pixels: dict[int, int]) -> None:
        output = self.results.output
        if output is not None:
            regions = output.region_table["class_id"].value_counts().to_dict()
            self.classes.show_counts(pixels, regions)

    def _collect(self, layer: Image) -> Annotations:
        return collect_annotations(
            self._viewer,
            layer,
            settings=self.tune.settings().model_dump(
                mode="json", exclude_defaults=True
            ),
            review=self.review.state(),
        )

    def _collect_of_folder(self, layer: Image) -> Annotations:
        return self.of_folder.collect(layer, self.image.layer())

    def _on_folder_image(self, annotations: Annotations) -> None:
        """Follow an image of a folder, which saves its corrections by itself."""
        self.image.refresh()
        self.image.choose(self.batch.folder.layer)
        self.annotations.hide()
        self._on_restored(annotations)

    def _on_restored(self, annotations: Annotations) -> None:
        """Follow annotations whose layers are there again."""
        self.classes.set_classes(annotations.classes)
        self.live.follow(None)
        self.results.refresh()
        self.review.restore(dict(annotations.review))

    def _used(self) -> Remembered:
        used = read_controls(self.controls, self.pages)
        panel = {"data": self.data.state(), "batch": self.batch.job.state()}
        return replace(used, panel={**used.panel, **panel})

    def _set_used(self, used: Remembered, replace_classes: bool) -> None:
        set_controls(self.controls, self.pages, used, replace_classes=replace_classes)
        for name, part in (("data", self.data), ("batch", self.batch.job)):
            state = used.panel.get(name)
            if isinstance(state, Mapping):
                part.restore(state)

    def showEvent(self, event: QShowEvent) -> None:  # type: ignore[override]
        """Prepare the first run while the window opens."""
        super().showEvent(event)
        self.engine.warm_up()

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
        self.run_desk.leave()
        self.prompts.stop()
        self.data.leave()
        self.batch.leave()
        self.counts.leave()
        self.annotations.flush()
        self.memory.keep()
