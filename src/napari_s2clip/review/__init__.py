"""Going through the regions of a result: accept, reject, change."""

from .decisions import Known
from .review import Review
from .states import RegionState, Shape, Status, uncertainty

__all__ = ["Known", "RegionState", "Review", "Shape", "Status", "uncertainty"]
