"""Where the models run, and in which number format."""

from __future__ import annotations

import logging
from typing import Any, cast, get_args

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QWidget

from ..models.parts import Precision

__all__ = ["DeviceRow", "LazyCombo"]

_log = logging.getLogger(__name__)

_LOOKING = "Looking for devices…"


class LazyCombo(QComboBox):
    """A combo box that says when its list is about to be opened."""

    opening = Signal()

    def showPopup(self) -> None:
        self.opening.emit()
        super().showPopup()


class DeviceRow(QWidget):
    """Choose the device and the precision.

    The devices are looked for in a thread when their list is first opened: importing
    torch takes seconds, and the dock must open at once.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.device_box = LazyCombo()
        self.device_box.addItem("auto", "auto")
        self.device_box.setToolTip("auto takes a GPU if there is one, else the CPU.")
        self.device_box.opening.connect(self._look_for_devices)
        self.precision_box = QComboBox()
        for name in get_args(Precision):
            self.precision_box.addItem(name, name)
        self.precision_box.setToolTip(
            "Number format of the encoders: auto is fp16 on CUDA, bf16 on CPUs that "
            "have\ninstructions for it, else fp32."
        )
        self._looking = False
        self._found = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box, share in ((self.device_box, 3), (self.precision_box, 2)):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            layout.addWidget(box, share)

    @property
    def device(self) -> str:
        """Name of the chosen device, or ``"auto"``."""
        return str(self.device_box.currentData() or "auto")

    @property
    def precision(self) -> Precision:
        """The chosen number format."""
        return cast("Precision", self.precision_box.currentData())

    def choose(self, device: str, precision: str) -> None:
        """Choose both; a device that is not in the list yet is added."""
        if self.device_box.findData(device) < 0:
            self.device_box.addItem(device, device)
        self.device_box.setCurrentIndex(self.device_box.findData(device))
        self.precision_box.setCurrentIndex(
            max(0, self.precision_box.findData(precision))
        )

    def _look_for_devices(self) -> None:
        if self._looking or self._found:
            return
        from napari.qt.threading import create_worker

        self._looking = True
        self.device_box.addItem(_LOOKING)
        model: Any = self.device_box.model()
        model.item(self.device_box.count() - 1).setEnabled(False)
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
        # One that is set and not here stays: the run says that it is not available.
        if self.device_box.findData(chosen) < 0:
            self.device_box.addItem(chosen, chosen)
        self.device_box.setCurrentIndex(self.device_box.findData(chosen))
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
