"""Refinement by hand: clicks, a box, a mask to be improved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..models.sam import SamEmbedding, SamModel
from .class_masks import class_mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["refine_prompt"]


def refine_prompt(
    sam: SamModel,
    embedding: SamEmbedding,
    *,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    box: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> tuple[NDArray[np.bool_], float]:
    """One mask from clicks, a box, or a mask to be improved; fast enough for a hand.

    Parameters
    ----------
    sam : SamModel
        See `load_sam`.
    embedding : SamEmbedding
        Of the image, ``sam.encode(image)``.
    points : array_like, (P, 2), optional
        x, y in pixels of the image; a pixel's middle is at + 0.5.
    labels : array_like of int, (P,), optional
        1 inside the mask, 0 outside; all 1 if not given.
    box : array_like, (4,), optional
        x_min, y_min, x_max, y_max in pixels of the image.
    mask : array_like of bool, or of 0 and 1, (H, W), optional
        What the object was taken for so far. One without any pixel needs a point or a
        box beside it.

    Returns
    -------
    mask : ndarray of bool, (H, W)
    score : float
        The IoU that SAM predicts.

    Raises
    ------
    ValueError
        If there is no prompt, a type or a shape is wrong, or something lies outside the
        image.
    """
    if not isinstance(sam, SamModel):
        raise ValueError(f"sam: give what load_sam makes, not {type(sam).__name__}")
    if not isinstance(embedding, SamEmbedding):
        raise ValueError(
            f"embedding: give sam.encode(image), not {type(embedding).__name__}"
        )
    height, width = embedding.image_size
    clicks = None if points is None else _points(points, (width, height))
    signs = None if labels is None else _signs(labels, clicks)
    corners = None if box is None else _box(box, (width, height))
    shape = None
    if mask is not None:
        p = torch.from_numpy(_mask(mask, (height, width)))
        if clicks is None and corners is None and not p.any():
            raise ValueError(
                "mask is empty; give at least one pixel of it, a point or a box"
            )
        shape = class_mask(sam, p, (height, width), "logit")[None]
    if clicks is None and corners is None and shape is None:
        raise ValueError("points, box, mask: give at least one")
    logits, score = sam.decode(
        embedding,
        boxes=None if corners is None else corners[None],
        points=None if clicks is None else clicks[None],
        point_labels=None if signs is None else signs[None],
        mask_inputs=shape,
    )
    found = np.zeros((height, width), bool)
    window = sam.resizer(embedding, logits.device).window(logits[0])
    if window is not None:
        found[window.rows, window.columns] = (window.logits > 0).cpu().numpy()
    return found, float(score[0])


def _array(name: str, given: ArrayLike, dtype: Any = None) -> NDArray[Any]:
    try:
        return np.asarray(given, dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: give an array of numbers ({error})") from error


def _points(points: ArrayLike, size: tuple[int, int]) -> NDArray[Any]:
    found = _array("points", points, float)
    if found.ndim != 2 or found.shape[1] != 2 or not len(found):
        raise ValueError(f"points has the shape {found.shape}; give (P, 2)")
    _check_inside("points", found, size)
    return found


def _signs(labels: ArrayLike, points: NDArray[Any] | None) -> NDArray[Any]:
    found = _array("labels", labels)
    if points is None or found.shape != (len(points),):
        raise ValueError(
            f"labels has the shape {found.shape}; give one for each of points"
        )
    if not np.isin(found, (0, 1)).all():
        raise ValueError("labels: give 1 for inside and 0 for outside")
    return found.astype(np.int64)


def _box(box: ArrayLike, size: tuple[int, int]) -> NDArray[Any]:
    found = _array("box", box, float)
    if found.shape != (4,):
        raise ValueError(f"box has the shape {found.shape}; give (4,)")
    _check_inside("box", found.reshape(2, 2), size)
    if (found[2:] <= found[:2]).any():
        raise ValueError(
            f"box is {found.tolist()}; give x_min < x_max and y_min < y_max"
        )
    return found


def _mask(mask: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float32]:
    found = _array("mask", mask)
    if found.shape != shape:
        raise ValueError(f"mask has the shape {found.shape}; give {shape}")
    # Logits, and 255 for inside, would be taken for probabilities.
    if found.dtype != bool and not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"mask has other values than 0 and 1 ({found.dtype}); give bool, such as "
            "logits > 0"
        )
    return found.astype(np.float32)


def _check_inside(name: str, pairs: NDArray[Any], size: tuple[int, int]) -> None:
    if not ((pairs >= 0) & (pairs <= size)).all():
        raise ValueError(
            f"{name} reaches outside the image; give x from 0 to {size[0]} and y from "
            f"0 to {size[1]}"
        )
