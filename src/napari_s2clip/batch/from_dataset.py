"""Images of datasets as results of a job, to look at, correct and export again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.instances import each
from ..image import to_rgb
from ..io.atomic import replacing
from ..io.map_files import write_map
from ..io.results import write_segmentation
from ..results import REGION_COLUMNS, Segmentation
from .edited import refuse_edited_results
from .finished import FinishedImage

if TYPE_CHECKING:
    import pandas as pd

    from ..datasets import Item

__all__ = ["as_segmentation", "write_item"]


def as_segmentation(item: Item) -> Segmentation:
    """Labels as all three maps, objects as regions.

    Parameters
    ----------
    item : Item
    """
    objects, of = item.objects()
    labels = item.labels.astype(np.uint16)
    return Segmentation(
        classes=item.classes,
        coarse=labels,
        regions=objects,
        region_table=_table(item, objects, of),
        refined=labels,
        owners=objects,
        probabilities=np.zeros((len(item.classes), 0, 0), np.float32),
        provenance={**item.provenance, "input_notes": list(item.notes)},
    )


def write_item(
    item: Item, out: Path, *, overwrite: bool = False, pictures: bool = True
) -> list[Path]:
    """Write an image of a dataset as `write_segmentation` writes a run.

    Pixels to ignore are 1 in ``NAME_ignore.tif``.

    Parameters
    ----------
    item : Item
    out : Path
    overwrite, pictures : bool

    Raises
    ------
    FileExistsError
        If there are results of this name and ``overwrite`` is off.
    EditedError
        If label files of this name were edited since they were written.
    OSError
    """
    refuse_edited_results(FinishedImage(out, item.name))
    if item.image is None:
        picture = np.full((*item.shape, 3), 255, np.uint8)
    else:
        picture = to_rgb(item.image, levels=item.levels).pixels
    about: dict[str, Any] = {"source": {"path": item.source}, "imported": True}
    if item.pixel_size is not None:
        about |= {"pixel_size": list(item.pixel_size), "unit": item.unit}
    if item.reviewed is not None:
        about["reviewed"] = item.reviewed
    files = write_segmentation(
        as_segmentation(item),
        picture,
        out,
        item.name,
        overwrite=overwrite,
        pictures=pictures,
        about=about,
    )
    ignore = FinishedImage(out, item.name).path("_ignore.tif")
    if item.ignore is None or not item.ignore.any():
        ignore.unlink(missing_ok=True)
        return files
    with replacing(ignore) as new:
        labels = item.ignore.astype(np.uint8)
        facts = {"values": "1 is not known"}
        write_map(new, labels, shape=item.shape, axes="YX", facts=facts)
    return [*files, ignore]


def _table(item: Item, objects: Any, of: dict[int, int]) -> pd.DataFrame:
    """One row an object, as of a run that asked no model."""
    import pandas as pd

    rows = []
    for one in each(objects, of):
        x, y, width, height = one.bbox
        down, across = np.nonzero(one.mask)
        middle = len(down) // 2  # a pixel of it, wherever its middle is
        known = item.attributes.get(one.id, {})
        rows.append(
            {
                "region": one.id,
                "class_id": one.class_id,
                "class_name": item.classes.name_of(one.class_id),
                "area": one.area,
                "mean_probability": _number(known, "mean_probability", "score"),
                "x_min": x,
                "y_min": y,
                "x_max": x + width,
                "y_max": y + height,
                "point_x": x + across[middle] + 0.5,
                "point_y": y + down[middle] + 0.5,
                "sam_score": _number(known, "sam_score"),
                "refined": False,
            }
        )
    table = pd.DataFrame(rows, columns=[*REGION_COLUMNS])
    return table.astype(REGION_COLUMNS)


def _number(known: Any, *names: str) -> float:
    for name in names:
        value = known.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return float("nan")
