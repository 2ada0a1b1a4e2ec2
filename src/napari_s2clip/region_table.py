"""The table of regions: one row each, in pixels of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .refine.prompts import boxes_in_image, points_in_image
from .results import REGION_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from .classes import ClassSet
    from .refine.result import Refinement
    from .regions import Regions

__all__ = ["region_table"]


def region_table(
    regions: Regions,
    region_map: NDArray[np.int32],
    grid: tuple[int, ...],
    refinement: Refinement,
    classes: ClassSet | None = None,
) -> pd.DataFrame:
    """One row a region, in pixels of the image; see `Segmentation`.

    Parameters
    ----------
    regions : Regions
    region_map : ndarray of int32, (H, W)
    grid : (int, int)
        Height and width of the grid on which the regions were found.
    refinement : Refinement
    classes : ClassSet, optional
        Gives ids and names to the positions in ``regions.classes``; without it, the
        positions are the ids and there is no column of names.
    """
    import pandas as pd

    size = (region_map.shape[0], region_map.shape[1])
    boxes = boxes_in_image(regions.boxes, (grid[0], grid[1]), size)
    points = points_in_image(regions.points, (grid[0], grid[1]), size)
    count = len(regions.classes)
    areas = np.bincount(region_map.ravel(), minlength=count + 1)[1 : count + 1]
    ids, names = regions.classes, {}
    if classes is not None:
        ids = classes.label_values(regions.classes)
        names["class_name"] = [classes.name_of(value) for value in ids.tolist()]
    columns: dict[str, Any] = {
        "region": np.arange(1, count + 1),
        "class_id": ids,
        **names,
        "area": areas,
        "mean_probability": regions.scores,
        **dict(zip(("x_min", "y_min", "x_max", "y_max"), boxes.T, strict=True)),
        "point_x": points[:, 0],
        "point_y": points[:, 1],
        "sam_score": refinement.sam_scores,
        "refined": refinement.used,
    }
    # Each column by itself: pandas takes milliseconds to convert them all.
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=REGION_COLUMNS[name])
            for name, values in columns.items()
        }
    )
