"""Pictures of maps over their image, with a legend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..results import Segmentation

__all__ = ["PICTURES", "draw_maps"]

PICTURES: Final = ("coarse", "regions", "refined")
"""Maps of which there are pictures."""

_LEVEL: Final = 1  # of zlib: photographs hardly get smaller by working longer


def draw_maps(
    shown: Segmentation,
    image: NDArray[np.uint8],
    paths: Mapping[str, Path],
    *,
    marked: bool = True,
) -> None:
    """Write a PNG of each map that a path is given for.

    Parameters
    ----------
    shown : Segmentation
        Maps (H, W); see `Stack.cut`.
    image : ndarray of uint8, (H, W, 3)
    paths : mapping of str to Path
        By map, of `PICTURES`.
    marked : bool
        Whether regions have their ids, at their points; both are those of the full
        size.

    Raises
    ------
    OSError
    """
    from .overlay import overlay, region_marks

    for stage, path in paths.items():
        options: dict[str, Any] = {}
        labels = getattr(shown, stage)
        if stage == "regions":
            marks, notes = region_marks(shown) if marked else ([], [])
            options = {"boundaries": labels, "marks": marks, "notes": notes}
            options["unlabelled"] = "no region"
            labels = shown.region_classes
        picture = overlay(image, labels, shown.classes, **options)
        # Pillow would go by the name, and that of a temporary file says nothing.
        Image.fromarray(picture).save(path, "PNG", compress_level=_LEVEL)
