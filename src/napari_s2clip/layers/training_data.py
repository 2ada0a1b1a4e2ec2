"""Slices of a Labels layer as labelled images, made one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..datasets import Item, from_ids
from ..datasets.extend import extend
from ..datasets.instances import present
from ..datasets.item import slice_name
from ..progress import CancelToken
from .boxes import box_of
from .label_names import Kinds, kinds_of_values

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .baseline import Versions
    from .pixels_of import Pixels

__all__ = ["Objects", "TrainingData"]

Objects: TypeAlias = Literal["regions", "connected", "ids"]


@dataclass(eq=False)
class TrainingData:
    """Items of a layer as it was, made one by one each time they are gone through.

    That may be in another thread.

    Attributes
    ----------
    positions : list of tuple of int
        Of the slices, on the axes that they do not have.
    skipped : list of (str, str)
        Name of an image, and what of it was left out.
    cancel : CancelToken
        Looked at before each slice, which raises `napari_s2clip.progress.Cancelled`.
    """

    labels: Any
    axes: tuple[int, int]
    hidden: tuple[int, ...]
    letters: tuple[str, ...]
    positions: list[tuple[int, ...]]
    kinds: Kinds | None
    objects: Objects
    of: Any
    owners: Any
    pixels: Pixels | None
    size: tuple[tuple[float, float] | None, str]
    stem: str
    source: str
    empty: bool
    known: Mapping[int, Mapping[str, float]]
    versions: Versions | None
    reviewed: Mapping[tuple[int, ...], bool]
    provenance: Mapping[str, Any]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    cancel: CancelToken = field(default_factory=CancelToken)

    @cached_property
    def classes(self) -> ClassSet:
        """Classes of all items; may have to look through the labels for them."""
        return self._table.classes

    @cached_property
    def _table(self) -> Kinds:
        if self.kinds is not None:
            return self.kinds
        values: set[int] = set()
        source = self.labels if self.of is None or self._one else self.of
        for position in self.positions:
            self.cancel.raise_if_cancelled()
            values.update(present(self._plane(source, position)).tolist())
        return kinds_of_values(values)

    @property
    def _one(self) -> bool:
        return isinstance(self.of, int)

    def __len__(self) -> int:
        """Slices, also those without labels."""
        return len(self.positions)

    def __iter__(self) -> Iterator[Item]:
        self.skipped.clear()
        for position in self.positions:
            self.cancel.raise_if_cancelled()
            item = self._item(position)
            if item is not None:
                yield item

    def name(self, position: tuple[int, ...]) -> str:
        """``stem_z003`` for a slice."""
        lengths = [self.labels.shape[axis] for axis in self.hidden]
        return slice_name(self.stem, self.letters, position, lengths)

    def _index(self, position: tuple[int, ...]) -> tuple[int | slice, ...]:
        at = dict(zip(self.hidden, position, strict=True))
        return tuple(at.get(a, slice(None)) for a in range(len(self.labels.shape)))

    def _plane(self, data: Any, position: tuple[int, ...]) -> NDArray[Any]:
        values = np.asarray(data[self._index(position)])
        return values.view(np.uint8) if values.dtype == bool else values

    def _item(self, position: tuple[int, ...]) -> Item | None:
        name = self.name(position)
        values = self._plane(self.labels, position)
        if not values.any() and not self.empty:
            self.skipped.append((name, "it has no labels"))
            return None
        labels, unknown = self._classed(values, position)
        instances: NDArray[np.int32] | None = None
        of: dict[int, int] = {}
        notes: tuple[str, ...] = ()
        if self.objects == "ids":
            instances, of, notes = from_ids(values, labels)
        elif self.objects == "regions":
            owners = self._plane(self.owners, position)
            instances, of, _ = from_ids(owners, labels)
            instances = extend(instances, labels)
        self.skipped += [(name, note) for note in notes]
        if unknown.any():
            odd = np.unique(values[unknown]).tolist()
            text = ", ".join(map(str, odd[:5])) + (", …" if len(odd) > 5 else "")
            count = np.count_nonzero(unknown)
            self.skipped.append(
                (name, f"{count} px are of no class (label {text}) and ignored")
            )
        edited = None
        if self.versions is not None:
            box = box_of(self._index(position), self.labels.shape)
            edited = self.versions.is_edited(self.labels, box)
        image = None
        if self.pixels is not None:
            image = self.pixels.read(self._index(position))
        return Item(
            name,
            labels,
            self.classes,
            image,
            instances,
            of,
            {n: self.known[n] for n in of if n in self.known},
            unknown if unknown.any() else None,
            *self.size,
            group=self.stem,
            source=self.source + name.removeprefix(self.stem),
            provenance=self.provenance,
            edited=edited,
            reviewed=self.reviewed.get(position),
            levels=None if self.pixels is None else self.pixels.levels,
        )

    def _classed(
        self, values: NDArray[Any], position: tuple[int, ...]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Class ids of a slice, and pixels with labels that are of no class."""
        if self._one:
            if self.of not in self.classes.ids:
                raise ValueError(f"of: {self.of} is the id of no class; choose one")
            return np.where(values > 0, self.of, 0).astype(np.int32), values < 0
        source = values
        if self.of is not None:
            source = np.where(values != 0, self._plane(self.of, position), 0)
        found = present(source, zero=True)
        table = [self._table.of.get(v, 0) for v in found.tolist()]
        labels = np.array(table, np.int32)[np.searchsorted(found, source)]
        return labels, (values != 0) & (labels == 0)
