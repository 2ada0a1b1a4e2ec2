"""Prompts of SAM: checked, brought to the model's input, encoded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DenseOf",
    "Frame",
    "Prompts",
    "count_prompts",
    "encode_prompts",
    "fill_up",
]

DenseOf: TypeAlias = Callable[[slice], Tensor]
"""Dense embeddings (n, c, h, w) of a slice of the prompts."""


@dataclass(frozen=True)
class Frame:
    """Where an image lies in the model's input.

    Attributes
    ----------
    image_size : (int, int)
        Height and width of the image.
    input_size : (int, int)
        Height and width after resizing, before padding.
    device : torch.device
    """

    image_size: tuple[int, int]
    input_size: tuple[int, int]
    device: torch.device

    def to_input(self, coordinates: NDArray[Any]) -> Tensor:
        """Pixels of the image to pixels of the model's input; (…, 2) or (…, 4)."""
        (height, width), (rows, columns) = self.image_size, self.input_size
        scale = np.resize([columns / width, rows / height], coordinates.shape[-1])
        scaled = (coordinates * scale).astype(np.float32)
        return torch.from_numpy(scaled).to(self.device)


@dataclass(frozen=True)
class Prompts:
    """N encoded prompts.

    Attributes
    ----------
    sparse : Tensor, (N, k, c)
        Of points and boxes.
    dense : callable
        Of masks. They take much memory, so each waits for its turn.
    """

    sparse: Tensor
    dense: DenseOf


def encode_prompts(
    encoder: Any,
    frame: Frame,
    boxes: NDArray[Any] | None,
    points: NDArray[Any] | None,
    point_labels: NDArray[Any] | None,
    masks: Tensor | DenseOf | None,
) -> Prompts:
    """Encode prompts that `count_prompts` found right.

    Parameters
    ----------
    encoder : segment_anything.modeling.PromptEncoder
    frame : Frame
    boxes, points, point_labels, masks
        See `napari_s2clip.models.sam.SamModel.decode`.
    """
    device = frame.device
    marked = None
    if points is not None:
        if point_labels is None:
            point_labels = np.ones(points.shape[:2], np.int64)
        marked = frame.to_input(points), torch.as_tensor(point_labels, device=device)
    if marked is None and boxes is None:
        assert isinstance(masks, Tensor)
        sparse = torch.zeros(len(masks), 0, encoder.embed_dim, device=device)
    else:
        corners = None if boxes is None else frame.to_input(boxes)
        sparse, _ = encoder(points=marked, boxes=corners, masks=None)

    def none(part: slice) -> Tensor:
        vector: Tensor = encoder.no_mask_embed.weight
        count = len(sparse[part])
        grid = encoder.image_embedding_size
        return vector.view(1, -1, 1, 1).expand(count, -1, *grid)

    if masks is None:
        return Prompts(sparse, none)
    if not isinstance(masks, Tensor):
        given = masks
        return Prompts(sparse, lambda part: given(part).to(device))
    inputs = masks

    def encode(part: slice) -> Tensor:
        some = inputs[part].to(device, torch.float32)
        _, dense = encoder(points=None, boxes=None, masks=some)
        return torch.as_tensor(dense)

    return Prompts(sparse, encode)


Given: TypeAlias = (
    "tuple[NDArray[Any] | None, NDArray[Any] | None, NDArray[Any] | None, "
    "Tensor | DenseOf | None]"
)


def fill_up(given: Given, part: slice, size: int) -> Given:
    """Some of the prompts, ``size`` of them: the last one again where they are fewer.

    Parameters
    ----------
    given : boxes, points, point_labels, mask_inputs
        See `napari_s2clip.models.sam.SamModel.decode`.
    part : slice
        Of no more than ``size`` prompts.
    size : int
    """
    boxes, points, point_labels, masks = given
    rows = np.minimum(np.arange(part.start, part.start + size), part.stop - 1)
    inside = (rows - part.start).tolist()
    some: Tensor | DenseOf | None = None
    if isinstance(masks, Tensor):
        some = masks[rows.tolist()]
    elif masks is not None:
        dense = masks(part)[inside]
        some = lambda _: dense  # noqa: E731
    return (
        None if boxes is None else boxes[rows],
        None if points is None else points[rows],
        None if point_labels is None else point_labels[rows],
        some,
    )


def count_prompts(
    boxes: NDArray[Any] | None,
    points: NDArray[Any] | None,
    point_labels: NDArray[Any] | None,
    masks: Tensor | DenseOf | None,
    chunk: int,
) -> int:
    """How many prompts there are.

    Raises
    ------
    ValueError
        If there is none, or they do not fit together.
    """
    own_masks = masks if isinstance(masks, Tensor) else None
    given = [p for p in (boxes, points, own_masks) if p is not None]
    if not given or len({len(p) for p in given}) != 1:
        raise ValueError(
            "boxes, points, mask_inputs: give at least one, all for the same prompts"
        )
    if boxes is not None and boxes.shape[1:] != (4,):
        raise ValueError(f"boxes has the shape {boxes.shape}; give (N, 4)")
    if points is not None and (points.ndim != 3 or points.shape[2] != 2):
        raise ValueError(f"points has the shape {points.shape}; give (N, P, 2)")
    if point_labels is not None and (
        points is None or point_labels.shape != points.shape[:2]
    ):
        raise ValueError(
            f"point_labels has the shape {point_labels.shape}; give (N, P), one for "
            "each of points"
        )
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; decode at least 1 prompt at a time")
    return len(given[0])
