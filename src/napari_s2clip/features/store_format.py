"""Features as named arrays and plain data, and back, bit for bit.

Tensors are kept with the order of their axes in memory: the same numbers in another
order may take another path through a library, and differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..models.sam import SamEmbedding
from ..settings import Settings
from .encode import ImageFeatures
from .windows import WindowPlan

if TYPE_CHECKING:
    from ..image import RGBImage
    from .entry import Arrays

__all__ = ["pack", "pack_sam", "unpack", "unpack_sam"]

_BY_IMAGE = {"image", "notes"}
_APART = {"sam"}  # depends on the image alone: an entry of its own, see `pack_sam`


def pack(features: ImageFeatures) -> tuple[Arrays, dict[str, Any]]:
    """Features without image and SAM embedding, as an entry of a store.

    Every field that is a tensor or a dict of tensors is kept as it is.

    Returns
    -------
    arrays : dict of str to ndarray
        Copies where the tensors are not in the CPU's memory, else views.
    meta : dict
        Plain data.

    Raises
    ------
    ValueError
        If there is a field that this function does not know.
    """
    arrays: Arrays = {}
    tensors: dict[str, Any] = {}
    meta: dict[str, Any] = {}
    for name in (field.name for field in fields(features)):
        value = getattr(features, name)
        if name in _BY_IMAGE | _APART:
            continue
        if name in _PLAIN:
            meta[name] = _PLAIN[name][0](value)
        elif isinstance(value, Tensor):
            tensors[name] = _put(arrays, name, value)
        elif isinstance(value, Mapping) and all(
            isinstance(v, Tensor) for v in value.values()
        ):
            tensors[name] = {
                key: _put(arrays, f"{name}/{key}", v) for key, v in value.items()
            }
        elif value is not None:
            raise ValueError(
                f"features.{name} is a {type(value).__name__}; only tensors and dicts "
                "of tensors can be kept"
            )
    return arrays, {"tensors": tensors, **meta}


def unpack(
    arrays: Arrays,
    meta: Mapping[str, Any],
    image: RGBImage,
    device: torch.device | str = "cpu",
) -> ImageFeatures:
    """Features of `pack`, with the image that they were made from.

    Parameters
    ----------
    arrays, meta
        Of `pack`; on the CPU the tensors share the memory of the arrays, which must
        be writable.
    image : RGBImage
    device : torch.device or str
        Where the tensors are to lie.

    Raises
    ------
    ValueError
        If the entry is not one of `pack`, or belongs to an image of another size.
    """
    try:
        values = {name: make(meta[name]) for name, (_, make) in _PLAIN.items()}
        for name, order in meta["tensors"].items():
            values[name] = (
                {k: _take(arrays, f"{name}/{k}", o, device) for k, o in order.items()}
                if isinstance(order, Mapping)
                else _take(arrays, name, order, device)
            )
        features = ImageFeatures(image=image.pixels, notes=image.notes, **values)
    except (AttributeError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"meta does not describe features: {error}") from error
    if features.image_size != image.pixels.shape[:2]:
        raise ValueError(
            f"image has {image.pixels.shape[:2]} pixels, the features belong to one of "
            f"{features.image_size}; give the image that was encoded"
        )
    return features


def pack_sam(embedding: SamEmbedding) -> tuple[Arrays, dict[str, Any]]:
    """SAM's embedding as an entry of a store; see `pack`."""
    arrays: Arrays = {}
    return arrays, {
        "order": _put(arrays, "features", embedding.features),
        "image_size": embedding.image_size,
        "input_size": embedding.input_size,
    }


def unpack_sam(
    arrays: Arrays, meta: Mapping[str, Any], device: torch.device | str = "cpu"
) -> SamEmbedding:
    """SAM's embedding of `pack_sam`; see `unpack`.

    Raises
    ------
    ValueError
        If the entry is not one of `pack_sam`.
    """
    try:
        return SamEmbedding(
            _take(arrays, "features", meta["order"], device),
            _pair(meta["image_size"]),
            _pair(meta["input_size"]),
        )
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"meta does not describe an embedding: {error}") from error


def _put(arrays: Arrays, name: str, tensor: Tensor) -> list[int]:
    """Add a tensor with its axes from the slowest to the fastest; their order."""
    strides = tensor.stride()
    order = sorted(range(tensor.ndim), key=lambda axis: -strides[axis])
    values: NDArray[Any] = tensor.detach().permute(order).contiguous().cpu().numpy()
    arrays[name] = values
    return order


def _take(
    arrays: Arrays, name: str, order: list[int], device: torch.device | str
) -> Tensor:
    inverse = sorted(range(len(order)), key=order.__getitem__)
    return torch.from_numpy(arrays[name]).permute(inverse).to(device)


def _pair(values: Any) -> tuple[int, int]:
    first, second = (int(value) for value in values)
    return first, second


def _plan(values: Mapping[str, Any]) -> WindowPlan:
    return WindowPlan(
        image_size=_pair(values["image_size"]),
        size=_pair(values["size"]),
        window=_pair(values["window"]),
        corners=tuple(_pair(corner) for corner in values["corners"]),
    )


def _origin(model: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    return {part: dict(about) for part, about in model.items()}


_PLAIN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "plan": (asdict, _plan),
    "settings": (lambda s: s.model_dump(mode="json"), Settings.model_validate),
    "model": (_origin, _origin),
}
"""Fields that are no tensors: how each becomes plain data, and back."""
