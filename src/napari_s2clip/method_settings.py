"""Which settings act on which methods, and which models these need.

A setting that is not named here acts on all methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .methods import METHODS, Method, find_method

if TYPE_CHECKING:
    from .models.parts import PartName
    from .models.specs import ModelSpec
    from .settings import Settings

__all__ = [
    "SHARED",
    "for_method",
    "needed_parts",
    "needs_vfm",
    "refuse_foreign",
    "takes",
]


def _has_levels(method: Method) -> bool:
    return method.family in {"s2clip", "sc-clip"}


def _has_own_attention(method: Method) -> bool:
    return method.family != "cliper"


def _has_feed_forward(method: Method) -> bool:
    return method.family not in {"cliper", "dual path"}


def _has_neighbourhood(method: Method) -> bool:
    # ResCLIP also smooths its feedback by it.
    return method.scoring == "feedback" or (
        _has_own_attention(method) and not {"qq", "kk", "vv"}.isdisjoint(method.parts)
    )


_NEEDS: Final[tuple[tuple[Callable[[Method], bool], tuple[str, ...]], ...]] = (
    (lambda method: bool(method.deviation), ("variant",)),
    (
        _has_levels,
        (
            *("levels", "level_weights", "mid_layer", "mid_share"),
            *("smoothing_threshold", "cls_weight", "repair_outliers"),
        ),
    ),
    (_has_own_attention, ("attention", "residual")),
    (_has_neighbourhood, ("neighbourhood",)),
    (_has_feed_forward, ("feed_forward",)),
    (lambda method: method.proxy, ("proxy", "proxy_beta", "proxy_gamma")),
    (lambda method: method.cross_layers, ("cross_scale", "cross_share")),
    (lambda method: method.splice, ("sam_factor", "sam_negative")),
    (lambda method: method.scoring == "surgery", ("feature_surgery",)),
    (
        lambda method: method.scoring == "feedback",
        ("feedback", "feedback_scale", "feedback_share", "feedback_threshold"),
    ),
)

SHARED: Final[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = tuple(
    (names, tuple(m.name for m in METHODS.values() if has(m))) for has, names in _NEEDS
)
"""Settings that act on some methods only, and the names of these methods."""


def _takes(method: Method, name: str) -> bool:
    return all(has(method) for has, names in _NEEDS if name in names)


def takes(settings: Settings, name: str) -> bool:
    """Whether a setting acts on the method of the settings, with their attention."""
    return _takes(find_method(settings.method).adapted(settings), name)


def needs_vfm(settings: Settings) -> bool:
    """Whether the fusion model is asked at all."""
    return bool(settings.proxy and find_method(settings.method).proxy)


def needed_parts(settings: Settings) -> tuple[PartName, ...]:
    """The models that a run with these settings uses."""
    vfm: tuple[PartName, ...] = ("vfm",) if needs_vfm(settings) else ()
    with_sam = settings.refine or find_method(settings.method).splice
    sam: tuple[PartName, ...] = ("sam",) if with_sam else ()
    return ("clip", *vfm, *sam)


def for_method(settings: Settings, method: str) -> Settings:
    """The same for another method: what does not act on it gets its default."""
    other = settings.model_copy(update={"method": method})
    return other.model_copy(
        update={
            name: field.default
            for name, field in type(other).model_fields.items()
            if not _takes(find_method(method), name)
        }
    )


def refuse_foreign(settings: Settings, spec: ModelSpec) -> None:
    """Refuse a setting that was changed and does not act on the method.

    The default, and what the specification recommends, may stand anywhere: settings
    that were read back or completed name every field.

    Raises
    ------
    ValueError
        Naming the setting, and the methods on which it acts.
    """
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        usual = (field.default, getattr(spec, name, field.default))
        if value not in usual and not takes(settings, name):
            raise ValueError(f"{name}: {_remedy(settings.method, name)}")


def _remedy(method: str, name: str) -> str:
    if _takes(find_method(method), name):  # its own attention, but not the given one
        return (
            "the given attention has no part on which it acts; leave it out, or add "
            "qq, kk or vv to attention"
        )
    *others, last = (m.name for m in METHODS.values() if _takes(m, name))
    # A long list of names would hide what is wrong.
    few = f"{', '.join(others)} or {last}" if others else last
    choice = few if len(others) < 7 else "another method"
    return f"the method {method} has no such setting; leave it out, or choose {choice}"
