"""One labelled image, as every format writes and reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .format import SPLITS
from .instances import complete, present

if TYPE_CHECKING:
    from ..classes import ClassSet
    from ..image import Levels

__all__ = ["MAX_NAME", "Attributes", "Item", "safe_name", "slice_name"]

Attributes: TypeAlias = Mapping[int, Mapping[str, float | str | bool]]
"""By instance id: ``score``, ``crowd`` (a group, not one object), and so on."""

MAX_NAME: Final = 240
"""Bytes of a name in UTF-8: file systems take 255, and endings need some."""


@dataclass(frozen=True, eq=False)
class Item:
    """One image with its labels.

    Attributes
    ----------
    name : str
        Stem of its files, unique in a dataset.
    labels : ndarray of int, (H, W)
        Ids of ``classes``; 0 is background.
    classes : ClassSet
    image : ndarray, (H, W) or (H, W, 3 or 4), optional
    instances : ndarray of int, (H, W), optional
        0 where there is none. Pixels of an instance have the label of its class.
    instance_classes : mapping of int to int
        The class of each instance.
    attributes : mapping of int to mapping
        What else is known of an instance.
    ignore : ndarray of bool, (H, W), optional
        Pixels that nothing is known of; they have no label.
    pixel_size : tuple of float, optional
        Height and width of a pixel in ``unit``.
    unit : str
    split : str, optional
        One of `SPLITS`, where it is decided already.
    group : str
        Images of one group, such as slices of a stack and tiles of a picture, go into
        the same part of a dataset. Empty is a group of its own.
    source : str
        The file that the image is from.
    provenance : mapping
        Models, checksums, settings, versions.
    edited, reviewed : bool, optional
        Whether people changed the labels, and looked through them.
    notes : tuple of str
        What a reader could not bring in, a sentence each.
    levels : Levels, optional
        Values of the image that become black and white; formats of 8 bits take them
        where they cannot keep the values.

    Raises
    ------
    ValueError
        If a field is not as described; the message begins with its name.
    """

    name: str
    labels: NDArray[Any]
    classes: ClassSet
    image: NDArray[Any] | None = None
    instances: NDArray[Any] | None = None
    instance_classes: Mapping[int, int] = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
    ignore: NDArray[np.bool_] | None = None
    pixel_size: tuple[float, float] | None = None
    unit: str = ""
    split: str | None = None
    group: str = ""
    source: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    edited: bool | None = None
    reviewed: bool | None = None
    notes: tuple[str, ...] = ()
    levels: Levels | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_map(self.labels, "labels")
        if 0 in self.shape:
            raise ValueError(f"labels: {self.shape} has no pixels")
        self._check_classes()
        if self.image is not None:
            shape = np.shape(self.image)
            if shape[:2] != self.shape or not (
                len(shape) == 2 or (len(shape) == 3 and shape[2] in {3, 4})
            ):
                raise ValueError(
                    f"image: its shape {shape} must be that of labels, {self.shape}, "
                    "and for colours 3 or 4 channels"
                )
        if self.instances is not None:
            self._check_instances(self.instances)
        if self.ignore is not None:
            if np.shape(self.ignore) != self.shape or self.ignore.dtype != np.bool_:
                raise ValueError(f"ignore: must be bool of shape {self.shape}")
            if (both := np.count_nonzero(self.labels[self.ignore])) > 0:
                raise ValueError(
                    f"ignore: {both} of its pixels have a label; set them to 0"
                )
        size = self.pixel_size
        if size is not None and not all(math.isfinite(s) and s > 0 for s in size):
            raise ValueError(f"pixel_size: must be two lengths above 0, got {size!r}")
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(
                f"split: must be one of {', '.join(SPLITS)}, got {self.split!r}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.labels.shape
        return height, width

    def objects(self) -> tuple[NDArray[np.int32], dict[int, int]]:
        """Instances that cover every label, and their classes.

        Labels that are of no instance become one for each connected region, with ids
        after the highest.
        """
        return complete(self.labels, self.instances, self.instance_classes)

    def _check_classes(self) -> None:
        known = np.zeros(1 + max(0, *self.classes.ids), bool)
        known[[0, *self.classes.ids]] = True
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(known) or not known[self.labels].all():
            odd = next(
                int(v)
                for v in present(self.labels, zero=True)
                if not (0 <= v < len(known) and known[v])
            )
            raise ValueError(f"labels: {odd} is the id of no class")

    def _check_instances(self, instances: NDArray[Any]) -> None:
        _check_map(instances, "instances")
        if instances.shape != self.shape:
            raise ValueError(
                f"instances: their shape {instances.shape} must be that of labels, "
                f"{self.shape}"
            )
        if instances.min() < 0 or instances.max() > np.iinfo(np.int32).max:
            raise ValueError("instances: ids must be from 0 to 2147483647")
        ids = present(instances)
        known = frozenset(self.classes.ids)
        for number in ids.tolist():
            if self.instance_classes.get(number) not in known:
                raise ValueError(
                    f"instance_classes: instance {number} must be of a class, got "
                    f"{self.instance_classes.get(number)!r}"
                )
        table = np.array([self.instance_classes[n] for n in ids.tolist()], np.int64)
        inside = instances > 0
        wanted = table[np.searchsorted(ids, instances[inside])]
        if np.any(wanted != self.labels[inside]):
            odd = instances[inside][np.argmax(wanted != self.labels[inside])]
            raise ValueError(
                f"instances: {odd} has pixels of another class; use from_ids"
            )


def safe_name(text: str) -> str:
    """A text as a name of items, which are names of files on every system."""
    name = "".join(
        c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in text
    )
    # Room is left for the numbers of slices and tiles.
    kept = name.encode(errors="replace")[: MAX_NAME - 60].decode(errors="ignore")
    return kept.strip(" .") or "image"


def slice_name(
    stem: str, letters: Sequence[str], position: Sequence[int], lengths: Sequence[int]
) -> str:
    """Name of a slice of a stack, such as ``stem_t002_z003``.

    Parameters
    ----------
    stem : str
    letters, position, lengths : sequence
        Of the axes that a slice does not have: what they are called, where it is, and
        how many there are.
    """
    return stem + "".join(
        f"_{letter}{index:0{max(3, len(str(length - 1)))}}"
        for letter, index, length in zip(letters, position, lengths, strict=True)
    )


def _check_map(array: Any, where: str) -> None:
    shape, dtype = np.shape(array), getattr(array, "dtype", None)
    if len(shape) != 2 or dtype is None or dtype.kind not in "iu":
        raise ValueError(
            f"{where}: must be whole numbers of shape (H, W), got {dtype} of shape "
            f"{shape}"
        )


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name or name != name.strip():
        raise ValueError(f"name: must be text without spaces around it, got {name!r}")
    if any(c in "/\\" or not c.isprintable() for c in name) or name[0] == ".":
        raise ValueError(
            f"name: must be the name of a file that is not hidden, got {name!r}"
        )
    if len(name.encode(errors="replace")) > MAX_NAME:
        raise ValueError(
            f"name: {name[:20]}… takes more than {MAX_NAME} bytes; shorten it"
        )
