"""The settings that act on features that are there: a control for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..method_settings import takes
from ..settings import Settings
from .knob_editors import KnobEditor, make_editor

__all__ = ["TunePanel"]

_TITLES = {
    "classify": "Classes",
    "regions": "Regions",
    "refine": "Refinement with SAM",
}

_ONLY: dict[str, tuple[str, ...]] = {"probability_refiner": ("none", "pamr")}
"""Choices that need no model beside those of the list."""

_LEFT_OUT = {"attention_threshold"}
"""Of Stable Diffusion, which the widget does not load."""

_OF_SAM = (
    *("refine_mode", "prompt_box", "prompt_point", "mask_prompt"),
    *("iou_threshold", "refine_background"),
)

_NEEDS: dict[str, tuple[str, Any]] = {
    "pamr_iterations": ("probability_refiner", "pamr"),
    **dict.fromkeys(_OF_SAM, ("refine", True)),
}
"""Knobs that act only while another one has a value."""


class TunePanel(QWidget):
    """Thresholds and toggles of all stages after the encoding.

    `changed` is emitted after every change, also in the middle of a drag.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._method: str = Settings().method
        self._silent = False
        self.live = QCheckBox("&Apply at once")
        self.live.setChecked(True)
        self.live.setToolTip(
            "Every change here is shown at once, from features that are there\n"
            "already; off: with the next run."
        )
        self.reset_button = QPushButton("Reset")
        self.reset_button.setToolTip("Give every setting on this page its default.")
        self.reset_button.clicked.connect(self.reset)
        self.editors: dict[str, KnobEditor] = {
            name: make_editor(name, _ONLY.get(name))
            for name, field in Settings.model_fields.items()
            if name not in _LEFT_OUT and _stage(field) in _TITLES
        }
        head = QHBoxLayout()
        head.addWidget(self.live, 1)
        head.addWidget(self.reset_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(head)
        self._forms: dict[str, QFormLayout] = {}
        for stage, title in _TITLES.items():
            heading = QLabel(f"<b>{title}</b>")
            layout.addWidget(heading)
            self._forms[stage] = form = QFormLayout()
            form.setFieldGrowthPolicy(
                QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
            )
            form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
            form.setVerticalSpacing(2)
            for editor in self.editors.values():
                if editor.stage == stage:
                    self._add(form, editor)
            layout.addLayout(form)
        layout.addStretch(1)
        self._show_acting()

    def _add(self, form: QFormLayout, editor: KnobEditor) -> None:
        if editor.title:
            label = QLabel(editor.title)
            label.setBuddy(editor.focus)
            label.setToolTip(editor.focus.toolTip())
            form.addRow(label, editor.widget)
        else:
            form.addRow(editor.widget)
        editor.connect(self._on_change)

    @property
    def values(self) -> dict[str, Any]:
        """What differs from the defaults, of the settings that act on the method."""
        acting = Settings.model_validate({"method": self._method})
        return {
            name: editor.value
            for name, editor in self.editors.items()
            if editor.value != editor.default and takes(acting, name)
        }

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set these, and all others to their defaults; names of other pages pass."""
        self._silent = True
        for name, editor in self.editors.items():
            editor.value = values.get(name, editor.default)
        self._silent = False
        self._show_acting()
        self.changed.emit()

    def settings(self) -> Settings:
        """All settings of a run by the chosen method.

        Raises
        ------
        ValueError
            If two of them exclude each other.
        """
        return Settings.model_validate({"method": self._method, **self.values})

    def set_method(self, method: str) -> None:
        """Show the settings that act on a method."""
        self._method = method
        self._show_acting()

    def reset(self) -> None:
        """Give every setting its default."""
        self.set_values({})

    def _on_change(self) -> None:
        if not self._silent:
            self._show_acting()
            self.changed.emit()

    def _show_acting(self) -> None:
        """Hide what the method does not have, disable what is switched off."""
        acting = Settings.model_validate({"method": self._method})
        for name, editor in self.editors.items():
            self._forms[editor.stage].setRowVisible(editor.widget, takes(acting, name))
            if name in _NEEDS:
                other, value = _NEEDS[name]
                editor.widget.setEnabled(self.editors[other].value == value)


def _stage(field: Any) -> str:
    return str(field.json_schema_extra["stage"])
