"""Small pictures of what was found, for sheets to look at."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..io.atomic import replace_bytes
from .inputs import OWN_FOLDER

if TYPE_CHECKING:
    from ..classes import ClassSet

__all__ = ["thumbnail_path", "write_thumbnail"]

_SIDE: Final = 256


def thumbnail_path(out: Path, name: str) -> Path:
    """Where the thumbnail of an image of a job lies."""
    return out / OWN_FOLDER / "thumbnails" / f"{name}.jpg"


def write_thumbnail(
    out: Path,
    name: str,
    image: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    classes: ClassSet,
) -> None:
    """An image beside its map, 256 px each, as JPEG.

    Parameters
    ----------
    out : Path
        Folder of the results.
    name : str
    image : ndarray of uint8, (H, W, 3)
    labels : ndarray of int, (H, W)
    classes : ClassSet

    Raises
    ------
    OSError
    """
    from PIL import Image

    from ..io.overlay import overlay

    step = -(-max(image.shape[:2]) // (4 * _SIDE))
    image = np.ascontiguousarray(image[::step, ::step])
    labels = np.ascontiguousarray(labels[::step, ::step])
    drawn = overlay(image, labels, classes, legend=False, alpha=0.6)
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
