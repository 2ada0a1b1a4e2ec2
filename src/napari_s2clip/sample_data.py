"""Images to try the plugin with; both are there offline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

__all__ = ["demo_scene", "photograph"]

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]

_SEED = 215
"""Two grounds, and three objects that lie apart."""


def demo_scene() -> list[LayerData]:
    """A procedural scene of 256 px; the same one every time."""
    from .demo.scenes import draw_scene

    scene = draw_scene(256, np.random.default_rng(_SEED), difficulty="medium")
    return [_image(scene.image, "demo scene", list(scene.names))]


def photograph() -> list[LayerData]:
    """Chelsea the cat, from scikit-image: 300 × 451 px; for the real models."""
    from skimage import data

    load: Callable[[], Any] = data.chelsea
    return [_image(load(), "photograph", ["cat | kitten", "blanket | cloth"])]


def _image(pixels: Any, name: str, classes: list[str]) -> LayerData:
    options = {"name": name, "rgb": True, "metadata": _metadata(classes)}
    return (pixels, options, "image")


def _metadata(classes: list[str]) -> dict[str, Any]:
    # The widget offers these names as long as its own list is empty.
    return {"napari_s2clip": {"classes": classes}}
