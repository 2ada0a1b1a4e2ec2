"""Keys of a panel that work on the canvas, whichever layer is selected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari.utils.key_bindings import KeyBinding, coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

__all__ = ["CanvasKeys", "add_shortcut"]


def _key(function: Callable[[], object]) -> Any:
    """What napari calls; it asks for a plain function with a name.

    The attribute ``alive`` ends it, and ``replaced`` is what was on the key before.
    """

    def press(viewer: Any) -> None:
        if key.alive:
            function()

    key: Any = press
    key.alive = True
    return key


class CanvasKeys:
    """Keys that work while the canvas has the focus, whichever layer is selected.

    Parameters
    ----------
    viewer : Viewer
    functions : mapping of str to callable
        Without arguments, by napari's name of the key.
    """

    def __init__(
        self, viewer: Any, functions: Mapping[str, Callable[[], object]]
    ) -> None:
        self._viewer = viewer
        self._functions = functions
        self._bound: dict[KeyBinding, Any] = {}

    def bind(self) -> None:
        """Take the keys; who had them gets them back from `unbind`."""
        if self._bound:
            return
        for name, function in self._functions.items():
            key = _key(function)
            binding = coerce_keybinding(name)
            key.replaced = self._viewer.bind_key(binding, key, overwrite=True)
            self._bound[binding] = key

    def unbind(self) -> None:
        """Give the keys back, but not those that somebody else has taken since."""
        for binding, key in self._bound.items():
            key.alive = False
            if self._viewer.keymap.get(binding) is not key:
                continue
            before = key.replaced
            # Another panel may have been closed since.
            while getattr(before, "alive", None) is False:
                before = before.replaced
            self._viewer.bind_key(binding, before, overwrite=True)
        self._bound = {}


def add_shortcut(panel: QWidget, key: Any, function: Callable[[], object]) -> QShortcut:
    """Let a key work while the panel, or something in it, has the focus.

    Parameters
    ----------
    panel : QWidget
    key : str or QKeySequence.StandardKey
        Napari's name of a key, or one of Qt's own.
    function : callable
    """
    sequence = key.replace("-", "+") if isinstance(key, str) else key
    shortcut = QShortcut(QKeySequence(sequence), panel)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.activated.connect(function)
    return shortcut
