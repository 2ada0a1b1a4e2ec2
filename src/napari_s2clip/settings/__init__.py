"""Every knob of a run, in one model that drives the API, the CLI and the widget.

The description of a field ends with the source of its value: *seed* (the paper's
published appendix), *public configuration* (of the methods that it builds on) or
*inferred* (this project's reading). ``stage`` names the first stage that must run again
when the field changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .classify import ClassifySettings
from .features import FeatureSettings
from .refine import RefineSettings
from .windows import WindowSettings

if TYPE_CHECKING:
    from ..progress import Stage

__all__ = ["Settings"]


# Fields are listed from the last base to the first.
class Settings(RefineSettings, ClassifySettings, WindowSettings, FeatureSettings):
    """Settings of `S2CLIP.encode` and `S2CLIP.segment`.

    ``None`` means "as the model's specification or the method recommends".
    """

    def of_stage(self, stage: Stage) -> dict[str, Any]:
        """Values of the fields that belong to one stage."""
        return {
            name: getattr(self, name)
            for name, field in type(self).model_fields.items()
            if isinstance(field.json_schema_extra, dict)
            and field.json_schema_extra["stage"] == stage
        }
