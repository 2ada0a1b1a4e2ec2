"""What model a file of tensors looks like, told by names and shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["Shapes", "recognise"]

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Tensors' shapes by name."""

_SIZES: Final = {192: "Ti", 384: "S", 768: "B", 1024: "L", 1280: "H", 1408: "g"}
_CLIP_SIZES: Final = _SIZES | {1664: "bigG"}
_VIT_SIZES: Final = _SIZES | {1536: "g"}

_FOREIGN: Final = (
    ("image_encoder.trunk.", "SAM 2"),
    ("image_encoder.layers.", "MobileSAM"),
    ("vision_encoder.", "a SAM of the transformers package"),
    ("vision_model.", "a CLIP of the transformers package"),
    ("embeddings.", "a ViT of the transformers package"),
    ("visual.layer1.", "a CLIP whose image tower is a ResNet"),
    ("visual.trunk.", "a CLIP whose image tower is one of timm"),
)
"""Models that have names of their own."""


def recognise(shapes: Shapes) -> str | None:
    """A title such as ``"SAM ViT-H"``; None for what is not known.

    Parameters
    ----------
    shapes : mapping of str to tuple of int

    Returns
    -------
    str or None
        To follow "it looks like …".
    """
    for start, title in _FOREIGN:
        if any(name.startswith(start) for name in shapes):
            return title
    encoder = shapes.get("image_encoder.pos_embed", ())
    if len(encoder) == 4:
        return f"SAM {_size(_SIZES, encoder[-1])}"
    tower = shapes.get("visual.conv1.weight", ())
    if len(tower) == 4:
        return _clip(shapes, *tower[::3])
    patches = shapes.get("patch_embed.proj.weight", ())
    if len(patches) == 4:
        return _vit(shapes, *patches[::3])
    return None


def _size(known: Mapping[int, str], width: int) -> str:
    return f"ViT-{known[width]}" if width in known else f"of width {width}"


def _clip(shapes: Shapes, width: int, patch: int) -> str:
    title = f"CLIP {_size(_CLIP_SIZES, width)}/{patch}"
    table = shapes.get("visual.positional_embedding", ())
    side = math.isqrt(max(0, math.prod(table[:1]) - 1)) * patch
    return title if side in {0, 224} else f"{title} for {side} px"


def _vit(shapes: Shapes, width: int, patch: int) -> str:
    title = f"{_size(_VIT_SIZES, width)}/{patch}"
    if "norm_pre.weight" in shapes:
        return f"the image tower alone of CLIP {title}"
    if "reg_token" in shapes or "register_tokens" in shapes:
        return f"DINOv2 {title} with registers"
    return f"DINOv2 {title}" if "blocks.0.ls1.gamma" in shapes else f"DINO {title}"
