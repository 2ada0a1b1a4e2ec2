"""Images beside their labels, as files that every trainer opens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..image import to_rgb
from ..io.atomic import replacing
from .format import DatasetError

if TYPE_CHECKING:
    from .item import Item

__all__ = ["NO_IMAGE", "read_png", "write_image", "write_png"]

NO_IMAGE: Final = "the image was not given, so there are only labels"


def write_png(path: Path, pixels: NDArray[Any], palette: bytes = b"") -> None:
    """Write uint8 or grey uint16 pixels as PNG, in one step; folders are made.

    With a palette, red, green and blue of one value after the other, uint8 pixels are
    its indices.
    """
    from PIL import Image

    picture: Image.Image = Image.fromarray(np.ascontiguousarray(pixels))
    if palette:
        picture.putpalette(palette)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as new:
        picture.save(new, format="png")


def read_png(path: Path) -> NDArray[Any]:
    """The pixels of a PNG as they are stored: indices where it has a palette.

    Raises
    ------
    DatasetError
    """
    from PIL import Image

    try:
        with Image.open(path, formats=["png"]) as picture:
            return np.asarray(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path}: it cannot be read ({error})") from error


def write_image(
    item: Item, folder: Path, file: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the image of an item as a PNG in a dataset's folder.

    8-bit images and grey ones of 16 bits keep their values; others become 8-bit RGB.

    Returns
    -------
    files : tuple of str
        The file in the folder; empty if the item has no image.
    notes : tuple of str
        What could not be kept, a sentence each.
    """
    image = item.image
    if image is None:
        return (), (NO_IMAGE,)
    notes: tuple[str, ...] = ()
    kind = image.dtype
    if image.dtype == np.bool_:
        image = image.astype(np.uint8) * np.uint8(255)
    elif image.dtype != np.uint8 and not (image.dtype == np.uint16 and image.ndim == 2):
        image = to_rgb(image, levels=item.levels).pixels
        notes = (f"the image has values of {kind}; its copy is 8-bit RGB",)
    write_png(folder / file, image)
    return (file,), notes
