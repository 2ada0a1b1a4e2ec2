"""The dock widget: puts the panels together and starts runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import (
    ErrorNotification,
    notification_manager,
    show_error,
)
from qtpy.compat import isalive
from qtpy.QtCore import QElapsedTimer, QEvent, QEventLoop, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QFormLayout, QTabWidget, QVBoxLayout, QWidget
from superqt.utils import QSignalDebouncer

from ..layers import (
    apply_classes,
    apply_edit,
    class_names,
    collect_annotations,
    outputs_of,
    show_result,
)
from ..planes import take_target
from ..progress import Progress
from ..user_memory import Remembered
from .activity import Activity
from .annotations_row import AnnotationsRow
from .class_panel import ClassPanel
from .counts import Counts
from .engine import Choice, Done, Download, Draft, Engine, Failure, Outcome, Request
from .hover_line import HoverLine
from .layer_combo import ImageCombo
from .models_desk import ModelsDesk
from .outputs_row import OutputsRow
from .pages import Page
from .prompt_model import PromptModel
from .prompt_panel import PromptPanel
from .remember import Remembering
from .review_panel import ReviewPanel
from .run_panel import RunPanel
from .runs import Runs
from .scope_panel import ScopePanel
from .texts import summary
from .tune_panel import TunePanel

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Image

    from ..classes import ClassSet
    from ..io.annotations import Annotations
    from ..layers import OutputSet
    from ..planes import Target

__all__ = ["S2CLIPWidget"]

_PAUSE = 30
"""After the last change of a control until it is shown, in ms."""

_LARGE = 1 << 22
"""Pixels whose labels are not written within the blink of an eye."""

_DRAG = 2000
"""Changes that follow each other sooner are one step of undo, in ms."""


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
        self._output: OutputSet | None = None
        self._showing = False
        self._due: deque[Callable[[], object]] = deque()
        self._drag: set[str] = set()
        self._rest = QElapsedTimer()
        self._rest.start()
        self._prompt_key: tuple[Any, ...] = ()

        self.image = ImageCombo(napari_viewer)
        self.classes = ClassPanel()
        self.desk = ModelsDesk(self.engine, lambda: self.runs.busy, self)
        self.models = self.desk.panel
        self.scope = ScopePanel(napari_viewer)
        self.outputs = OutputsRow()
        self.tune = TunePanel()
        self.review = ReviewPanel(napari_viewer, apply_edit)
        self.prompts = PromptPanel(napari_viewer)
        self.prompts.apply = apply_edit
        self.annotations = AnnotationsRow(napari_viewer)
        self.annotations.collect = self._collect
        self.memory = Remembering(self._used, self._set_used, self)
        self.counts = Counts(self)
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
        self.segment_page = Page(self.classes, self.models, stretched=self.classes)
        self.input_page = Page(self.scope, self.outputs)
        self.tune_page = Page(self.tune)
        self.review_page = Page(self.review, stretched=self.review)
        self.correct_page = Page(self.prompts)
        for page, title, about in (
            (
                self.segment_page,
                "Segment",
                "What is looked for, and by which models.",
            ),
            (self.input_page, "Input", "Area, slices, channels; what becomes of it."),
            (self.tune_page, "Tune", "Thresholds that act at once."),
            (self.review_page, "Review", "Regions one by one, doubtful ones first."),
            (self.correct_page, "Correct", "Objects by clicks and boxes, with SAM."),
        ):
            index = self.pages.addTab(page, title)
            self.pages.setTabToolTip(index, about)
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
        self.models.spec_changed.connect(self._on_choice)
        self.prompts.needs_model.connect(self._on_choice)
        self.pages.currentChanged.connect(self._on_choice)
        self.review.changed.connect(self.annotations.mark_unsaved)
        self.classes.look_changed.connect(self.annotations.mark_unsaved)
        self.annotations.restored.connect(self._on_restored)
        self.memory.noted.connect(self.run.show_note)
        self.counts.counted.connect(self._on_counted)
        self._viewer.layers.events.removed.connect(self._on_removed)
        self._viewer.layers.selection.events.active.connect(self._on_active)

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
            self._show_idle(str(error))
            return
        if not download and not self.desk.all_here(request.settings):
            return
        self.run.show_running("; ".join(request.target.notes))
        self.desk.show_running()
        self._activity.begin(f"S2CLIP: {request.target.image_name}")
        self.runs.start(request)

    def update_live(self) -> None:
        """Bring the layers up to date with the controls, without encoding anything."""
        if self._again(self.update_live):
            return
        layer, shown = self.image.layer(), self._shown
        if self.runs.running or not self.tune.live.isChecked() or layer is None:
            return
        if shown is None or shown.layer is not layer:
            if outputs_of(self._viewer, layer):
                self.run.show_note("Press Run once; then changes act at once.")
            return
        try:
            request = replace(
                shown,
                target=self._target_now(shown),
                classes=self.classes.class_set(),
                settings=self.tune.settings(),
                live=True,
            )
        except ValueError as error:
            self.run.show_note(str(error))
            return
        if _asked(request) == _asked(shown):
            self.runs.cancel()  # an update that is no longer wanted
            return
        if self._rest.elapsed() > _DRAG:
            self._drag = set()
        self.runs.start(request)

    def _target_now(self, shown: Request) -> Target:
        """What an update works on: in another slice than the last run's, that slice."""
        scope = self.scope.scope(self._viewer, shown.layer)
        target = take_target(self._viewer, shown.layer, scope)
        same = [p.position for p in target.planes] == [
            p.position for p in shown.target.planes
        ]
        return shown.target if same else target

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
            choice=self._choice(),
            settings=self.tune.settings(),
            tiling=self.scope.tiling,
            probabilities=self.outputs.probabilities.isChecked(),
            download=download,
        )

    def _choice(self) -> Choice:
        return Choice(
            self.models.spec,
            self.models.device,
            self.models.precision,
            self.models.store,
        )

    def _download_and_start(self) -> None:
        self.start(download=True)

    def _show_question(self) -> None:
        self.pages.setCurrentWidget(self.segment_page)
        self.segment_page.fit()
        self.segment_page.ensureWidgetVisible(self.models.state.download_button)

    def _on_image(self) -> None:
        layer = self.image.layer()
        # First, so that it saves what belongs to the image before.
        self.annotations.set_layer(layer)
        self.memory.follow(layer)
        self.scope.set_layer(layer)
        self.prompts.set_image(layer)
        self._show_output()
        if self._output is not None:
            if self._output.classes != self._classes_now():
                self.classes.set_classes(self._output.classes)
        elif layer is not None:
            self.classes.offer(class_names(layer))
            self.classes.show_counts({}, {})

    def _classes_now(self) -> ClassSet | None:
        try:
            return self.classes.class_set()
        except ValueError:  # half written
            return None

    def _on_look(self, classes: ClassSet) -> None:
        layer = self.image.layer()
        if layer is not None:
            apply_classes(self._viewer, layer, classes)
        self.review.set_classes(classes)
        self.prompts.set_classes(classes)

    def _on_choice(self, *_: Any) -> None:
        """Let prompts be answered by the models that are chosen now, on what they see.

        A prompt looks at the slice that is shown, at any place of it.
        """
        layer = self.image.layer()
        if layer is not None:
            with suppress(ValueError):  # a run says what is wrong
                scope = self.scope.scope(self._viewer, layer)
                self.prompts.set_scope(replace(scope, ranges=(), window=None))
        choice = self._choice()
        if self._prompt_key != choice.key:
            self._prompt_key = choice.key
            self.prompts.set_engine(PromptModel(self.engine, choice))

    def _on_progress(
        self, request: Request, progress: Progress | Download | Draft
    ) -> None:
        if isinstance(progress, Draft):
            if self._again(self._on_progress, request, progress):
                return
            # Regions and the refined map belong together.
            self._show(request, progress, stages=("coarse",))
        elif isinstance(progress, Download):
            self.run.show_download(progress)
        elif request.live:
            self.run.show_update(progress)
        else:
            self.run.show_progress(progress)
            self._activity.show(progress)

    def _on_ended(self, request: Request, outcome: Outcome) -> None:
        if self._again(self._on_ended, request, outcome):
            return
        if not request.live:
            self._activity.end()
        if isinstance(outcome, Done):
            gone = request.layer not in self._viewer.layers
            notes = self._show(request, outcome)
            self._shown = request
            self.memory.keep()
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
            self.run.show_idle("Cancelled; move a control again, or press Run.")
        self.models.refresh()

    def _show(
        self, request: Request, found: Done | Draft, **options: Any
    ) -> tuple[str, ...]:
        """Bring a result into the viewer; what was done with the layers, for people."""
        self._showing = True
        try:
            shown = show_result(
                self._viewer,
                request.layer,
                found.result,
                # An update follows a hand on a slider: it makes no layers.
                edited="merge" if request.live else self.outputs.edited,
                amend=self._drag if request.live else (),
                between=_draw if _is_slow(request) else lambda: None,
                **options,
            )
            self._drag = {*self._drag, *shown} if request.live else set()
            self._rest.restart()
        finally:
            self._showing = False
            if self._due:
                QTimer.singleShot(0, self._go_on)
        if request.layer is self.image.layer():
            self._show_output()
        return shown.notes

    @property
    def settled(self) -> bool:
        """Whether nothing is under way, and everything that was found is shown."""
        return not (self.runs.busy or self._showing or self._due)

    def _again(self, function: Callable[..., object], *given: Any) -> bool:
        """Whether something has to wait until a result is shown; it comes then."""
        if self._showing:
            self._due.append(partial(function, *given))
        return self._showing

    def _go_on(self) -> None:
        while self._due and not self._showing and isalive(self):
            self._due.popleft()()

    def _show_output(self) -> None:
        """Let the panels work on the newest layers of the chosen image."""
        layer = self.image.layer()
        found = outputs_of(self._viewer, layer) if layer is not None else []
        output = self._output = found[0] if found else None
        self.hover.set_output(output)
        self.review.set_output(output)
        refined = None if output is None else output.refined
        self.prompts.set_target(refined)
        if output is not None:
            self.prompts.set_classes(output.classes)
        self.counts.follow(refined)

    def _on_active(self, event: Any) -> None:
        """Work on the image that was opened or selected last."""
        if isalive(self.image):
            self.image.choose(event.value)

    def _on_removed(self, event: Any) -> None:
        """Go on with the layers that are left."""
        output = self._output
        ours = isalive(self) and output is not None and event.value in output.layers
        if ours and not self._again(self._show_output):
            self._show_output()

    def _on_counted(self, pixels: dict[int, int]) -> None:
        if self._output is not None:
            regions = self._output.region_table["class_id"].value_counts().to_dict()
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

    def _on_restored(self, annotations: Annotations) -> None:
        """Follow annotations whose layers are there again."""
        self.classes.set_classes(annotations.classes)
        self._shown = None
        self._show_output()
        self.review.restore(dict(annotations.review))

    def _used(self) -> Remembered:
        """What is set now, to be brought back another time."""
        try:
            settings = self.tune.settings()
        except ValueError:
            settings = self.models.settings
        return Remembered(
            classes=self._classes_now(),
            model=self.models.spec.name,
            settings=settings,
            device=self.models.device,
            precision=self.models.precision,
            panel={
                "page": self.pages.currentIndex(),
                "live": self.tune.live.isChecked(),
                "edited": self.outputs.edited,
                "probabilities": self.outputs.probabilities.isChecked(),
                "scope": self.scope.state(),
            },
        )

    def _set_used(self, used: Remembered, replace_classes: bool) -> None:
        """Set what was used last."""
        if used.classes is not None:
            if replace_classes:
                self.classes.set_classes(used.classes)
            else:
                self.classes.offer(used.classes)
        self.models.choose(used.model)
        self.models.choose_method(used.settings.method)
        self.tune.set_values(used.settings.model_dump(exclude_defaults=True))
        if used.device or used.precision:
            self.models.where.choose(
                used.device or self.models.device,
                used.precision or self.models.precision,
            )
        panel = used.panel
        if panel.get("page") in range(self.pages.count()):
            self.pages.setCurrentIndex(int(panel["page"]))
        self.tune.live.setChecked(panel.get("live") is not False)
        scope = panel.get("scope")
        if isinstance(scope, Mapping):
            self.scope.restore(scope)
        self.outputs.choose(
            str(panel.get("edited")), probabilities=panel.get("probabilities") is True
        )

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
        self.prompts.stop()
        self.counts.leave()
        self.annotations.flush()
        self.memory.keep()


def _asked(request: Request) -> tuple[object, ...]:
    """What an update depends on; a name may only be called otherwise."""
    classes = request.classes
    rows = [(entry.id, entry.synonyms, entry.threshold) for entry in classes]
    planes = [plane.position for plane in request.target.planes]
    return rows, classes.background, request.settings, planes


def _is_slow(request: Request) -> bool:
    """Whether showing a result takes so long that the window has to draw meanwhile.

    New layers do; changes of layers that are there only where they are large.
    """
    planes = request.target.planes
    pixels = sum(plane.shape[0] * plane.shape[1] for plane in planes)
    return not request.live or pixels > _LARGE


def _draw() -> None:
    """Let the window draw itself; what the user does waits."""
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)


def _show(failure: Failure) -> None:
    if failure.surprise is None:
        show_error(failure.message)
    else:
        notification_manager.dispatch(ErrorNotification(failure.surprise))
