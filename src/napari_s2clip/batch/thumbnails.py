"""Small pictures of what was found, for sheets to look at."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..io.atomic import replace_bytes
from .inputs import OWN_FOLDER

if TYPE_CHECKING:
    from .one import Found

__all__ = ["thumbnail_path", "write_thumbnail"]

_SIDE: Final = 256


def thumbnail_path(out: Path, name: str) -> Path:
    """Where the thumbnail of an image of a job lies."""
    return out / OWN_FOLDER / "thumbnails" / f"{name}.jpg"


def write_thumbnail(out: Path, name: str, found: Found) -> None:
    """The image beside its refined map, 256 px each, as JPEG."""
    from PIL import Image

    from ..io.overlay import overlay

    stack, image = found.stack, found.picture
    shown = stack.cut(found.result)
    step = -(-max(image.shape[:2]) // (4 * _SIDE))
    image = np.ascontiguousarray(image[::step, ::step])
    refined = np.ascontiguousarray(shown.refined[::step, ::step])
    drawn = overlay(image, refined, found.result.classes, legend=False, alpha=0.6)
    pair = [Image.fromarray(pixels) for pixels in (image, drawn)]
    for one in pair:
        one.thumbnail((_SIDE, _SIDE), reducing_gap=2.0)
    sides = [one.size for one in pair]
    sheet = Image.new(
        "RGB", (sum(w for w, _ in sides) + 4, max(h for _, h in sides)), "white"
    )
    sheet.paste(pair[0], (0, 0))
    sheet.paste(pair[1], (sides[0][0] + 4, 0))
    path = thumbnail_path(out, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Into memory: Pillow does not see it when a disk takes a part of its bytes only.
    data = io.BytesIO()
    sheet.save(data, format="JPEG", quality=85)
    replace_bytes(path, data.getvalue())
