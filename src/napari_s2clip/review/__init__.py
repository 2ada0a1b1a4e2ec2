"""Going through the regions of a result: accept, reject, change."""

from .review import Review
from .states import RegionState, Shape, Status, uncertainty

__all__ = ["RegionState", "Review", "Shape", "Status", "uncertainty"]
