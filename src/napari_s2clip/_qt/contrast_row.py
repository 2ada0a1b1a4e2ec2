"""What becomes black and white in the images of a job."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from qtpy.QtCore import QLocale, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDoubleValidator
from qtpy.QtWidgets import QLabel, QLineEdit, QSizePolicy, QWidget

from .scope_rows import below, in_a_row, new_combo

__all__ = ["ContrastRow"]

_CHOICES: Final = {"Of each image": "each", "The same for all": "same"}


class ContrastRow(QWidget):
    """Percentiles of each plane, or two values for all of them.

    Attributes
    ----------
    suggest : callable
        Gives values to begin with; None where there are none.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.suggest: Callable[[], tuple[float, float] | None] = lambda: None
        self.box = new_combo(
            "What becomes black and white for the models. Of each image: 8-bit values "
            "are taken as they are, others between percentiles of each plane. The same "
            "for all: two values, those of the chosen layer to begin with.",
            dict(_CHOICES),
        )
        self.black, self.white = QLineEdit(), QLineEdit()
        for edit, word in ((self.black, "black"), (self.white, "white")):
            validator = QDoubleValidator(edit)
            validator.setLocale(QLocale.c())
            edit.setValidator(validator)
            edit.setPlaceholderText(word)
            edit.setAccessibleName(f"Value that becomes {word}")
            edit.setToolTip(f"Pixels with this value become {word}.")
            edit.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            edit.textChanged.connect(self.changed)
        self._second = below(self, self.box)
        row = in_a_row(self._second, self.black)
        row.addWidget(QLabel("to"))
        row.addWidget(self.white, 1)
        self.setFocusProxy(self.box)
        self.box.currentIndexChanged.connect(self._on_box)
        self.box.activated.connect(self._on_chosen)
        self._on_box()

    def limits(self) -> tuple[float, float] | None:
        """The values; None for those of each image.

        Raises
        ------
        ValueError
            If they are no numbers, or in the wrong order.
        """
        if self.box.currentData() == "each":
            return None
        found = []
        for edit, word in ((self.black, "black"), (self.white, "white")):
            try:
                found.append(float(edit.text()))
            except ValueError:
                raise ValueError(
                    f"contrast: give the value that becomes {word}"
                ) from None
        black, white = found
        if not (math.isfinite(black) and math.isfinite(white) and black < white):
            raise ValueError("contrast: white must be a larger value than black")
        return black, white

    def state(self) -> dict[str, Any]:
        """What is set, as plain data."""
        return {
            "contrast": self.box.currentData(),
            "black": self.black.text(),
            "white": self.white.text(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set what `state` gave; what does not fit is left as it is."""
        for name, edit in (("black", self.black), ("white", self.white)):
            if isinstance(state.get(name), str):
                edit.setText(state[name])
        index = self.box.findData(state.get("contrast"))
        if index >= 0:
            self.box.setCurrentIndex(index)

    def _on_box(self) -> None:
        self._second.setVisible(self.box.currentData() == "same")
        self.changed.emit()

    def _on_chosen(self) -> None:
        """Somebody has chosen: take the values of the layer that is there."""
        found = self.suggest() if self.box.currentData() == "same" else None
        if found is not None:
            for edit, value in zip((self.black, self.white), found, strict=True):
                edit.setText(repr(value) if value % 1 else f"{value:.0f}")
