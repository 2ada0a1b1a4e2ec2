"""Intersection over union of label maps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["IoU"]


class IoU:
    """Confusion counts of label maps, gathered image by image.

    Parameters
    ----------
    n_labels : int
        Label values go from 0 to ``n_labels - 1``.
    ignore_index : int, optional
        Pixels with this true value are not counted.

    Examples
    --------
    >>> counts = IoU(2)
    >>> counts.accumulate([[0, 1, 1]], [[0, 0, 1]])
    >>> counts.iou().tolist()
    [0.5, 0.5]
    """

    def __init__(self, n_labels: int, ignore_index: int | None = None) -> None:
        if n_labels < 1:
            raise ValueError(f"n_labels must be at least 1, got {n_labels}")
        self._n = n_labels
        self._ignore = ignore_index
        self.confusion = np.zeros((n_labels, n_labels), np.int64)
        """Pixels by true value (row) and predicted value (column)."""

    def accumulate(self, prediction: object, truth: object) -> None:
        """Count one image: two integer maps of the same shape.

        Raises
        ------
        ValueError
            If the shapes differ or a value is out of range.
        """
        guess, true = np.asarray(prediction), np.asarray(truth)
        if guess.shape != true.shape:
            raise ValueError(
                f"prediction {guess.shape} and truth {true.shape} differ in shape"
            )
        keep = np.ones(true.shape, bool)
        if self._ignore is not None:
            keep = true != self._ignore
        rows, columns = true[keep].astype(np.int64), guess[keep].astype(np.int64)
        for name, values in (("prediction", columns), ("truth", rows)):
            if values.size and not 0 <= values.min() <= values.max() < self._n:
                raise ValueError(
                    f"{name} has values from {values.min()} to {values.max()}; "
                    f"0 to {self._n - 1} are allowed"
                )
        counts = np.bincount(rows * self._n + columns, minlength=self._n**2)
        self.confusion += counts.reshape(self._n, self._n)

    def iou(self) -> NDArray[np.float64]:
        """IoU of each value, shape (n_labels,); NaN where it occurs nowhere."""
        hits = np.diag(self.confusion)
        union = self.confusion.sum(0) + self.confusion.sum(1) - hits
        return np.where(union > 0, hits / np.maximum(union, 1), np.nan)

    def mean(self, values: Iterable[int] | None = None) -> float:
        """Mean IoU over ``values``, or over all values that occur."""
        iou = self.iou()
        return float(np.nanmean(iou if values is None else iou[list(values)]))
