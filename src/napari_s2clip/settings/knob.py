"""One knob: a field with a title, a meaning, a unit and the stage it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from ..progress import Stage

__all__ = ["Knobs", "knob"]


def knob(
    default: Any,
    title: str,
    description: str,
    *,
    stage: Stage,
    unit: str = "",
    **limits: Any,
) -> Any:
    """A pydantic field; ``stage`` is the first that must run again when it changes."""
    return Field(
        default,
        title=title,
        description=description,
        json_schema_extra={"stage": stage, "unit": unit},
        **limits,
    )


class Knobs(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")
