"""How sure the models were of each region, as attributes of objects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["region_scores"]


def region_scores(table: pd.DataFrame) -> dict[int, dict[str, float]]:
    """Attributes by region; the score is that of reviews, p · s.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``region``, ``mean_probability`` and ``sam_score``, which may be NaN.
    """
    found: dict[int, dict[str, float]] = {}
    for region, p, s in zip(
        table["region"], table["mean_probability"], table["sam_score"], strict=True
    ):
        values = {"mean_probability": float(p), "sam_score": float(s)}
        values = {k: round(v, 6) for k, v in values.items() if math.isfinite(v)}
        if values:
            values["score"] = round(math.prod(values.values()), 6)
        found[int(region)] = values
    return found
