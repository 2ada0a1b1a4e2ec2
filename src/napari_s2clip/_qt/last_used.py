"""What is set in the panels, to be brought back another time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..user_memory import Remembered

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTabWidget

    from .controls import Controls

__all__ = ["read_controls", "set_controls"]


def read_controls(controls: Controls, pages: QTabWidget) -> Remembered:
    """What is set now."""
    models, tune, outputs = controls.models, controls.tune, controls.outputs
    try:
        settings = tune.settings()
    except ValueError:
        settings = models.settings
    return Remembered(
        classes=controls.classes_now(),
        model=models.spec.name,
        settings=settings,
        device=models.device,
        precision=models.precision,
        panel={
            "page": pages.currentIndex(),
            "live": tune.live.isChecked(),
            "edited": outputs.edited,
            "probabilities": outputs.probabilities.isChecked(),
            "scope": controls.scope.state(),
        },
    )


def set_controls(
    controls: Controls, pages: QTabWidget, used: Remembered, *, replace_classes: bool
) -> None:
    """Set what was used last; what no longer exists is left as it is.

    Classes that a user wrote are replaced only where asked for.
    """
    models, tune = controls.models, controls.tune
    if used.classes is not None:
        if replace_classes:
            controls.classes.set_classes(used.classes)
        else:
            controls.classes.offer(used.classes)
    models.choose(used.model)
    models.choose_method(used.settings.method)
    tune.set_values(used.settings.model_dump(exclude_defaults=True))
    if used.device or used.precision:
        models.where.choose(
            used.device or models.device, used.precision or models.precision
        )
    panel = used.panel
    if panel.get("page") in range(pages.count()):
        pages.setCurrentIndex(int(panel["page"]))
    tune.live.setChecked(panel.get("live") is not False)
    scope = panel.get("scope")
    if isinstance(scope, Mapping):
        controls.scope.restore(scope)
    controls.outputs.choose(
        str(panel.get("edited")), probabilities=panel.get("probabilities") is True
    )
