"""What a user made of an image: label maps, classes, review."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from ..classes import ClassSet
    from .image_record import ImageRecord

__all__ = ["MAPS", "Annotations", "LabelsCopy", "plain"]

MAPS: Final = ("coarse", "regions", "refined", "owners")
"""The maps of a result, in the order of its stages."""


@dataclass(frozen=True, eq=False)
class LabelsCopy:
    """Another Labels layer of the same image, such as a copy that was edited.

    Attributes
    ----------
    name : str
    data : array_like of int
    placement : mapping or None
        Where it lies, as `Annotations.placement`; None is where the maps are.
    visible : bool
    """

    name: str
    data: Any
    placement: Mapping[str, Any] | None = None
    visible: bool = True


@dataclass(frozen=True, eq=False)
class Annotations:
    """All that is kept of one annotated image.

    Mappings hold plain data, ready for JSON; tuples in them come back from a file as
    lists.

    Attributes
    ----------
    classes : ClassSet
    maps : mapping of str to array_like of int
        Some of `MAPS`, all of one shape: the axes of the image without its colours and
        channels.
    region_table : pandas.DataFrame or None
    names : mapping of str to str
        Names of the layers, by map.
    edited : tuple of str
        Maps that were changed by hand.
    written : mapping of str to array_like of int
        What runs wrote, of the maps that were changed by hand since.
    details : mapping of str to mapping
        More about each layer, by map.
    copies : tuple of LabelsCopy
    placement : mapping
        Where the maps lie: scale, translate, rotate, shear, affine, units, axis_labels.
    position : tuple of int
        The slice that was segmented, where only one was.
    level : int
        Of the pyramid, 0 is the finest.
    settings, provenance, review : mapping
    image : ImageRecord or None
        `napari_s2clip.io.sidecar.save_annotations` needs it.
    saved : datetime or None
    software : str
        When and with which version of this program; set by reading.
    state : str
        Stands for what was read; see `save_annotations`.
    """

    classes: ClassSet
    maps: Mapping[str, Any] = field(default_factory=dict)
    region_table: pd.DataFrame | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    edited: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    copies: tuple[LabelsCopy, ...] = ()
    placement: Mapping[str, Any] = field(default_factory=dict)
    position: tuple[int, ...] = ()
    level: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    review: Mapping[str, Any] = field(default_factory=dict)
    image: ImageRecord | None = None
    saved: datetime | None = None
    software: str = ""
    state: str = ""

    def __post_init__(self) -> None:
        for name, array in self.maps.items():
            if name not in MAPS:
                raise ValueError(f"maps.{name}: choose one of {', '.join(MAPS)}")
            _check(array, f"maps.{name}")
        for name, array in self.written.items():
            _check(array, f"written.{name}")
        arrays = (*self.maps.values(), *self.written.values())
        shapes = {tuple(array.shape) for array in arrays}
        if len(shapes) > 1:
            raise ValueError(f"maps: their shapes differ: {sorted(shapes)}")
        for number, copy in enumerate(self.copies):
            _check(copy.data, f"copies[{number}] ({copy.name!r})")
        for about in ("names", "edited", "written", "details"):
            for name in getattr(self, about):
                if name not in self.maps:
                    raise ValueError(f"{about}: there is no map {name!r}")


def _check(array: Any, where: str) -> None:
    if np.dtype(array.dtype).kind not in "ui":
        raise ValueError(f"{where}: give whole numbers, not {array.dtype}")
    if len(array.shape) < 2 or not all(array.shape):
        raise ValueError(f"{where}: its shape {tuple(array.shape)} is no image's")


def plain(value: Any, where: str) -> Any:
    """Plain data for JSON; arrays and tuples become lists.

    Raises
    ------
    ValueError
        If it is something else; the message names the field.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{where}: {value!r} is no text") from None
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist(), where)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"{where}: the key {key!r} is no text")
        return {plain(k, where): plain(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
    raise ValueError(f"{where}: {value!r} is no plain data for JSON")
