"""Which models and method, and where they run."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QSizePolicy, QWidget

from ..method_settings import needed_parts
from ..methods import METHODS
from ..models.cards import ModelCard
from ..models.own import catalogue
from ..models.parts import Precision
from ..models.specs import PRESETS, SPECS, ModelSpec
from ..settings import Settings
from ..store import WeightStore
from .device_row import DeviceRow, LazyCombo
from .state_line import StateLine, missing_cards
from .texts import breakable

__all__ = ["ModelPanel"]


class ModelPanel(QWidget):
    """Choose the models, the method and the device; see whether the models are here.

    Parameters
    ----------
    store : WeightStore, optional
    """

    spec_changed = Signal()
    method_changed = Signal(str)

    def __init__(
        self, store: WeightStore | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store or WeightStore()
        self._specs: dict[str, ModelSpec] = {}
        self.model_box = LazyCombo()
        self.model_box.opening.connect(self.reload)
        self.state = StateLine(self)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.method_box = QComboBox()
        for name, method in METHODS.items():
            self.method_box.addItem(method.title, name)
            self.method_box.setItemData(
                self.method_box.count() - 1,
                method.about,
                Qt.ItemDataRole.ToolTipRole,
            )
        self.where = DeviceRow()
        for box in (self.model_box, self.method_box):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.reload()
        self._on_method()
        self.model_box.currentIndexChanged.connect(self._on_model)
        self.method_box.currentIndexChanged.connect(self._on_method)

        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.addRow("&Model", self.model_box)
        self.state.add_to(layout)
        layout.addRow(self.problem)
        layout.addRow("M&ethod", self.method_box)
        layout.addRow("&Device", self.where)

    @property
    def spec(self) -> ModelSpec:
        """The chosen models."""
        return self._specs[str(self.model_box.currentData())]

    @property
    def method(self) -> str:
        """Name of the chosen method."""
        return str(self.method_box.currentData())

    @property
    def settings(self) -> Settings:
        """Settings that name the chosen method; the rest are defaults."""
        return Settings.model_validate({"method": self.method})

    @property
    def device(self) -> str:
        """Name of the chosen device, or ``"auto"``."""
        return self.where.device

    @property
    def precision(self) -> Precision:
        """The chosen number format."""
        return self.where.precision

    @property
    def store(self) -> WeightStore:
        """Where the weight files are."""
        return self._store

    @store.setter
    def store(self, store: WeightStore) -> None:
        self._store = store
        self.refresh()

    def missing(self, settings: Settings | None = None) -> list[ModelCard]:
        """The models that a run needs and that are not on this computer."""
        parts = needed_parts(settings or self.settings)
        return missing_cards(self.spec, parts, self._store)

    def choose(self, name: str) -> None:
        """Choose a preset by name; one that is not known changes nothing."""
        index = self.model_box.findData(name)
        if index >= 0:
            self.model_box.setCurrentIndex(index)

    def choose_method(self, name: str) -> None:
        """Choose a method by name; one that is not known changes nothing."""
        index = self.method_box.findData(name)
        if index >= 0:
            self.method_box.setCurrentIndex(index)

    def reload(self) -> None:
        """Read the list of presets again; the choice stays while it is there."""
        chosen = self.model_box.currentData()
        self._specs, problem = _offered()
        self.model_box.blockSignals(True)
        self.model_box.clear()
        for name, spec in self._specs.items():
            self.model_box.addItem(spec.title, name)
            self.model_box.setItemData(
                self.model_box.count() - 1,
                spec.description,
                Qt.ItemDataRole.ToolTipRole,
            )
        self.model_box.setCurrentIndex(max(0, self.model_box.findData(chosen)))
        self.model_box.blockSignals(False)
        self.problem.setText(breakable(problem))
        self.problem.setVisible(bool(problem))
        self._on_model()

    def refresh(self) -> None:
        """Say whether the files of the chosen models are here."""
        self.state.show_state(self.spec, self.missing())

    def _on_model(self) -> None:
        self.model_box.setToolTip(self.spec.description)
        self.refresh()
        self.spec_changed.emit()

    def _on_method(self) -> None:
        """Say what the chosen method does."""
        self.method_box.setToolTip(
            f"How image tokens become features: {METHODS[self.method].about}"
        )
        self.refresh()
        self.method_changed.emit(self.method)


def _offered() -> tuple[dict[str, ModelSpec], str]:
    """The presets by name, the user's own last, and what is wrong with their file."""
    try:
        known = catalogue()
        own, problem = [known.specs[n] for n in known.specs if n in known.own], ""
    except ValueError as error:
        own, problem = [], str(error)
    offered = {name: SPECS[name] for name in PRESETS}
    for spec in SPECS.values():
        # What is there under another name needs no second one.
        if spec.parts not in [other.parts for other in offered.values()]:
            offered[spec.name] = spec
    return offered | {spec.name: spec for spec in own}, problem
