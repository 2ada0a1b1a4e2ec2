"""A large image as items of one size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .instances import present

if TYPE_CHECKING:
    from .item import Item

__all__ = ["tiled"]


def tiled(item: Item, side: int, overlap: int = 0) -> Iterator[Item]:
    """Cut an item into squares, row by row.

    Parameters
    ----------
    item : Item
    side : int
        In pixels. The last tiles are moved inwards, so that all have this size but for
        images that are smaller.
    overlap : int
        Pixels that neighbours share at least.

    Yields
    ------
    Item
        Named ``stem_r0_c0``, by row and column of tiles. Instances keep their ids and
        are cut where tiles end; ``provenance["tile"]`` has row and column of the first
        pixel.

    Raises
    ------
    ValueError
        If ``side`` is below 1, or ``overlap`` not from 0 to below ``side``.
    """
    if side < 1:
        raise ValueError(f"side: must be 1 or more, got {side}")
    if not 0 <= overlap < side:
        raise ValueError(f"overlap: must be from 0 to {side - 1}, got {overlap}")
    rows, columns = (_starts(length, side, overlap) for length in item.shape)
    for r, y in enumerate(rows):
        for c, x in enumerate(columns):
            at = (slice(y, y + side), slice(x, x + side))
            own = None if item.instances is None else item.instances[at]
            ids = set() if own is None else set(present(own).tolist())
            yield replace(
                item,
                name=f"{item.name}_r{r}_c{c}",
                group=item.group or item.name,
                labels=item.labels[at],
                image=None if item.image is None else item.image[at],
                instances=own,
                instance_classes={n: item.instance_classes[n] for n in sorted(ids)},
                attributes={n: a for n, a in item.attributes.items() if n in ids},
                ignore=None if item.ignore is None else item.ignore[at],
                provenance={**item.provenance, "tile": [y, x]},
            )


def _starts(length: int, side: int, overlap: int) -> list[int]:
    last = max(0, length - side)
    return [*range(0, last, side - overlap), last]
