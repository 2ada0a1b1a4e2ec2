"""Arrays to tensors and back."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

__all__ = ["Floats", "to_array", "to_tensor", "to_tokens"]

Floats: TypeAlias = NDArray[np.floating[Any]]


def to_tensor(
    values: ArrayLike, device: torch.device | None = None, name: str = "values"
) -> Tensor:
    """Array or tensor to a tensor of floats; float64 stays, the rest is float32.

    ``name`` is what the `ValueError` about anything but numbers calls them.
    """
    if isinstance(values, Tensor):
        tensor = values.detach()
    else:
        try:
            tensor = torch.from_numpy(np.array(values))
        except (TypeError, ValueError):
            raise ValueError(
                f"{name}: {type(values).__name__} is no array of numbers; give one"
            ) from None
    wide = tensor.dtype == torch.float64
    return tensor.to(device=device, dtype=torch.float64 if wide else torch.float32)


def to_tokens(values: ArrayLike) -> Tensor:
    """Patch tokens (N, C); `ValueError` if they are anything else."""
    tokens = to_tensor(values, name="tokens")
    if tokens.ndim != 2 or not tokens.numel():
        raise ValueError(
            f"tokens: {tuple(tokens.shape)} is not (patches, channels) with at least "
            "one of each"
        )
    return tokens


def to_array(tensor: Tensor) -> Floats:
    """Tensor of any device to an array."""
    return np.asarray(tensor.detach().cpu().numpy())
