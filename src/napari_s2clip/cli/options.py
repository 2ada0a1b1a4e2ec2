"""Values of the command line as the pipeline takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from .console import UsageError

if TYPE_CHECKING:
    from ..classes import ClassSet
    from ..pipeline import S2CLIP
    from ..settings import Settings
    from ..tiles import Tiling

__all__ = [
    "check_model",
    "check_precision",
    "check_settings",
    "read_classes",
    "read_settings",
    "read_tiling",
    "read_weights",
]


def read_classes(names: str, background: str) -> ClassSet:
    """Classes and background words, separated by semicolons."""
    from ..classes import ClassSet

    words = [w for w in background.replace(";", "\n").splitlines() if w.strip()]
    try:
        return ClassSet.parse(names, words)
    except ValueError as error:
        raise UsageError(str(error)) from error


def read_settings(pairs: Sequence[str], *, refine: bool) -> Settings:
    """Settings from ``KEY=VALUE`` texts; the last of one key counts."""
    from ..settings import Settings
    from ..settings.explain import no_such_setting

    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise UsageError(f"--set {pair!r}: write KEY=VALUE")
        if key not in Settings.model_fields:
            raise UsageError(f"--set {no_such_setting(key, Settings)}")
        values[key] = _value(Settings.model_fields[key].annotation, text.strip())
    if not refine:
        values["refine"] = False
    try:
        return Settings.model_validate(values)
    except ValueError as error:
        raise UsageError(f"--set {error}") from error


def _value(annotation: Any, text: str) -> Any:
    """Text as pydantic can read it for a field: none, a list, or itself."""
    kinds = (annotation, *get_args(annotation))
    if type(None) in kinds and text.casefold() in {"none", "null"}:
        return None
    if any(get_origin(kind) is tuple for kind in kinds):
        return [v for v in text.strip("()[] ").replace(",", " ").split() if v]
    return text


def read_weights(pairs: Sequence[str]) -> dict[str, Path] | None:
    """Weight files from ``PART=PATH`` texts."""
    found = {}
    for pair in pairs:
        part, _, path = pair.partition("=")
        if part.strip() not in {"clip", "vfm", "sam"} or not path:
            raise UsageError(
                f"--weights {pair!r}: write PART=PATH; the parts are clip, vfm and sam"
            )
        found[part.strip()] = Path(path)
    return found or None


def check_model(name: str, vfm: str | None, sam: str | None) -> None:
    """Refuse names that stand for no models, the user's own included."""
    from ..models.errors import OwnFileError
    from ..models.find import find_card, find_spec

    try:
        find_spec(name)
    except OwnFileError:
        raise  # the command line may be right
    except ValueError as error:
        raise UsageError(f"--model: {str(error).removeprefix('spec: ')}") from error
    try:
        if vfm is not None:
            find_card("vfm", vfm)
        if sam is not None:
            find_card("sam", sam)
    except OwnFileError:
        raise
    except ValueError as error:
        raise UsageError(f"--{error}") from error


def check_settings(model: S2CLIP, settings: Settings) -> None:
    """Refuse settings that these models cannot follow."""
    try:
        model.complete(settings)
    except ValueError as error:
        raise UsageError(f"--set {error}") from error


def check_precision(name: str) -> None:
    """Refuse names that stand for no precision."""
    from ..models.specs import Precision

    names = get_args(Precision)
    if name not in names:
        raise UsageError(
            f"--precision: no precision {name!r}; choose one of {', '.join(names)}"
        )


def read_tiling(side: int) -> Tiling:
    """Tiles of a size, which overlap as much as usual or less."""
    from ..tiles import Tiling

    try:
        return Tiling(side, min(Tiling().overlap, side // 2))
    except ValueError as error:
        raise UsageError(f"--{error}") from error
