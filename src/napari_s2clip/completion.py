"""Settings that are left open, filled in by the model and the method, and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .features.levels import choose_levels, choose_mid_layer
from .method_settings import refuse_foreign
from .methods import find_method
from .settings import Settings

if TYPE_CHECKING:
    from .features.encode import ImageFeatures
    from .models.clip import ClipModel
    from .models.load import Models
    from .models.specs import ModelSpec

__all__ = [
    "check_fit",
    "check_models",
    "check_settings",
    "complete_settings",
    "take_settings",
]

_LOOK_BACK: Final = frozenset({"s2clip", "sc-clip", "cliper"})
"""Families that use what earlier blocks put out, or attend to."""


def take_settings(given: object) -> Settings:
    """The settings that a caller gave; the defaults for None.

    Raises
    ------
    ValueError
        If it is something else, such as a dictionary.
    """
    if given is None:
        return Settings()
    if not isinstance(given, Settings):
        raise ValueError(f"settings: give Settings(…), not {type(given).__name__}")
    return given


def complete_settings(spec: ModelSpec, settings: Settings) -> Settings:
    """Settings without None where the model or the method has a recommendation.

    What does not act on the method stays open. A stride that is not given is never
    longer than the window.

    Raises
    ------
    ValueError
        If a setting does not act on the method, or the given stride is longer than
        the window.
    """
    refuse_foreign(settings, spec)
    complete = spec.complete(settings)
    assert complete.stride is not None
    assert complete.window is not None
    changes: dict[str, float] = {}
    if complete.stride > complete.window:
        if settings.stride is not None:
            raise ValueError(
                f"stride: {complete.stride} px is larger than window "
                f"({complete.window} px); choose 1 to {complete.window}, or a larger "
                "window"
            )
        changes["stride"] = complete.window
    if complete.logit_scale is None:
        changes["logit_scale"] = find_method(complete.method).logit_scale
    return complete.model_copy(update=changes)


def check_settings(settings: Settings, clip: ClipModel) -> None:
    """Refuse complete settings that this CLIP cannot follow.

    Raises
    ------
    ValueError
        Naming the field and its range.
    """
    method = find_method(settings.method)
    if clip.n_blocks < 2 and method.family in _LOOK_BACK:
        raise ValueError(
            f"method: {method.name} needs blocks before the last one, and this CLIP "
            "has one block; choose another method, such as clip"
        )
    choose_levels(clip.n_blocks, settings.levels)
    choose_mid_layer(clip.n_blocks, settings.mid_layer)
    for name in ("window", "short_side"):
        length = getattr(settings, name)
        if length < clip.patch_size:
            raise ValueError(
                f"{name}: {length} px is smaller than one patch of this CLIP; choose "
                f"{clip.patch_size} to 4096"
            )


def check_models(features: ImageFeatures, models: Models) -> None:
    """Refuse features that other models made.

    Raises
    ------
    ValueError
    """
    if features.model != models.origin:
        clip = models.origin["clip"]["title"]
        raise ValueError(
            "image: these features come from other models or another precision; encode "
            f"the image with this one ({clip}, {models.precision}) first"
        )


def check_fit(features: ImageFeatures, settings: Settings, models: Models) -> None:
    """Refuse features that other models made, or other settings of the encoding.

    Raises
    ------
    ValueError
    """
    check_models(features, models)
    wanted, given = settings.of_stage("encode"), features.settings.of_stage("encode")
    changed = [name for name in wanted if wanted[name] != given[name]]
    if changed:
        raise ValueError(
            f"settings: {', '.join(changed)} differ from those the features were "
            "encoded with; encode the image again"
        )
