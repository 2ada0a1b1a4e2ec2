"""Which pixels of an Image layer a run looks at, and where its labels lie.

Works on napari's layers and imports none of them.
"""

from .plane import Plane
from .scope import Channels, Scope, Window
from .target import MAX_SIDE, Target, take_plane, take_target
from .windows import field_of_view, is_upright, rectangle

__all__ = [
    "MAX_SIDE",
    "Channels",
    "Plane",
    "Scope",
    "Target",
    "Window",
    "field_of_view",
    "is_upright",
    "rectangle",
    "take_plane",
    "take_target",
]
