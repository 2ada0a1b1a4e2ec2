"""A run over planes and tiles: segmented piece by piece, and put together."""

from .memory import FeatureMemory, NotEncoded
from .result import TARGET_COLUMNS, TargetResult
from .run import segment_target

__all__ = [
    "TARGET_COLUMNS",
    "FeatureMemory",
    "NotEncoded",
    "TargetResult",
    "segment_target",
]
