"""Keys of the review, in the panel and on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from napari.utils.key_bindings import KeyBinding, coerce_keybinding

__all__ = ["KEYS", "CanvasKeys"]

KEYS: Final[Mapping[str, str]] = {
    "accept": "K",
    "reject": "N",
    "reassign": "J",
    "coarse": "Q",
    "refined": "W",
    "undo": "U",
    "redo": "Shift-U",
    "next": "G",
}
"""By act: keep, no, join, and two neighbours on the keyboard for the shapes.

None of them is napari's own for the viewer or any kind of layer.
"""


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
        By act, see `KEYS`.
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
        for act, function in self._functions.items():
            key = _key(function)
            binding = coerce_keybinding(KEYS[act])
            key.replaced = self._viewer.bind_key(binding, key, overwrite=True)
            self._bound[binding] = key

    def unbind(self) -> None:
        """Give the keys back, but not those that somebody else has taken since."""
        for binding, key in self._bound.items():
            key.alive = False
            if self._viewer.keymap.get(binding) is not key:
                continue
            before = key.replaced
            # Another review may have been closed since.
            while getattr(before, "alive", None) is False:
                before = before.replaced
            self._viewer.bind_key(binding, before, overwrite=True)
        self._bound = {}
