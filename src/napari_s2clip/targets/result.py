"""What a run over one or several planes of an image returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..results import REGION_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from ..classes import ClassSet
    from ..maps import Map
    from ..planes import Plane, Target
    from ..results import Segmentation

__all__ = ["TARGET_COLUMNS", "TargetResult", "place_table"]

TARGET_COLUMNS: Final[dict[str, str]] = {
    **REGION_COLUMNS,
    "plane": "int64",
    "position": "object",
}
"""Columns of `TargetResult.region_table` with their dtypes."""


@dataclass(eq=False)
class TargetResult:
    """Maps of all planes of a target, and what is known about them.

    Attributes
    ----------
    target : Target
    classes : ClassSet
    coarse, refined : array_like of uint16, (planes, H, W)
        0 is background, others are ids of classes. NumPy, or zarr on disk where they
        are large.
    regions, owners : array_like of int32, (planes, H, W)
        See `Segmentation`; ids are unique over all planes.
    region_table : pandas.DataFrame
        `REGION_COLUMNS`, and ``plane``, an index into ``target.planes``, and
        ``position``, the tuple of the plane's indices on the hidden axes of the Labels
        layer. Coordinates are pixels of that layer, not of the window.
    probabilities : array_like of float32, (planes, C, H, W), or None
        Where they were asked for.
    provenance : dict
        See `Segmentation`.
    seconds : dict of str to float
        Wall time by stage, of all tiles together.
    notes : tuple of str
        What was chosen or happened, for people.
    """

    target: Target
    classes: ClassSet
    coarse: Map
    regions: Map
    refined: Map
    owners: Map
    region_table: pd.DataFrame
    probabilities: Map | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        count, height, width = self.coarse.shape
        return (
            f"TargetResult({count} × {height} × {width} px, "
            f"classes={len(self.classes)}, regions={len(self.region_table)}, "
            f"model={self.provenance.get('model')!r})"
        )

    @classmethod
    def of(cls, segmentation: Segmentation, target: Target) -> TargetResult:
        """The result of a target with one plane that was segmented as a whole.

        Raises
        ------
        ValueError
            If the target has several planes, or one of another size.
        """
        shape = segmentation.coarse.shape
        if len(target.planes) != 1 or shape != target.plane_shape:
            raise ValueError(
                f"segmentation: its maps are {shape} px but the target has "
                f"{len(target.planes)} × {target.plane_shape} px; segment it again"
            )
        return cls(
            target=target,
            classes=segmentation.classes,
            coarse=segmentation.coarse[None],
            regions=segmentation.regions[None],
            refined=segmentation.refined[None],
            owners=segmentation.owners[None],
            region_table=place_table(segmentation.region_table, target.planes[0], 0),
            probabilities=segmentation.probabilities[None],
            provenance=segmentation.provenance,
            seconds=dict(segmentation.seconds),
            notes=target.notes,
        )


def place_table(table: pd.DataFrame, plane: Plane, number: int) -> pd.DataFrame:
    """A copy of a table of regions, in pixels of the whole image's Labels layer.

    Parameters
    ----------
    table : pandas.DataFrame
        In pixels of the plane.
    plane : Plane
    number : int
        Its index in the target.
    """
    table = table.copy()
    rows, columns = plane.window
    for names, first in (
        (["x_min", "x_max", "point_x"], columns.start),
        (["y_min", "y_max", "point_y"], rows.start),
    ):
        if first:
            table[names] += first
    position = tuple(i for i in plane.at if isinstance(i, int))
    table["plane"] = np.full(len(table), number, np.int64)
    table["position"] = np.fromiter((position for _ in range(len(table))), object)
    return table
