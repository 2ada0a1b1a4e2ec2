"""SAM as the pipeline sees it: embed an image once, decode many prompts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .memory import in_chunks
from .sam_attention import SamAttention, last_global_attention

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["SamEmbedding", "SamModel"]

CHUNK = 64
"""Prompts for one decoder call. At SAM's own sizes each takes about 30 MB (copies of
the 64 × 64 × 256 embedding, then 256 × 256 × 32 features), so a call takes 2 GB."""

PIXELS = 1 << 24
"""Logits enlarged at once by `SamModel.upscale`, in elements (64 MB)."""


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


@dataclass(frozen=True)
class _Prompts:
    """N prompts in the model's input coordinates."""

    boxes: Tensor | None
    points: Tensor | None
    point_labels: Tensor | None
    masks: Tensor | None

    def encode(self, encoder: Any, part: slice) -> tuple[Tensor, Tensor]:
        """Sparse and dense embeddings of some of the prompts."""
        points = None
        if self.points is not None and self.point_labels is not None:
            points = self.points[part], self.point_labels[part]
        sparse, dense = encoder(
            points=points,
            boxes=None if self.boxes is None else self.boxes[part],
            masks=None if self.masks is None else self.masks[part],
        )
        return sparse, dense


class SamModel:
    """A frozen model of segment_anything, NumPy in, torch out; computes in float32.

    Parameters
    ----------
    sam : segment_anything.modeling.Sam
        Of any size.
    device : torch.device
    """

    def __init__(self, sam: Any, device: torch.device) -> None:
        from segment_anything.utils.transforms import ResizeLongestSide

        # The IoU threshold is sensitive to the precision of the decoder.
        self.sam: Any = sam.to(device=device, dtype=torch.float32)
        self.sam.eval().requires_grad_(False)
        self.device = device
        self._resize = ResizeLongestSide(sam.image_encoder.img_size)

    def _input_size(self, height: int, width: int) -> tuple[int, int]:
        longest = self._resize.target_length
        rows, columns = self._resize.get_preprocess_shape(height, width, longest)
        # A picture a thousand times longer than high must keep one row.
        return max(1, int(rows)), max(1, int(columns))

    @torch.inference_mode()
    def encode(self, image: NDArray[np.uint8]) -> SamEmbedding:
        """Encode uint8 RGB (H, W, 3), any size from 1 × 1.

        Raises
        ------
        ValueError
            If ``image`` is anything else.
        """
        from PIL import Image

        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"image is {image.dtype} {image.shape}; give uint8 (H, W, 3), as "
                "napari_s2clip.image.to_rgb makes it"
            )
        if not image.size:
            raise ValueError(f"image is empty {image.shape}; give at least one pixel")
        height, width = image.shape[:2]
        size = self._input_size(height, width)
        # Pillow's bilinear (with anti-aliasing) is what SAM was trained with.
        picture = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
        features = self.sam.image_encoder(self.sam.preprocess(pixels.to(self.device)))
        return SamEmbedding(features.float(), (height, width), size)

    @torch.inference_mode()
    def encode_with_attention(
        self, image: NDArray[np.uint8]
    ) -> tuple[SamEmbedding, SamAttention]:
        """Encode an image, and keep what the last global block attends to.

        Raises
        ------
        ValueError
            As `encode`, or if no block looks at the whole image.
        """
        module = last_global_attention(self.sam.image_encoder)
        seen: list[Tensor] = []
        hook = module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        try:
            embedding = self.encode(image)
        finally:
            hook.remove()
        patch = self._resize.target_length // seen[0].shape[1]
        rows, columns = (max(1, side // patch) for side in embedding.input_size)
        return embedding, SamAttention(module, seen[0], (rows, columns))

    @torch.inference_mode()
    def decode(
        self,
        embedding: SamEmbedding,
        *,
        boxes: NDArray[np.floating[Any]] | None = None,
        points: NDArray[np.floating[Any]] | None = None,
        point_labels: NDArray[np.integer] | None = None,
        mask_inputs: Tensor | None = None,
        chunk: int | None = None,
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
        chunk : int, optional
            64 if not given, which needs about 2 GB at SAM's own sizes.
        on_chunk : callable
            Called with prompts done and prompts in all, before each call and after
            the last.

        Returns
        -------
        logits : Tensor of float32, (N, 4h, 4w)
            Inside where positive; see `upscale`.
        iou : Tensor of float32, (N,)
            The IoU that SAM predicts for each mask.

        Raises
        ------
        ValueError
            If there is no prompt at all, their numbers differ or a shape is wrong.
        torch.cuda.OutOfMemoryError
            If memory does not suffice for a single prompt.
        """
        chunk = CHUNK if chunk is None else chunk
        total = _count_prompts(boxes, points, point_labels, mask_inputs, chunk)
        prompts = self._prompts(embedding, boxes, points, point_labels, mask_inputs)

        def run(part: slice) -> tuple[Tensor, Tensor]:
            return self._decode(embedding, prompts, part)

        found = in_chunks(run, total, chunk, self.device, "SAM prompt", on_chunk)
        if not found:
            side = self.sam.prompt_encoder.mask_input_size
            empty = torch.zeros((0, *side), device=self.device)
            return empty, empty.new_zeros(0)
        return torch.cat([f[0] for f in found]), torch.cat([f[1] for f in found])

    def _decode(
        self, embedding: SamEmbedding, prompts: _Prompts, part: slice
    ) -> tuple[Tensor, Tensor]:
        """Logits and IoU of some prompts."""
        sparse, dense = prompts.encode(self.sam.prompt_encoder, part)
        logits, iou = self.sam.mask_decoder(
            image_embeddings=embedding.features,
            image_pe=self.sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        return logits[:, 0].float(), iou[:, 0].float()

    def _prompts(
        self,
        embedding: SamEmbedding,
        boxes: NDArray[Any] | None,
        points: NDArray[Any] | None,
        point_labels: NDArray[Any] | None,
        masks: Tensor | None,
    ) -> _Prompts:
        if points is not None and point_labels is None:
            point_labels = np.ones(points.shape[:2], np.int64)
        return _Prompts(
            None if boxes is None else self._to_input(boxes, embedding),
            None if points is None else self._to_input(points, embedding),
            None
            if point_labels is None
            else torch.as_tensor(point_labels, device=self.device),
            None if masks is None else masks.to(self.device, torch.float32),
        )

    def _to_input(self, coordinates: NDArray[Any], embedding: SamEmbedding) -> Tensor:
        """Pixels of the image to pixels of the model's input; (…, 2) or (…, 4)."""
        (height, width), (rows, columns) = embedding.image_size, embedding.input_size
        scale = np.resize([columns / width, rows / height], coordinates.shape[-1])
        scaled = (coordinates * scale).astype(np.float32)
        return torch.from_numpy(scaled).to(self.device)

    @torch.inference_mode()
    def upscale(self, logits: Tensor, embedding: SamEmbedding) -> Tensor:
        """Decoder logits (N, h, w) to the image's size (N, H, W), padding cut off.

        Goes by way of the model's input size, as `Sam.postprocess_masks` does, but
        never holds more than a few masks of that size.
        """
        height, width = embedding.image_size
        full = logits.new_empty((len(logits), height, width))
        step = max(1, PIXELS // max(self._resize.target_length**2, height * width))
        for first in range(0, len(logits), step):
            part = slice(first, first + step)
            full[part] = self.sam.postprocess_masks(
                logits[part, None], embedding.input_size, embedding.image_size
            )[:, 0]
        return full


def _count_prompts(
    boxes: NDArray[Any] | None,
    points: NDArray[Any] | None,
    point_labels: NDArray[Any] | None,
    masks: Tensor | None,
    chunk: int,
) -> int:
    """How many prompts there are; ValueError if they do not fit together."""
    given = [p for p in (boxes, points, masks) if p is not None]
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
