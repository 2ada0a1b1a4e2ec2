"""Masks that SAM has made of an image, remembered by prompt within a bound of memory.

A prompt's mask does not depend on the others (`SamModel.decode`, ``alike``), so one
that is known is what SAM would make again, to the last bit on a CPU.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .merge import inside_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from ..models.sam import SamEmbedding, SamModel
    from ..settings.refine import RefineSettings
    from .class_masks import MaskKind

__all__ = ["Inside", "MaskMemory", "inside_image", "mask_key", "masks_of"]


@dataclass(frozen=True)
class Inside:
    """Where a mask is inside, at the size of the image.

    Attributes
    ----------
    window : (slice, slice)
        Rows and columns that hold all of it.
    sigmoid : ndarray of float32, (height, width)
        See `napari_s2clip.refine.merge.inside_of`.
    """

    window: tuple[slice, slice]
    sigmoid: NDArray[np.float32]


@dataclass
class _Mask:
    logits: Tensor
    iou: np.float32
    inside: Inside | None = None

    @property
    def nbytes(self) -> int:
        size = self.logits.numel() * self.logits.element_size()
        return size + (0 if self.inside is None else self.inside.sigmoid.nbytes)


class MaskMemory:
    """Masks of one image by prompt; the least recently used are forgotten first.

    Parameters
    ----------
    limit : int
        Bytes. Where they do not suffice masks at the size of the image go first: they
        can be made of SAM's small logits.

    Attributes
    ----------
    source : hashable
        What mask prompts are made from now: a part of the key of a prompt with one.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.source: Hashable = None
        self._masks: OrderedDict[Hashable, _Mask] = OrderedDict()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._masks)

    def find(self, prompt: Hashable) -> tuple[Tensor, np.float32] | None:
        """Logits (h, w) of SAM's decoder and the predicted IoU, if they are known."""
        found = self._masks.get(prompt)
        if found is None:
            return None
        self._masks.move_to_end(prompt)
        return found.logits, found.iou

    def keep(self, prompt: Hashable, logits: Tensor, iou: np.float32) -> None:
        """Remember what SAM made of a prompt."""
        self._put(prompt, _Mask(logits, iou))

    def inside(
        self, prompt: Hashable, make: Callable[[], Inside | None]
    ) -> Inside | None:
        """Where a mask is inside, made if it is not known."""
        mask = self._masks.get(prompt)
        if mask is not None and mask.inside is not None:
            self._masks.move_to_end(prompt)
            return mask.inside
        found = make()
        if mask is not None and found is not None:
            self._put(prompt, _Mask(mask.logits, mask.iou, found))
        return found

    def _put(self, prompt: Hashable, mask: _Mask) -> None:
        old = self._masks.pop(prompt, None)
        self.nbytes += mask.nbytes - (0 if old is None else old.nbytes)
        self._masks[prompt] = mask
        for other in self._masks.values():
            if self.nbytes <= self.limit:
                return
            self.nbytes -= other.nbytes
            other.inside = None
            self.nbytes += other.nbytes
        while self.nbytes > self.limit:
            self.nbytes -= self._masks.popitem(last=False)[1].nbytes


def mask_key(
    known: MaskMemory | None,
    kind: MaskKind | None,
    value: int,
    settings: RefineSettings,
) -> Hashable:
    """What a mask prompt for a label value depends on; None for none."""
    if kind is None or known is None:
        return None
    # Only Trident's is cut off.
    threshold = settings.coarse_threshold if kind == "trident" else None
    return kind, known.source, value, threshold


Decode: TypeAlias = "Callable[[NDArray[np.int64]], tuple[Tensor, Tensor]]"


def masks_of(
    prompts: Sequence[Hashable], decode: Decode, known: MaskMemory | None
) -> tuple[Sequence[Tensor], NDArray[np.float32]]:
    """Logits and predicted IoU of prompts; those that are not known are decoded.

    Parameters
    ----------
    prompts : sequence of hashable, (N,)
        A key for each.
    decode : callable
        Logits (n, h, w) and IoU (n,) of the prompts with these numbers.
    known : MaskMemory or None
    """
    if known is None:
        logits, iou = decode(np.arange(len(prompts)))
        return list(logits), iou.cpu().numpy()
    found = [known.find(prompt) for prompt in prompts]
    missing = [number for number, mask in enumerate(found) if mask is None]
    if missing:
        logits, iou = decode(np.array(missing))
        scores = iou.cpu().numpy()
        for i, number in enumerate(missing):
            # A copy, because a view would hold all of them.
            found[number] = mask = logits[i].clone(), scores[i]
            known.keep(prompts[number], *mask)
    pairs = [mask for mask in found if mask is not None]
    return [pair[0] for pair in pairs], np.array([p[1] for p in pairs], np.float32)


def inside_image(
    sam: SamModel, embedding: SamEmbedding, logits: Tensor
) -> Inside | None:
    """Where a mask of SAM's decoder is inside the image; None if it is nowhere."""
    # Where memory ran out they lie on the CPU.
    mask = sam.resizer(embedding, logits.device).window(logits)
    if mask is None:
        return None
    sigmoid = inside_of(mask.logits.cpu().numpy())
    return Inside((mask.rows, mask.columns), sigmoid)
