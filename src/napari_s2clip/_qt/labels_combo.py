"""A list of the viewer's Labels layers."""

from __future__ import annotations

from typing import Any, cast

from napari.layers import Labels, Layer

from ..layers import KEY
from .layer_combo import ImageCombo

__all__ = ["LabelsCombo"]


class LabelsCombo(ImageCombo):
    """Choose one of the Labels layers of a viewer, ours or others."""

    nothing = "No labels yet"

    def offers(self, layer: Layer) -> bool:
        """Whether a layer is one to choose; what prompts show is not."""
        entry = layer.metadata.get(KEY)
        passing = isinstance(entry, dict) and "prompts" in entry
        return isinstance(layer, Labels) and not passing

    def labels(self) -> Labels | None:
        """The chosen layer, if there is one."""
        found: Any = self.layer()
        return cast("Labels | None", found)
