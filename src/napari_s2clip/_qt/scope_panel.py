"""Stand-in."""
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget
from ..planes import Scope
from ..tiles import Tiling
class ScopePanel(QWidget):
    changed = Signal()
    tiling = Tiling()
    def __init__(self, viewer, parent=None): super().__init__(parent)
    def set_layer(self, layer): ...
    def scope(self, viewer, layer): return Scope()
