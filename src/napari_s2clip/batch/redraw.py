"""Pictures of results that were corrected: drawn anew, as the maps are now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io.atomic import replacing
from ..io.map_pictures import PICTURES, draw_maps
from ..io.open_image import open_image
from ..io.results import MAPS
from ..results import Segmentation
from .finished import FinishedImage, plane_of
from .pictures import ShownPlane, shown_plane
from .reading import Reading
from .reopen import position_of
from .sources import Sources
from .thumbnails import thumbnail_path, write_thumbnail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..io.opened import OpenedImage

__all__ = ["redraw"]


def redraw(image: FinishedImage, sources: Sources | None = None) -> bool:
    """Draw the pictures of an image anew that are there, and its thumbnail.

    Parameters
    ----------
    image : FinishedImage
    sources : Sources, optional
        Where the images are, if they were moved.

    Returns
    -------
    bool
        Whether they are as the maps are now; they stay as they were where the image
        is lost.

    Raises
    ------
    ValueError, OSError
        If a file cannot be read or written; the message names it.
    """
    image = FinishedImage(image.folder, image.name)  # as it is now
    there = {
        stage: path
        for stage in PICTURES
        if (path := image.path(f"_{stage}.png")).is_file()
        and image.path(f"_{stage}.tif").is_file()
    }
    thumbnail = thumbnail_path(image.folder, image.name).is_file()
    if not there and not thumbnail:
        return True
    source = (sources or Sources(image.folder)).find(image).path
    if source is None:
        return False
    with open_image(source) as opened:
        target = Reading.of(image.description).target(opened, image.name)
        stage = next(s for s in MAPS if image.path(f"_{s}.tif").is_file())
        with image.open(stage) as labels:
            if labels.shape != target.shape:
                raise ValueError(f"{source}: it is not of the size of its labels")
        plane = shown_plane(target, whole=_is_whole(there, target.shape))
    shown = _shown(image, plane)
    for stage, path in there.items():
        with replacing(path) as new:
            draw_maps(shown, plane.pixels, {stage: new}, marked=plane.step == 1)
    if thumbnail:
        write_thumbnail(
            image.folder, image.name, plane.pixels, shown.refined, shown.classes
        )
    return True


def _is_whole(pictures: Mapping[str, Path], shape: tuple[int, ...]) -> bool:
    """Whether pictures have the size of their image, with a legend at the side."""
    from PIL import Image

    for path in pictures.values():
        with Image.open(path) as picture:
            return picture.height >= shape[-2]
    return False


def _shown(image: FinishedImage, plane: ShownPlane) -> Segmentation:
    """The maps of the plane that is drawn, with its regions."""
    table = image.table
    if "plane" in table:
        table = table[table["plane"] == plane.number]
    maps: dict[str, NDArray[Any]] = {}
    for stage in MAPS:
        if image.path(f"_{stage}.tif").is_file():
            with image.open(stage) as opened:
                maps[stage] = _part(opened, plane)
    nothing = np.zeros(next(iter(maps.values())).shape, np.uint16)
    return Segmentation(
        classes=image.classes,
        region_table=table,
        probabilities=np.zeros((0, 0, 0), np.float32),
        provenance={},
        coarse=maps.get("coarse", nothing),
        regions=maps.get("regions", nothing),
        refined=maps.get("refined", nothing),
        owners=maps.get("owners", nothing),
    )


def _part(opened: OpenedImage, plane: ShownPlane) -> NDArray[Any]:
    labels = plane_of(opened, position_of(plane.number, opened.shape[:-2]))
    return np.ascontiguousarray(labels[:: plane.step, :: plane.step])
