"""Results of a job as labelled images for training, one a slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..datasets import Item, from_ids
from ..datasets.extend import extend
from ..datasets.item import safe_name, slice_name
from ..datasets.region_scores import region_scores
from ..errors import EXPECTED, sentence
from ..io.open_image import open_image
from .finished import FinishedImage, Layer, plane_of
from .reading import Reading
from .sources import Sources

if TYPE_CHECKING:
    from ..io.opened import OpenedImage
    from ..planes import Plane

__all__ = ["FolderItems", "Objects"]

Objects: TypeAlias = Literal["regions", "connected"]


@dataclass(eq=False)
class FolderItems:
    """Items of finished images, made one by one each time they are gone through.

    Attributes
    ----------
    images : sequence of FinishedImage
    layer : {"refined", "regions", "coarse"}
        Which map has the labels; of regions it is their class.
    objects : {"regions", "connected"}
        What one object is: a region that was found, together with what was painted at
        it; or what hangs together and is of one class.
    empty : bool
        Whether slices without labels are items.
    reviewed_only : bool
        Whether images that nobody looked through are left out.
    with_images : bool
        Whether the pixels are read too.
    sources : Path, optional
        Where the images lie now, if they were moved: see `Sources`.
    progress : callable
        Takes the number of each image and its name, before it is read.
    skipped : list of (str, str)
        Name of an image, and what of it was left out.
    """

    images: Sequence[FinishedImage]
    layer: Layer = "refined"
    objects: Objects = "regions"
    empty: bool = True
    reviewed_only: bool = False
    with_images: bool = True
    sources: Path | None = None
    progress: Callable[[int, str], None] = lambda number, name: None
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item]:
        self.skipped.clear()
        places = Sources(self.images[0].folder, self.sources) if self.images else None
        for number, image in enumerate(self.images):
            self.progress(number, image.name)
            try:
                if self.reviewed_only and not image.reviewed:
                    self.skipped.append((image.name, "nobody has reviewed it"))
                    continue
                assert places is not None
                yield from self._items(image, places)
            except EXPECTED as error:
                self.skipped.append((image.name, sentence(error)))

    def _items(self, image: FinishedImage, places: Sources) -> Iterator[Item]:
        classes = image.classes
        table = image.table
        edited = image.is_edited(self.layer)
        size, unit = image.pixel_size
        source = self._source(image, places)
        scores = region_scores(table)
        of_region = dict(
            zip(table["region"].tolist(), table["class_id"].tolist(), strict=True)
        )
        with ExitStack() as stack:
            labels = stack.enter_context(image.open(self.layer))
            owners = None
            if self.objects == "regions":
                stage = "owners" if self.layer == "refined" else "regions"
                owners = stack.enter_context(image.open(stage))
                self._check(owners, labels, image.path(f"_{stage}.tif"))
            unknown = None
            if image.path("_ignore.tif").is_file():
                unknown = stack.enter_context(image.open("ignore"))
                self._check(unknown, labels, image.path("_ignore.tif"))
            planes = self._planes(image, source, labels.shape, stack)
            stem = safe_name(image.name.replace("/", "__"))
            letters = image.letters(len(labels.shape) - 2)
            for position in np.ndindex(*labels.shape[:-2]):
                name = slice_name(stem, letters, position, labels.shape[:-2])
                values = plane_of(labels, position)
                if not values.any() and not self.empty:
                    self.skipped.append((name, "it has no labels"))
                    continue
                numbers = None if owners is None else plane_of(owners, position)
                item_labels = values
                if self.layer == "regions":
                    item_labels = _classes_of(values, of_region, image)
                instances, of = self._objects(item_labels, numbers)
                plane = None if planes is None else planes[position]
                yield Item(
                    name,
                    item_labels,
                    classes,
                    None if plane is None else plane.read(),
                    instances,
                    of,
                    {n: scores[n] for n in of if n in scores},
                    _ignored(unknown, position, item_labels),
                    group=image.name,
                    pixel_size=size,
                    unit=unit,
                    source=f"{source or image.source or image.name}"
                    f"{_place(letters, position)}",
                    levels=None if plane is None else plane.levels.get(),
                    provenance=image.description.get("provenance", {}),
                    edited=edited,
                    reviewed=image.reviewed,
                )

    @staticmethod
    def _check(other: OpenedImage, labels: OpenedImage, path: Path) -> None:
        if other.shape != labels.shape:
            raise ValueError(
                f"{path}: its shape {other.shape} is not that of the labels, "
                f"{labels.shape}"
            )

    def _objects(
        self, labels: NDArray[Any], numbers: NDArray[Any] | None
    ) -> tuple[NDArray[np.int32] | None, dict[int, int]]:
        if numbers is None:
            return None, {}
        instances, of, _ = from_ids(numbers, labels)
        return extend(instances, labels), of

    def _source(self, image: FinishedImage, places: Sources) -> Path | None:
        """Where the image is, if it is wanted and there."""
        if not self.with_images:
            return None
        located = places.find(image)
        if located.path is None:
            self.skipped.append((image.name, f"no image: {located.why}"))
        return located.path

    def _planes(
        self,
        image: FinishedImage,
        source: Path | None,
        shape: tuple[int, ...],
        stack: ExitStack,
    ) -> Mapping[tuple[int, ...], Plane] | None:
        """Planes of the image by position; None where there is no image."""
        if source is None:
            return None
        opened = stack.enter_context(open_image(source))
        target = Reading.of(image.description).target(opened, image.name)
        if target.shape != shape:
            raise ValueError(
                f"{source}: it is {_size(target.shape)} px, its labels are "
                f"{_size(shape)} px; segment it again"
            )
        return {plane.position: plane for plane in target.planes}


def _ignored(
    unknown: OpenedImage | None, position: tuple[int, ...], labels: NDArray[Any]
) -> NDArray[np.bool_] | None:
    """Pixels that nothing is known of: not those that were labelled since."""
    if unknown is None:
        return None
    found: NDArray[np.bool_] = (plane_of(unknown, position) != 0) & (labels == 0)
    return found


def _classes_of(
    values: NDArray[Any], of: Mapping[int, int], image: FinishedImage
) -> NDArray[np.int64]:
    """The class of each region."""
    ids, inverse = np.unique(values, return_inverse=True)
    unknown = [n for n in ids.tolist() if n and n not in of]
    if unknown:
        raise ValueError(
            f"{image.path('_regions.tif')}: region {unknown[0]} is not in "
            f"{image.path('_regions.csv').name}"
        )
    table = np.array([of.get(n, 0) for n in ids.tolist()], np.int64)
    return np.asarray(table[inverse.reshape(values.shape)])


def _place(letters: Sequence[str], position: Sequence[int]) -> str:
    """What tells the slices of a file apart."""
    at = "".join(f" {a}={i}" for a, i in zip(letters, position, strict=True))
    return f" [{at.strip()}]" if at else ""


def _size(shape: Sequence[int]) -> str:
    return " × ".join(str(n) for n in shape)
