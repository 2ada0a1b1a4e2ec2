"""Intersection over union of label maps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["IoU", "confusion_matrix"]


def confusion_matrix(
    prediction: ArrayLike,
    truth: ArrayLike,
    n_labels: int,
    *,
    ignore_index: int | None = None,
) -> NDArray[np.int64]:
    """Count the pixels of each pair of true and predicted value.

    Parameters
    ----------
    prediction, truth : array_like of int or bool, the same shape
        Label values from 0 to ``n_labels - 1``.
    n_labels : int
        Memory grows with its square.
    ignore_index : int, optional
        Pixels with this true value are not counted, whatever was predicted there.

    Returns
    -------
    ndarray of int64, (n_labels, n_labels)
        ``[t, p]`` is the number of pixels of true value t that were predicted as p.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is out of range or not an integer.
    """
    if n_labels < 1:
        raise ValueError(f"n_labels must be at least 1, got {n_labels}")
    guess, true = np.asarray(prediction), np.asarray(truth)
    if guess.shape != true.shape:
        raise ValueError(
            f"prediction {guess.shape} and truth {true.shape} differ in shape; give "
            "maps of the same image"
        )
    for name, values in (("prediction", guess), ("truth", true)):
        if values.dtype.kind not in "bui":
            raise ValueError(
                f"{name} has dtype {values.dtype}; give a map of integer label values"
            )
    if ignore_index is not None:
        keep = true != ignore_index
        guess, true = guess[keep], true[keep]
    for name, values in (("prediction", guess), ("truth", true)):
        if values.size and not 0 <= values.min() <= values.max() < n_labels:
            raise ValueError(
                f"{name} has values from {values.min()} to {values.max()}; 0 to "
                f"{n_labels - 1} are allowed"
            )
    pairs = true.astype(np.int64).ravel() * n_labels + guess.astype(np.int64).ravel()
    counts = np.bincount(pairs, minlength=n_labels**2)
    return counts.reshape(n_labels, n_labels).astype(np.int64, copy=False)


class IoU:
    """Intersection over union of each class, from counts gathered image by image.

    The Jaccard index in its form for segmentation (Everingham et al., "The PASCAL
    Visual Object Classes Challenge: A Retrospective", 2015, section 4): true
    positives / (true positives + false positives + false negatives), counted over the
    pixels of all images together.

    Parameters
    ----------
    n_labels : int
        Label values go from 0 to ``n_labels - 1``; with a background this is one more
        than there are classes.
    ignore_index : int, optional
        Pixels with this true value are not counted.

    Attributes
    ----------
    confusion : ndarray of int64, (n_labels, n_labels)
        Pixels by true value (row) and predicted value (column).

    Examples
    --------
    >>> counts = IoU(2)
    >>> counts.accumulate([[0, 1, 1, 1]], [[0, 0, 1, 1]])
    >>> counts.iou().round(3).tolist()
    [0.5, 0.667]
    >>> counts.mean([0])
    0.5
    """

    def __init__(self, n_labels: int, ignore_index: int | None = None) -> None:
        if n_labels < 1:
            raise ValueError(f"n_labels must be at least 1, got {n_labels}")
        self._n = n_labels
        self._ignore = ignore_index
        self.confusion = np.zeros((n_labels, n_labels), np.int64)

    def accumulate(self, prediction: ArrayLike, truth: ArrayLike) -> None:
        """Count one image; see `confusion_matrix` for what is refused."""
        self.confusion += confusion_matrix(
            prediction, truth, self._n, ignore_index=self._ignore
        )

    def iou(self) -> NDArray[np.float64]:
        """IoU of each label value, shape (n_labels,).

        NaN where a value occurs neither in a prediction nor in the truth.
        """
        hits = self.confusion.diagonal()
        union = self.confusion.sum(0) + self.confusion.sum(1) - hits
        return np.where(union > 0, hits / np.maximum(union, 1), np.nan)

    def mean(self, classes: Iterable[int] | None = None) -> float:
        """Mean IoU over chosen label values, or over all.

        Values that occur nowhere do not count; NaN if none is left.

        Parameters
        ----------
        classes : iterable of int, optional
            Label values, 0 included only if it is in the list.

        Raises
        ------
        ValueError
            If ``classes`` holds a value out of range.
        """
        iou = self.iou()
        if classes is not None:
            chosen = list(classes)
            for value in chosen:
                if not 0 <= value < self._n:
                    raise ValueError(
                        f"classes: {value} is no label value; 0 to {self._n - 1} are "
                        "allowed"
                    )
            iou = iou[np.asarray(chosen, np.intp)]
        iou = iou[~np.isnan(iou)]
        return float(iou.mean()) if iou.size else float("nan")
