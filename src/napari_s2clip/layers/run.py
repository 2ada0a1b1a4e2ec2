"""A result on its way into the layers of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..maps import new_map
from .boxes import Box, box_of
from .place import shown_of, title
from .regions import position_of
from .write import Source

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ..targets import TargetResult

__all__ = ["Run"]


@dataclass(frozen=True, eq=False)
class Run:
    """What is shown, and where.

    Attributes
    ----------
    viewer : ViewerModel
    layer : Image
    result : TargetResult
    between : callable
        Called between parts of the work.
    """

    viewer: ViewerModel
    layer: Image
    result: TargetResult
    between: Callable[[], object] = lambda: None

    @cached_property
    def boxes(self) -> list[Box]:
        """Where each plane goes in the layers."""
        target = self.result.target
        return [box_of(plane.at, target.shape) for plane in target.planes]

    @cached_property
    def shown(self) -> tuple[int, int]:
        """Axes of the layers that are the rows and columns of the planes."""
        return shown_of(self.result.target)

    @cached_property
    def positions(self) -> list[tuple[int, ...]]:
        """Indices of each plane on the other axes."""
        return [position_of(plane) for plane in self.result.target.planes]

    def name(self, stage: str) -> str:
        """Of a layer, before the viewer adds a number."""
        return f"{title(self.layer, self.result.target)} {stage}"

    def source(self, stage: str, first: int = 1) -> Source:
        """A map of the result; ``first`` becomes the id of the first region."""
        shift = first - 1 if stage in ("regions", "owners") else 0
        planes = getattr(self.result, stage)
        return Source(planes, self.boxes, self.shown, shift, self.between)

    def new_map(self, dtype: Any) -> Any:
        """An array for a layer of the whole image."""
        return new_map(self.result.target.shape, dtype, plane=self.shown)

    def facts(self) -> dict[str, Any]:
        """Plain data on where the result is from and where it lies."""
        rows, columns = (self.boxes[0][axis] for axis in self.shown)
        return {
            "positions": [list(position) for position in self.positions],
            "axes": list(self.shown),
            "window": [rows.start, columns.start, rows.stop, columns.stop],
            "provenance": self.result.provenance,
        }
