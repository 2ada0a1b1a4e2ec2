"""What the controls ask for, as a request to the engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..planes import take_target
from .engine import Choice, Request

if TYPE_CHECKING:
    import napari.viewer

    from ..batch import Job
    from ..classes import ClassSet
    from ..planes import Scope, Target
    from .class_panel import ClassPanel
    from .layer_combo import ImageCombo
    from .model_panel import ModelPanel
    from .outputs_row import OutputsRow
    from .scope_panel import ScopePanel
    from .tune_panel import TunePanel

__all__ = ["Controls"]


@dataclass(frozen=True, eq=False)
class Controls:
    """The panels in which a user says what to do."""

    viewer: napari.viewer.Viewer
    image: ImageCombo
    classes: ClassPanel
    models: ModelPanel
    scope: ScopePanel
    outputs: OutputsRow
    tune: TunePanel

    def request(self, *, download: bool = False) -> Request:
        """A run.

        Raises
        ------
        ValueError
            If there is no image, no class, or a value that does not fit the image.
        """
        layer = self.image.layer()
        if layer is None:
            raise ValueError("There is no image to segment; open one first.")
        scope = self.scope.scope(self.viewer, layer)
        return Request(
            layer=layer,
            target=take_target(self.viewer, layer, scope),
            classes=self.classes.class_set(),
            choice=self.choice(),
            settings=self.tune.settings(),
            tiling=self.scope.tiling,
            probabilities=self.outputs.probabilities.isChecked(),
            download=download,
        )

    def update_of(self, shown: Request) -> Request:
        """A live update of what a run has shown, with the same models.

        Raises
        ------
        ValueError
            As `request` does.
        """
        return replace(
            shown,
            target=self._target_now(shown),
            classes=self.classes.class_set(),
            settings=self.tune.settings(),
            live=True,
        )

    def _target_now(self, shown: Request) -> Target:
        """In another slice than the last run's, that slice."""
        scope = self.scope.scope(self.viewer, shown.layer)
        target = take_target(self.viewer, shown.layer, scope)
        same = [p.position for p in target.planes] == [
            p.position for p in shown.target.planes
        ]
        return shown.target if same else target

    def prompt_scope(self) -> Scope | None:
        """What a prompt looks at: the slice that is shown, at any place of it.

        Raises
        ------
        ValueError
            If the controls do not fit the image.
        """
        layer = self.image.layer()
        if layer is None:
            return None
        return replace(self.scope.scope(self.viewer, layer), ranges=(), window=None)

    def job(
        self,
        *,
        pictures: bool = True,
        contrast_limits: tuple[float, float] | None = None,
    ) -> Job:
        """What is done with each image of a folder: as with the chosen one.

        Parameters
        ----------
        pictures : bool
        contrast_limits : (float, float), optional
            A job has no viewer from which it could take them.

        Raises
        ------
        ValueError
            If there is no class, or a setting does not fit.
        """
        from ..batch import Job

        choice, channels = self.choice(), self.scope.channels.channels
        return Job(
            self.classes.class_set(),
            self.tune.settings(),
            model=choice.spec.name,
            device=choice.device,
            precision=choice.precision,
            tiling=self.scope.tiling,
            channels=() if channels is None else channels.indices,
            contrast_limits=contrast_limits,
            pictures=pictures,
        )

    def choice(self) -> Choice:
        """The models, and where they run."""
        models = self.models
        return Choice(models.spec, models.device, models.precision, models.store)

    def classes_now(self) -> ClassSet | None:
        """The classes; None while they are half written."""
        try:
            return self.classes.class_set()
        except ValueError:
            return None
