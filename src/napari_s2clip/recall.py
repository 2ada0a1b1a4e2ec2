"""What the stages of one image found last, so that they need not find it again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from .refine.known import MaskMemory

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Memory", "Recall", "size_in_memory"]

_Found = TypeVar("_Found")


class Recall:
    """Remembers nothing: every stage finds what it is asked for.

    Attributes
    ----------
    masks : MaskMemory or None
        SAM's masks of the image.
    """

    masks: MaskMemory | None = None

    def __call__(
        self, step: str, made_from: Hashable, make: Callable[[], _Found]
    ) -> _Found:
        """What a step finds, or found before from the same.

        Parameters
        ----------
        step : str
        made_from : hashable
            All that the result depends on, besides the image and the models.
        make : callable
        """
        return make()


class Memory(Recall):
    """Remembers the last result of each step, and SAM's masks within a limit.

    A step that is cancelled leaves what was remembered as it is.

    Parameters
    ----------
    mask_limit : int
        Bytes.
    """

    def __init__(self, mask_limit: int) -> None:
        self.masks: MaskMemory = MaskMemory(mask_limit)
        self._last: dict[str, tuple[Hashable, Any]] = {}

    def __call__(
        self, step: str, made_from: Hashable, make: Callable[[], _Found]
    ) -> _Found:
        """See `Recall`; what is found takes the place of the step's last result."""
        if step in self._last:
            before, last = self._last[step]
            if before == made_from:
                found: _Found = last
                return found
        found = make()
        self._last[step] = made_from, found
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays and tensors that are remembered."""
        held = size_in_memory(found for _, found in self._last.values())
        return held + self.masks.nbytes


def size_in_memory(held: Iterable[Any]) -> int:
    """Bytes of arrays and tensors, also those in data classes, lists and the like.

    What several share counts once.
    """
    sizes: dict[int, int] = {}
    waiting = list(held)
    while waiting:
        one = waiting.pop()
        if isinstance(one, np.ndarray):
            # A view holds all of what it looks at.
            while isinstance(one.base, np.ndarray):
                one = one.base
            sizes[one.__array_interface__["data"][0]] = one.nbytes
        elif isinstance(one, torch.Tensor):
            storage = one.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
        elif is_dataclass(one):
            waiting += [getattr(one, field.name) for field in fields(one)]
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
    return sum(sizes.values())
