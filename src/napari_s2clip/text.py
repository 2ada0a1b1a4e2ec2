"""Class names to vectors: the 80 ImageNet templates, averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from .models.clip import ClipModel

__all__ = ["TextEncoder", "phrase_vectors"]

_BATCH = 320
"""Texts for one call of the text tower: four phrases."""


def phrase_vectors(clip: ClipModel, phrases: list[str]) -> Tensor:
    """One unit vector for each phrase: (P, d) float32.

    Each phrase goes through the 80 ImageNet templates of CLIP (Radford et al. 2021):
    the vectors are normalised, averaged and normalised again.
    """
    from open_clip import OPENAI_IMAGENET_TEMPLATES as TEMPLATES

    texts = [template(phrase) for phrase in phrases for template in TEMPLATES]
    vectors = torch.cat(
        [
            F.normalize(clip.encode_text(texts[i : i + _BATCH]), dim=-1)
            for i in range(0, len(texts), _BATCH)
        ]
    )
    mean = vectors.view(len(phrases), len(TEMPLATES), -1).mean(1)
    return F.normalize(mean, dim=-1)


class TextEncoder:
    """`phrase_vectors` with a memory, so that a new class costs one phrase."""

    def __init__(self, clip: Callable[[], ClipModel], keep: int = 4096) -> None:
        # Asked for when there is something new: it may not be loaded.
        self._clip = clip
        self._keep = keep
        self._known: dict[str, Tensor] = {}

    def clear(self) -> None:
        """Forget all phrases."""
        self._known.clear()

    def __call__(self, phrases: Iterable[str]) -> Tensor:
        """Unit vectors (P, d) for the phrases, in order."""
        phrases = list(phrases)
        new = [p for p in dict.fromkeys(phrases) if p not in self._known]
        fresh: dict[str, Tensor] = (
            dict(zip(new, phrase_vectors(self._clip(), new), strict=True))
            if new
            else {}
        )
        found = torch.stack(
            [fresh[p] if p in fresh else self._known[p] for p in phrases]
        )
        self._known.update(fresh)
        while len(self._known) > self._keep:
            del self._known[next(iter(self._known))]
        return found
