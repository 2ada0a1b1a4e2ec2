"""S2CLIP for napari: labels from class names, without training.

Names are imported when they are first used, so importing the package loads neither
torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from ._version import version as __version__
except ImportError:  # a source tree that was never built
    __version__ = "0.0.0+unknown"

if TYPE_CHECKING:
    from .classes import ClassEntry, ClassSet
    from .features.store import FeatureStore
    from .live import LiveSegmentation
    from .models.specs import ModelSpec
    from .pipeline import S2CLIP, ImageFeatures
    from .progress import Cancelled, CancelToken, Progress
    from .results import Segmentation
    from .settings import Settings

__all__ = [
    "S2CLIP",
    "CancelToken",
    "Cancelled",
    "ClassEntry",
    "ClassSet",
    "FeatureStore",
    "ImageFeatures",
    "LiveSegmentation",
    "ModelSpec",
    "Progress",
    "Segmentation",
    "Settings",
    "__version__",
]

_HOME = {
    "S2CLIP": "pipeline",
    "ImageFeatures": "pipeline",
    "FeatureStore": "features.store",
    "LiveSegmentation": "live",
    "Settings": "settings",
    "ClassEntry": "classes",
    "ClassSet": "classes",
    "Segmentation": "results",
    "CancelToken": "progress",
    "Cancelled": "progress",
    "Progress": "progress",
    "ModelSpec": "models.specs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
