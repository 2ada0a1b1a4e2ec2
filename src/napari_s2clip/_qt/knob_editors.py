"""A control for every knob, made from what the knob says about itself."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_origin

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    FloatSpinBox,
    SpinBox,
)
from magicgui.widgets.bases import ValueWidget
from qtpy.QtWidgets import QSizePolicy, QWidget

from ..methods import find_method
from ..settings import Settings
from ..settings.explain import describe_values

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["KnobEditor", "make_editor"]

_STEP = 0.01
"""Of a slider for shares and probabilities."""

_MOST = 1_000_000
"""Of a knob without an upper limit."""


class KnobEditor:
    """The control of one knob.

    Attributes
    ----------
    name : str
    title : str
        For its label; empty where the control has the words itself.
    stage : str
        The first that runs again when it changes.
    """

    def __init__(self, name: str, choices: tuple[str, ...] | None = None) -> None:
        self._field = field = Settings.model_fields[name]
        extra = cast("dict[str, str]", field.json_schema_extra)
        self.name = name
        self.stage = extra["stage"]
        self._automatic: CheckBox | None = None
        self._editor = _editor(field, choices)
        self.title = "" if _bare(field) is bool else str(field.title)
        self._outer: Any = self._editor
        if _is_optional(field):
            # What the model or the method recommends is not known before a run.
            self._automatic = CheckBox(value=True, text="auto")
            self._automatic.changed.connect(self._on_automatic)
            self._outer = Container(
                widgets=[self._editor, self._automatic],
                layout="horizontal",
                labels=False,
            )
            self._outer.margins = (0, 0, 0, 0)
            self._on_automatic(True)
        for control in (self._editor, self._automatic):
            if control is not None:
                control.native.setToolTip(_tooltip(field, extra["unit"]))
                control.native.setAccessibleName(str(field.title))
        self.widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def widget(self) -> QWidget:
        """The control, for a layout."""
        return cast("QWidget", self._outer.native)

    @property
    def focus(self) -> QWidget:
        """What a mnemonic leads to."""
        return cast("QWidget", self._editor.native)

    @property
    def value(self) -> Any:
        """What is set; None for what the model or the method recommends."""
        if self._automatic is not None and self._automatic.value:
            return None
        return self._editor.value

    @value.setter
    def value(self, value: Any) -> None:
        if self._automatic is not None:
            self._automatic.value = value is None
        if value is not None:
            self._editor.value = value

    @property
    def default(self) -> Any:
        """The knob's own default."""
        return self._field.default

    def connect(self, callback: Any) -> None:
        """Call ``callback()`` after every change."""
        for control in (self._editor, self._automatic):
            if control is not None:
                control.changed.connect(lambda: callback())

    def _on_automatic(self, automatic: bool) -> None:
        self._editor.enabled = not automatic


def make_editor(name: str, choices: tuple[str, ...] | None = None) -> KnobEditor:
    """The control of a knob.

    Parameters
    ----------
    name : str
        A field of `Settings`.
    choices : tuple of str, optional
        Fewer than the field allows.
    """
    return KnobEditor(name, choices)


def _bare(field: FieldInfo) -> Any:
    """The type of the values, without None and limits."""
    annotation = field.annotation
    if _is_optional(field):
        annotation = next(a for a in get_args(annotation) if a is not type(None))
        annotation = get_args(annotation)[0]
    return annotation


def _is_optional(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def _limit(field: FieldInfo, *names: str) -> Any:
    found = (getattr(m, name, None) for m in field.metadata for name in names)
    return next((limit for limit in found if limit is not None), None)


def _editor(field: FieldInfo, choices: tuple[str, ...] | None) -> ValueWidget[Any]:
    kind, value = _bare(field), field.default
    if kind is bool:
        return CheckBox(value=value, text=str(field.title))
    if get_origin(kind) is Literal:
        return ComboBox(value=value, choices=choices or get_args(kind))
    low, high = _limit(field, "ge", "gt"), _limit(field, "le", "lt") or _MOST
    # Without a step it grows with the value: these are orders of magnitude.
    if kind is int:
        return SpinBox(value=value, min=low, max=high, step=None)
    if (low, high) == (0, 1):
        return FloatSlider(value=value, min=0, max=1, step=_STEP)
    usual = find_method(Settings().method).logit_scale if value is None else value
    return FloatSpinBox(value=usual, min=_STEP, max=high, step=None)


def _tooltip(field: FieldInfo, unit: str) -> str:
    words = f"{field.description} {describe_values(field).capitalize()}"
    text = f"{words}{f', in {unit}' if unit else ''}."
    return "\n".join(textwrap.wrap(text, 70))
