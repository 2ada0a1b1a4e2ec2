"""What a setting may be, in words, and what is wrong with one, in one line."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

__all__ = ["describe_values", "first_problem", "no_such_setting"]

_NUMBERS = {int: "a whole number", float: "a number"}
_OUT_OF_RANGE = {
    *("greater_than", "greater_than_equal", "less_than", "less_than_equal"),
    "finite_number",
}


def describe_values(field: FieldInfo) -> str:
    """What a field may be: ``a whole number between 16 and 4096, or none``."""
    words = _describe(field.annotation, field.metadata)
    optional = type(None) in get_args(field.annotation)
    return f"{words}, or none" if optional else words


def no_such_setting(name: str, model: type[BaseModel]) -> str:
    """That a name is not one of a model's fields, and which they are."""
    return (
        f"{name}: there is no such setting; choose one of "
        f"{', '.join(model.model_fields)}"
    )


def first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that pydantic found wrong, as one line that names the field."""
    problem: Mapping[str, Any] = error.errors()[0]
    kind, where = problem["type"], problem["loc"]
    if kind == "value_error":  # one of ours: it names its fields
        return str(problem["ctx"]["error"])
    if not where:
        return f"settings: {problem['msg']}"
    name, given = str(where[0]), problem["input"]
    if kind == "extra_forbidden":
        return no_such_setting(name, model)
    if kind == "frozen_instance":
        return f"{name}: settings cannot be changed; use model_copy(update={{…}})"
    field = model.model_fields[name]
    annotation, limits = field.annotation, field.metadata
    if len(where) > 1:  # an item of a list
        annotation, limits = _item(annotation), []
    elif kind == "too_short":
        return f"{name}: give one or more, each {_describe(_item(annotation), [])}"
    shown = given if _is_number(given) else repr(given)
    words = _describe(annotation, limits)
    if kind in _OUT_OF_RANGE or _is_nan(given):
        words = _range(annotation, limits) or words
    return f"{name}: {shown} is not {words}"


def _is_number(given: Any) -> bool:
    """Also text that stands for a number, as it comes from a command line."""
    try:
        float(given)
    except (TypeError, ValueError):
        return False
    return not isinstance(given, bool)


def _is_nan(given: Any) -> bool:
    return _is_number(given) and float(given) != float(given)


def _unfold(annotation: Any, limits: Any) -> tuple[Any, list[Any], str]:
    """The bare type, its limits and the words that stand for it, if there are any."""
    limits, words = list(limits), ""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(a for a in get_args(annotation) if a is not type(None))
    if get_origin(annotation) is Annotated:
        annotation, *extras = get_args(annotation)
        for extra in extras:
            limits += extra.metadata
            words = extra.description or words
    return annotation, limits, words


def _item(annotation: Any) -> Any:
    return get_args(_unfold(annotation, [])[0])[0]


def _range(annotation: Any, limits: Any) -> str:
    """``between 16 and 4096``; empty where there are no limits."""
    _, limits, words = _unfold(annotation, limits)
    if words:
        return words
    known: dict[str, Any] = {}
    for limit in limits:
        for name in ("ge", "gt", "le", "lt"):
            if (value := getattr(limit, name, None)) is not None:
                known[name] = value
    if {"ge", "le"} <= known.keys():
        return f"between {known['ge']:g} and {known['le']:g}"
    if {"gt", "le"} <= known.keys():
        return f"above {known['gt']:g} and at most {known['le']:g}"
    return f"at least {known['ge']:g}" if "ge" in known else ""


def _describe(annotation: Any, limits: Any) -> str:
    bare, limits, words = _unfold(annotation, limits)
    if words:
        return words
    if get_origin(bare) is Literal:
        return f"one of {', '.join(map(str, get_args(bare)))}"
    if get_origin(bare) is tuple:
        return f"a list, each {_describe(_item(bare), [])}"
    if bare is bool:
        return "true or false"
    among = _range(bare, limits)
    joint = ", " if among.startswith("at least") else " "
    return f"{_NUMBERS[bare]}{joint if among else ''}{among}"
