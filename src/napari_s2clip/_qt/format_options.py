"""Controls for the options of a format, made from the fields of its class."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from ..datasets import Format
from .scope_rows import new_combo

__all__ = ["FormatOptions", "about", "title_of"]

_MOST = 1_000_000


def about(form: type[Format]) -> str:
    """What a format is, in one line."""
    return (inspect.getdoc(form) or "").split("\n", 1)[0]


def title_of(name: str) -> str:
    """A name as people write it: ``segmentation`` becomes ``Segmentation``."""
    words = name.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}"


def _explanations(form: type[Format]) -> dict[str, str]:
    """What the docstring says of each field."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (inspect.getdoc(form) or "").splitlines():
        head = re.match(r"(\w+) : ", line)
        if head:
            name = head[1]
            found[name] = []
        elif line.startswith("    ") and name:
            found[name].append(line.strip())
        elif line.strip():
            name = ""
    return {n: "\n".join(lines).replace("``", "") for n, lines in found.items()}


class FormatOptions(QWidget):
    """One control for each option of a format; with none it is hidden."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.editors: dict[str, QWidget] = {}
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(
            QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        )
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)

    def set_format(self, form: type[Format]) -> None:
        """Show the options of a format, as they are by default."""
        while self._form.rowCount():
            self._form.removeRow(0)
        self.editors = {}
        if is_dataclass(form):
            hints, said = get_type_hints(form), _explanations(form)
            for field in fields(form):
                editor = _editor(hints[field.name], _default(field))
                if editor is None:
                    continue
                tip = said.get(field.name, "") or title_of(field.name)
                editor.setToolTip(tip)
                editor.setAccessibleName(title_of(field.name))
                title = "" if isinstance(editor, QCheckBox) else title_of(field.name)
                if not title:
                    editor.setText(title_of(field.name))
                self._form.addRow(title, editor)
                self.editors[field.name] = editor
        self.setVisible(bool(self.editors))

    def options(self) -> dict[str, Any]:
        """What is set, by field."""
        return {name: _value(editor) for name, editor in self.editors.items()}

    def restore(self, options: Mapping[str, Any]) -> None:
        """Set what was set before; what does not fit is left as it is."""
        for name, editor in self.editors.items():
            if name in options:
                _set(editor, options[name])


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return None if field.default_factory is MISSING else field.default_factory()


def _editor(hint: Any, default: Any) -> QWidget | None:
    """A control for values of a type; None for types that have none."""
    if get_origin(hint) is Literal:
        box = new_combo("", {str(choice): choice for choice in get_args(hint)})
        box.setCurrentIndex(max(0, box.findData(default)))
        return box
    editor: QWidget
    if hint is bool:
        editor = QCheckBox()
    elif hint is int:
        editor = QSpinBox()
        editor.setRange(-_MOST, _MOST)
    elif hint is float:
        editor = QDoubleSpinBox()
        editor.setRange(-_MOST, _MOST)
        editor.setDecimals(4)
    elif hint is str:
        editor = QLineEdit()
    elif hint == tuple[str, ...]:
        editor = _Words()
    else:
        return None
    _set(editor, default)
    return editor


class _Words(QLineEdit):
    """Several texts, separated by semicolons as classes are."""

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("none, or a; b")

    def words(self) -> tuple[str, ...]:
        return tuple(w.strip() for w in self.text().split(";") if w.strip())


def _value(editor: QWidget) -> Any:
    if isinstance(editor, QComboBox):
        return editor.currentData()
    if isinstance(editor, QCheckBox):
        return editor.isChecked()
    if isinstance(editor, _Words):
        return editor.words()
    if isinstance(editor, QLineEdit):
        return editor.text()
    assert isinstance(editor, QSpinBox | QDoubleSpinBox)
    return editor.value()


def _set(editor: QWidget, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(editor, QComboBox):
        index = editor.findData(value)
        if index >= 0:
            editor.setCurrentIndex(index)
    elif isinstance(editor, QCheckBox):
        editor.setChecked(value is True)
    elif isinstance(editor, _Words):
        if isinstance(value, list | tuple):
            editor.setText("; ".join(str(word) for word in value))
    elif isinstance(editor, QLineEdit):
        editor.setText(value if isinstance(value, str) else "")
    elif isinstance(editor, QSpinBox) and number:
        editor.setValue(int(value))
    elif isinstance(editor, QDoubleSpinBox) and number:
        editor.setValue(float(value))
