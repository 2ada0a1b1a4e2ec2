"""SAM as the pipeline sees it: embed an image once, decode many prompts at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["SamEmbedding", "SamModel"]

log = logging.getLogger(__name__)

CHUNK = 64
"""Prompts for one decoder call: about 1.5 GB of activations at SAM's own sizes."""


@dataclass(frozen=True)
class SamEmbedding:
    """An encoded image.

    Attributes
    ----------
    features : Tensor of float32, (1, c, h, w)
    image_size : (int, int)
        Height and width of the image, in pixels.
    input_size : (int, int)
        Height and width after resizing its long side to the model's, before padding.
    """

    features: Tensor
    image_size: tuple[int, int]
    input_size: tuple[int, int]


class SamModel:
    """A frozen model of segment_anything, NumPy in, torch out.

    Parameters
    ----------
    sam : segment_anything.modeling.Sam
        Of any size.
    device : torch.device
    """

    def __init__(self, sam: Any, device: torch.device) -> None:
        from segment_anything.utils.transforms import ResizeLongestSide

        self.sam: Any = sam.to(device).eval().requires_grad_(False)
        self.device = device
        self._resize = ResizeLongestSide(sam.image_encoder.img_size)

    def _input_size(self, height: int, width: int) -> tuple[int, int]:
        longest = self._resize.target_length
        rows, columns = self._resize.get_preprocess_shape(height, width, longest)
        # A picture a thousand times longer than high must keep one row.
        return max(1, int(rows)), max(1, int(columns))

    @torch.inference_mode()
    def encode(self, image: NDArray[np.uint8]) -> SamEmbedding:
        """Encode uint8 RGB (H, W, 3), any size; fp32."""
        from PIL import Image

        height, width = image.shape[:2]
        size = self._input_size(height, width)
        # Pillow's bilinear (with anti-aliasing) is what SAM was trained with.
        picture = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
        features = self.sam.image_encoder(self.sam.preprocess(pixels.to(self.device)))
        return SamEmbedding(features.float(), (height, width), size)

    @torch.inference_mode()
    def decode(
        self,
        embedding: SamEmbedding,
        *,
        boxes: NDArray[np.floating[Any]] | None = None,
        points: NDArray[np.floating[Any]] | None = None,
        point_labels: NDArray[np.integer] | None = None,
        mask_inputs: Tensor | None = None,
        chunk: int = CHUNK,
        on_chunk: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts, in calls of at most ``chunk``; one mask for each.

        When memory runs out the call is halved and tried again.

        Parameters
        ----------
        embedding : SamEmbedding
        boxes : ndarray, (N, 4), optional
            x_min, y_min, x_max, y_max in pixels of the image.
        points : ndarray, (N, P, 2), optional
            x, y in pixels of the image.
        point_labels : ndarray of int, (N, P), optional
            1 inside, 0 outside; all 1 if not given.
        mask_inputs : Tensor, (N, 1, 4h, 4w), optional
        chunk : int
        on_chunk : callable
            Called with prompts done and prompts in all, before each call.

        Returns
        -------
        logits : Tensor of float32, (N, 4h, 4w)
            Inside where positive; see `upscale`.
        iou : Tensor of float32, (N,)
            The IoU that SAM predicts for each mask.

        Raises
        ------
        ValueError
            If there is no prompt at all or their numbers differ.
        torch.OutOfMemoryError
            If memory does not suffice for a single prompt.
        """
        given = [p for p in (boxes, points, mask_inputs) if p is not None]
        if not given or len({len(p) for p in given}) != 1:
            raise ValueError(
                "boxes, points, mask_inputs: give at least one, all for the same prompts"
            )
        total = len(given[0])
        scale = self._scale(embedding)
        box_tensor = None if boxes is None else self._to_input(boxes, scale)
        point_tensor = None if points is None else self._to_input(points, scale)
        if point_tensor is not None and point_labels is None:
            point_labels = np.ones(point_tensor.shape[:2], np.int64)
        label_tensor = (
            torch.as_tensor(point_labels, device=self.device)
            if (point_labels is not None)
            else None
        )
        found: list[tuple[Tensor, Tensor]] = []
        first = 0
        while first < total:
            on_chunk(first, total)
            part = slice(first, first + chunk)
            try:
                found.append(
                    self._decode_once(
                        embedding,
                        None if box_tensor is None else box_tensor[part],
                        None
                        if point_tensor is None or label_tensor is None
                        else (point_tensor[part], label_tensor[part]),
                        None if mask_inputs is None else mask_inputs[part],
                    )
                )
            except torch.OutOfMemoryError:
                if chunk == 1:
                    raise
                chunk = max(1, min(chunk, total - first) // 2)
                log.warning("memory ran out; decoding %d prompts at a time", chunk)
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            first = part.stop
        on_chunk(total, total)
        if not found:
            side = self.sam.prompt_encoder.mask_input_size
            empty = torch.zeros((0, *side), device=self.device)
            return empty, empty.new_zeros(0)
        return torch.cat([f[0] for f in found]), torch.cat([f[1] for f in found])

    def _decode_once(
        self,
        embedding: SamEmbedding,
        boxes: Tensor | None,
        points: tuple[Tensor, Tensor] | None,
        masks: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        sparse, dense = self.sam.prompt_encoder(points=points, boxes=boxes, masks=masks)
        logits, iou = self.sam.mask_decoder(
            image_embeddings=embedding.features,
            image_pe=self.sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        return logits[:, 0].float(), iou[:, 0].float()

    def _scale(self, embedding: SamEmbedding) -> Tensor:
        (height, width), (rows, columns) = embedding.image_size, embedding.input_size
        return torch.tensor([columns / width, rows / height], device=self.device)

    def _to_input(self, coordinates: NDArray[Any], scale: Tensor) -> Tensor:
        """Pixels of the image to pixels of the model's input; (…, 2) or (…, 4)."""
        tensor = torch.as_tensor(coordinates, dtype=torch.float32, device=self.device)
        return (tensor.unflatten(-1, (-1, 2)) * scale).flatten(-2)  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def upscale(self, logits: Tensor, embedding: SamEmbedding) -> Tensor:
        """Decoder logits (N, h, w) to the image's size (N, H, W), padding cut off."""
        full: Tensor = self.sam.postprocess_masks(
            logits[:, None], embedding.input_size, embedding.image_size
        )
        return full[:, 0]
