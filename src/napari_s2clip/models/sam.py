"""SAM as the pipeline sees it: embed an image once, decode many prompts at once."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .compiled import Compiled
from .memory import free_memory, in_chunks
from .sam_attention import SamAttention, last_global_attention
from .sam_encoder import fast_encoder
from .sam_masks import MaskResizer
from .sam_prompts import DenseOf, Frame, count_prompts, encode_prompts, fill_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["SamEmbedding", "SamModel"]

log = logging.getLogger(__name__)

CHUNK = 64
"""Prompts for one decoder call at most; more are not faster."""

ALIKE = {"cpu": 4}
"""Prompts for one decoder call where each must be decoded as all others are."""

CACHE = 1 << 24
"""Bytes of image embeddings, one for each prompt, that a CPU decodes at once. With
SAM's own sizes that is 4 prompts, which take half as long each as 64 do together."""


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

    features: Tensor = field(repr=False)
    image_size: tuple[int, int]
    input_size: tuple[int, int]

    def on(self, device: torch.device) -> SamEmbedding:
        """The same on another device."""
        return replace(self, features=self.features.to(device))


class SamModel:
    """A frozen model of segment_anything, NumPy in, torch out.

    Prompts are encoded and decoded in float32: the IoU threshold is sensitive to their
    precision.

    Parameters
    ----------
    sam : segment_anything.modeling.Sam
        Of any size. It is moved to the device and in float32; nothing else of it is
        changed.
    device : torch.device
    dtype : torch.dtype
        What the image encoder computes its matrix products in.
    compiled : bool
        Whether ``torch.compile`` makes the image encoder faster. The first image then
        takes from seconds to minutes longer, and a compiler must be at hand.
    """

    def __init__(
        self,
        sam: Any,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        compiled: bool = False,
    ) -> None:
        from segment_anything.utils.transforms import ResizeLongestSide

        sam = sam.to(device=device, dtype=torch.float32)
        sam.eval().requires_grad_(False)
        # The same parts but for the image encoder, which is replaced in this one only.
        self.sam: Any = copy.copy(sam)
        self.sam._modules = dict(sam._modules)  # noqa: SLF001
        encoder = fast_encoder(sam.image_encoder, dtype, packed=not compiled)
        self.sam.image_encoder = encoder
        self._encoder: Callable[[Tensor], Tensor] = (
            Compiled(encoder) if compiled else encoder
        )
        self.compiled = compiled
        self._warned = False
        self.device = device
        self._resize = ResizeLongestSide(sam.image_encoder.img_size)

    @property
    def side(self) -> int:
        """Side of the encoder's square input, in pixels."""
        return int(self.sam.image_encoder.img_size)

    @property
    def patch_size(self) -> int:
        """Side of a patch of the encoder's input, in pixels."""
        return int(self.sam.image_encoder.patch_embed.proj.stride[0])

    def input_size(
        self, height: int, width: int, *, longest: int | None = None
    ) -> tuple[int, int]:
        """Height and width of a picture whose long side is made the input's."""
        longest = longest or self._resize.target_length
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
        RuntimeError
            If the encoder is to be compiled and cannot.
        """
        return self._encode(image, self._encoder)

    def _encode(
        self, image: NDArray[np.uint8], encoder: Callable[[Tensor], Tensor]
    ) -> SamEmbedding:
        from PIL import Image

        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"image is {image.dtype} {image.shape}; give uint8 (H, W, 3), as "
                "napari_s2clip.image.to_rgb makes it"
            )
        if not image.size:
            raise ValueError(f"image is empty {image.shape}; give at least one pixel")
        height, width = image.shape[:2]
        size = self.input_size(height, width)
        # Pillow's bilinear (with anti-aliasing) is what SAM was trained with.
        picture = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
        inputs = self.sam.preprocess(pixels.to(self.device))
        return SamEmbedding(encoder(inputs).float(), (height, width), size)

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        """The encoder's output (B, c, h, w) for pixels (B, 3, H, W) from 0 to 255.

        They are normalised, and padded at the right and at the bottom to the input.
        """
        return self._encoder(self.sam.preprocess(pixels)).float()

    @torch.inference_mode()
    def encode_with_attention(
        self, image: NDArray[np.uint8]
    ) -> tuple[SamEmbedding, SamAttention]:
        """Encode an image, and keep what the last global block attends to.

        Never compiled: then nothing can be kept on the way. Where `encode` is, one
        warning says so.

        Raises
        ------
        ValueError
            As `encode`, or if no block looks at the whole image.
        """
        if self.compiled and not self._warned:
            log.warning(
                "compiled has no effect here: SAM's attention is needed (method "
                "trident), and the encoder runs as it is"
            )
            self._warned = True
        module = last_global_attention(self.sam.image_encoder)
        seen: list[Tensor] = []
        hook = module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        try:
            embedding = self._encode(image, self.sam.image_encoder)
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
        mask_inputs: Tensor | DenseOf | None = None,
        chunk: int | None = None,
        alike: bool = False,
        on_chunk: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts, in calls of at most ``chunk``; one mask for each.

        Products of matrices are rounded as their size wants it, so a prompt's mask
        depends, in the last bits, on how many others are decoded with it. Where
        ``alike`` is set every call has the same size, the last one filled up.

        When memory runs out the call is halved and tried again, at last on the CPU.

        Parameters
        ----------
        embedding : SamEmbedding
        boxes : ndarray, (N, 4), optional
            x_min, y_min, x_max, y_max in pixels of the image.
        points : ndarray, (N, P, 2), optional
            x, y in pixels of the image.
        point_labels : ndarray of int, (N, P), optional
            1 inside, 0 outside; all 1 if not given.
        mask_inputs : Tensor, (N, 1, 4h, 4w), or callable, optional
            Logits; or a function that gives the dense embeddings (n, c, h, w) of a
            slice of the prompts.
        chunk : int, optional
            `prompts_at_once` if not given, or always as many where they are decoded
            ``alike``.
        alike : bool
            Whether a mask must not depend on the other prompts.
        on_chunk : callable
            Called with prompts done and prompts in all, before each call and after
            the last.

        Returns
        -------
        logits : Tensor of float32, (N, 4h, 4w)
            Inside where positive; see `resizer`.
        iou : Tensor of float32, (N,)
            The IoU that SAM predicts for each mask.

        Raises
        ------
        ValueError
            If there is no prompt at all, their numbers differ or a shape is wrong, or
            a SAM of another size made the embedding.
        torch.cuda.OutOfMemoryError
            If the CPU's memory does not suffice for a single prompt.
        """
        self._check_embedding(embedding)
        if chunk is None:
            at_once = self.prompts_at_once
            chunk = ALIKE.get(self.device.type, 16) if alike else at_once()
        total = count_prompts(boxes, points, point_labels, mask_inputs, chunk)
        frame = Frame(embedding.image_size, embedding.input_size, self.device)
        given = boxes, points, point_labels, mask_inputs
        encoder = self.sam.prompt_encoder
        whole = None if alike else encode_prompts(encoder, frame, *given)
        size = chunk

        def run(part: slice) -> tuple[Tensor, Tensor]:
            nonlocal size
            count = part.stop - part.start
            if whole is not None:
                sparse, dense = whole.sparse[part], whole.dense(part)
            else:
                if part.stop < total:  # fewer where memory ran out
                    size = min(size, count)
                some = fill_up(given, part, size)
                prompts = encode_prompts(encoder, frame, *some)
                sparse, dense = prompts.sparse, prompts.dense(slice(0, size))
            logits, iou = self.sam.mask_decoder(
                image_embeddings=embedding.features,
                image_pe=self._positions,
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            return logits[:count, 0].float(), iou[:count, 0].float()

        try:
            found = in_chunks(run, total, chunk, self.device, "SAM prompt", on_chunk)
        except torch.cuda.OutOfMemoryError:
            if _is_cpu(self.device):
                raise
            found = None
        if found is None:
            log.warning("memory of %s ran out; SAM decodes on the CPU", self.device)
            return self.on_cpu().decode(
                embedding.on(torch.device("cpu")),
                boxes=boxes,
                points=points,
                point_labels=point_labels,
                mask_inputs=mask_inputs,
                alike=alike,
                on_chunk=on_chunk,
            )
        if not found:
            side = self.sam.prompt_encoder.mask_input_size
            empty = torch.zeros((0, *side), device=self.device)
            return empty, empty.new_zeros(0)
        return torch.cat([f[0] for f in found]), torch.cat([f[1] for f in found])

    def _check_embedding(self, embedding: SamEmbedding) -> None:
        part = self.sam.prompt_encoder
        expected = (int(part.embed_dim), *map(int, part.image_embedding_size))
        given = tuple(embedding.features.shape[1:])
        if given != expected:
            raise ValueError(
                f"embedding: its features are {given}, this SAM decodes {expected}; "
                "encode the image with this SAM"
            )

    def prompts_at_once(self) -> int:
        """Prompts for one decoder call.

        As many as half of the free memory holds; on a CPU no more than fit its cache.
        """
        height, width = self.sam.prompt_encoder.image_embedding_size
        # Each takes a dozen tensors of the size of the image embedding, from above.
        each = int(4 * height * width * self.sam.prompt_encoder.embed_dim)
        most = CACHE // each if _is_cpu(self.device) else CHUNK
        fitting = free_memory(self.device) // (2 * 12 * each)
        return max(1, min(CHUNK, most, fitting))

    @cached_property
    def _positions(self) -> Tensor:
        """Encoded positions of the image embedding's grid."""
        found: Tensor = self.sam.prompt_encoder.get_dense_pe()
        return found

    def resizer(
        self, embedding: SamEmbedding, device: torch.device | None = None
    ) -> MaskResizer:
        """What brings decoder logits to the size of the image, on their device."""
        low = self.sam.prompt_encoder.mask_input_size
        return _resizer(
            (int(low[0]), int(low[1])),
            self.side,
            embedding.input_size,
            embedding.image_size,
            device or embedding.features.device,
        )

    def on_cpu(self) -> SamModel:
        """The same prompts and masks on the CPU; images cannot be encoded by it."""
        twin = copy.copy(self)
        twin.__dict__.pop("_positions", None)
        twin.device = torch.device("cpu")
        twin.sam = copy.copy(self.sam)
        parts = dict(self.sam._modules)  # noqa: SLF001
        for name in ("prompt_encoder", "mask_decoder"):
            parts[name] = copy.deepcopy(parts[name]).cpu()
        twin.sam._modules = parts  # noqa: SLF001
        return twin


# Images of one size share it, and so do clicks on one image.
_resizer = lru_cache(maxsize=4)(MaskResizer)


def _is_cpu(device: torch.device) -> bool:
    return device.type == "cpu"
