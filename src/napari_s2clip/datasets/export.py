"""Images into a dataset one by one, with all that was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Cancelled
from .format import DatasetError
from .tile import tiled
from .writer import ItemExistsError

if TYPE_CHECKING:
    from .item import Item
    from .writer import DatasetWriter

__all__ = ["Exported", "export_items"]


@dataclass(frozen=True)
class Exported:
    """What an export has done.

    Attributes
    ----------
    folder : Path
    images, objects : int
        Written now.
    splits : mapping of str to int
        How many of these images are in each part.
    total : int
        Images that the dataset has now.
    skipped : tuple of (str, str)
        Name of an image, and what of it was left out.
    cancelled : bool
    """

    folder: Path
    images: int
    objects: int
    splits: Mapping[str, int]
    total: int
    skipped: tuple[tuple[str, str], ...]
    cancelled: bool = False


def export_items(
    items: Iterable[Item],
    writer: DatasetWriter,
    *,
    tile: int = 0,
    overlap: int = 0,
    empty: bool = True,
    progress: Callable[[str], None] = lambda name: None,
) -> Exported:
    """Add images to a dataset, and finish it.

    One that cannot be written, or is there already, is left out with the reason. Where
    ``items`` raises `Cancelled`, what was written stays.

    Parameters
    ----------
    items : iterable of Item
    writer : DatasetWriter
    tile, overlap : int
        Side of squares that images are cut into, in pixels, and what neighbours share;
        0 leaves them whole.
    empty : bool
        Whether tiles without labels are written.
    progress : callable
        Takes the name of each image of ``items`` before it is written.

    Raises
    ------
    DatasetError
        If the folder cannot be written.
    ValueError
        If ``items`` raises it.
    """
    skipped: list[tuple[str, str]] = []
    splits: dict[str, int] = {}
    objects = 0
    stopped = False
    pieces = _pieces(items, tile, overlap, empty, progress, skipped)
    while True:
        try:
            item = next(pieces, None)
        except Cancelled:
            stopped = True
            break
        if item is None:
            break
        try:
            record = writer.add(item)
        except ItemExistsError as error:
            skipped.append((item.name, _without(item.name, str(error))))
            continue
        except (DatasetError, ValueError) as error:
            if isinstance(error.__cause__, OSError):
                raise
            skipped.append((item.name, _without(item.name, str(error))))
            continue
        splits[record.split] = splits.get(record.split, 0) + 1
        objects += record.objects
        skipped += [(item.name, reason) for reason in record.skipped]
    total = writer.finish().images
    return Exported(
        writer.folder,
        sum(splits.values()),
        objects,
        splits,
        total,
        tuple(skipped),
        stopped,
    )


def _pieces(
    items: Iterable[Item],
    tile: int,
    overlap: int,
    empty: bool,
    progress: Callable[[str], None],
    skipped: list[tuple[str, str]],
) -> Iterator[Item]:
    for item in items:
        progress(item.name)
        if not tile:
            yield item
            continue
        bare = 0
        for piece in tiled(item, tile, overlap):
            if empty or piece.labels.any():
                yield piece
            else:
                bare += 1
        if bare:
            skipped.append((item.name, f"{bare} tiles have no labels"))


def _without(name: str, sentence: str) -> str:
    return sentence.removeprefix(f"{name}: ")
