"""One knob: a field with a title, a meaning, a unit and the stage it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .explain import first_problem

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
    """A group of settings. What is wrong with one is a `ValueError` of one line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **values: Any) -> None:
        with _one_line(type(self)):
            super().__init__(**values)

    # Tells pydantic that this is its own way to make one, only with other words.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        with _one_line(type(self)):
            super().__setattr__(name, value)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """As pydantic's, with errors of one line."""
        with _one_line(cls):
            return super().model_validate(obj, **options)

    @classmethod
    def model_validate_json(
        cls, json_data: str | bytes | bytearray, **options: Any
    ) -> Self:
        """As pydantic's, with errors of one line."""
        with _one_line(cls):
            return super().model_validate_json(json_data, **options)


@contextmanager
def _one_line(model: type[BaseModel]) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise ValueError(first_problem(error, model)) from None
