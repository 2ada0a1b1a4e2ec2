"""Which models and method, and where they run."""

from __future__ import annotations

import logging
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QSizePolicy, QWidget

from ..methods import METHODS
from ..models.specs import SPECS
from ..models.weights import missing_parts

__all__ = ["ModelPanel"]

_log = logging.getLogger(__name__)

_LOOKING = "Looking for devices…"


class _LazyCombo(QComboBox):
    """A combo box that says when its list is about to be opened."""

    opening = Signal()

    def showPopup(self) -> None:
        self.opening.emit()
        super().showPopup()


class ModelPanel(QWidget):
    """Choose the models, the method and the device.

    The devices are looked for in a thread when their list is first opened: importing
    torch takes seconds, and the dock must open at once.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model_box = QComboBox()
        for name, spec in SPECS.items():
            self.model_box.addItem(spec.title, name)
            self.model_box.setItemData(
                self.model_box.count() - 1,
                spec.description,
                Qt.ItemDataRole.ToolTipRole,
            )
        self.model_box.currentIndexChanged.connect(self.refresh)
        self.method_box = QComboBox()
        for name, method in METHODS.items():
            self.method_box.addItem(method.title, name)
            self.method_box.setItemData(
                self.method_box.count() - 1,
                method.about,
                Qt.ItemDataRole.ToolTipRole,
            )
        self.method_box.currentIndexChanged.connect(self._show_method)
        self.device_box = _LazyCombo()
        self.device_box.addItem("auto", "auto")
        self.device_box.setToolTip("auto takes a GPU if there is one, else the CPU.")
        self.device_box.opening.connect(self._look_for_devices)
        self.state_label = QLabel()
        self.state_label.setWordWrap(True)
        self._looking = False
        self._found = False
        for box in (self.model_box, self.method_box, self.device_box):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.refresh()
        self._show_method()

        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.addRow("&Model", self.model_box)
        layout.addRow("", self.state_label)
        layout.addRow("M&ethod", self.method_box)
        layout.addRow("&Device", self.device_box)

    @property
    def model(self) -> str:
        """Name of the chosen specification."""
        return str(self.model_box.currentData())

    @property
    def method(self) -> str:
        """Name of the chosen method."""
        return str(self.method_box.currentData())

    @property
    def device(self) -> str:
        """Name of the chosen device, or ``"auto"``."""
        return str(self.device_box.currentData() or "auto")

    def refresh(self) -> None:
        """Say what the chosen models are, and whether their weights are here."""
        spec = SPECS[self.model]
        self.model_box.setToolTip(spec.description)
        missing = missing_parts(spec)
        names = ", ".join(part.title for part in missing)
        if missing:
            state = f"Weights missing: {names}. Run tells where to get them."
        elif spec.built_in:
            state = "Weights are built in."
        else:
            state = "Weights are on this computer."
        self.state_label.setText(state)

    def _show_method(self) -> None:
        """Say what the chosen method does."""
        self.method_box.setToolTip(
            f"How image tokens become features: {METHODS[self.method].about}"
        )

    def _look_for_devices(self) -> None:
        if self._looking or self._found:
            return
        from napari.qt.threading import create_worker

        self._looking = True
        self.device_box.addItem(_LOOKING)
        model: Any = self.device_box.model()
        model.item(1).setEnabled(False)
        create_worker(
            _describe_devices,
            _connect={"returned": self.show_devices},
        )

    def show_devices(self, devices: list[tuple[str, str]]) -> None:
        """Fill the list with (name, title) pairs; the choice stays."""
        chosen = self.device
        view: Any = self.device_box.view()
        open_list = view.isVisible()
        if open_list:
            self.device_box.hidePopup()
        self.device_box.clear()
        for name, title in devices:
            self.device_box.addItem(title, name)
        self.device_box.setCurrentIndex(max(0, self.device_box.findData(chosen)))
        self._looking, self._found = False, len(devices) > 1
        if open_list:
            self.device_box.showPopup()


def _describe_devices() -> list[tuple[str, str]]:
    """Device names with titles; runs in a thread, so it raises nothing."""
    from ..models.device import available_devices, describe_device

    try:
        names = ("auto", *available_devices())
        return [(name, f"{name} ({describe_device(name)})") for name in names]
    except Exception:  # noqa: BLE001
        # A broken torch, for example; the run says what is wrong.
        _log.exception("the devices could not be listed")
        return [("auto", "auto")]
