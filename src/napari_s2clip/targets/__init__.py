"""A run over planes and tiles: segmented piece by piece, and put together."""

from .result import TARGET_COLUMNS, TargetResult

__all__ = ["TARGET_COLUMNS", "TargetResult"]
