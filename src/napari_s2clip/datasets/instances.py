"""Objects in label maps: found, numbered, and gone through one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Instance", "complete", "connected", "each", "from_ids", "lost", "present"]

_TABLE = 1 << 24  # ids up to this are looked up, higher ones sorted


@dataclass(frozen=True, eq=False)
class Instance:
    """One object.

    Attributes
    ----------
    id, class_id : int
    area : int
        Pixels.
    bbox : tuple of int
        x, y, width, height of the box around its pixels.
    mask : ndarray of bool, (height, width)
        In the box.
    """

    id: int
    class_id: int
    area: int
    bbox: tuple[int, int, int, int]
    mask: NDArray[np.bool_]


def present(ids: NDArray[Any], *, zero: bool = False) -> NDArray[Any]:
    """The values that occur, in order; 0 only if asked for."""
    if ids.size == 0:
        return np.empty(0, np.int64)
    if ids.min() >= 0 and ids.max() < _TABLE:
        seen = np.zeros(int(ids.max()) + 1, bool)
        seen[ids] = True
        values = np.flatnonzero(seen)
    else:
        values = np.unique(ids)
    return values if zero else values[values != 0]


def connected(labels: NDArray[Any]) -> tuple[NDArray[np.int32], dict[int, int]]:
    """One instance for each 8-connected region of a class.

    Returns
    -------
    instances : ndarray of int32
        1, 2, 3, … in the order of their first pixels, row by row.
    classes : dict
        The class of each.
    """
    from skimage import measure

    label: Any = measure.label  # untyped
    found = label(labels, background=0, connectivity=2)
    instances: NDArray[np.int32] = found.astype(np.int32)
    return instances, _classes(instances, labels)


def from_ids(
    ids: NDArray[Any], labels: NDArray[Any]
) -> tuple[NDArray[np.int32], dict[int, int], tuple[str, ...]]:
    """Instances that are numbered already, made to agree with the labels.

    Parameters
    ----------
    ids : ndarray of int, (H, W)
    labels : ndarray of int, (H, W)
        Where they are 0, there is no instance.

    Returns
    -------
    instances : ndarray of int32
    classes : dict
    notes : tuple of str
        An id that has pixels of several classes stays with the most frequent one; the
        others get ids after the highest, and a sentence here.
    """
    if ids.shape != labels.shape:
        raise ValueError(f"ids: their shape {ids.shape} must be that of labels")
    if ids.size and (ids.min() < 0 or ids.max() > np.iinfo(np.int32).max):
        raise ValueError("ids: must be from 0 to 2147483647")
    instances = np.where(labels != 0, ids, 0).astype(np.int32)
    classes = _classes(instances, labels)
    odd = instances > 0
    odd[odd] = _looked_up(classes, instances[odd]) != labels[odd]
    if not odd.any():
        return instances, classes, ()
    split = present(instances[odd])
    top = int(instances.max())
    notes = []
    for number in split.tolist():
        where = instances == number
        values, counts = np.unique(labels[where], return_counts=True)
        order = values[np.argsort(-counts, kind="stable")].tolist()
        classes[number] = order[0]
        new = []
        for value in order[1:]:
            top += 1
            if top > np.iinfo(np.int32).max:
                raise ValueError("ids: there are none left above the highest")
            instances[where & (labels == value)] = top
            classes[top] = value
            new.append(str(top))
        notes.append(
            f"instance {number} has pixels of {len(order)} classes; those of others "
            f"than {order[0]} are instance {', '.join(new)} now"
        )
    return instances, classes, tuple(notes)


def complete(
    labels: NDArray[Any],
    instances: NDArray[Any] | None,
    classes: Mapping[int, int],
) -> tuple[NDArray[np.int32], dict[int, int]]:
    """Instances and, after the highest, connected regions of labels without one."""
    if instances is None:
        return connected(labels)
    found = instances.astype(np.int32)
    known = {n: int(classes[n]) for n in present(found).tolist()}
    rest = np.where(found > 0, 0, labels)
    if not rest.any():
        return found, known
    more, of = connected(rest)
    top = max(known, default=0)
    if top + len(of) > np.iinfo(np.int32).max:
        raise ValueError("instances: there are no ids left above the highest")
    found = np.where(more > 0, more + np.int32(top), found)
    return found, known | {n + top: value for n, value in of.items()}


def each(instances: NDArray[Any], classes: Mapping[int, int]) -> Iterator[Instance]:
    """The instances in the order of their ids."""
    from scipy.ndimage import find_objects

    ids = present(instances)
    if ids.size == 0:
        return
    top = int(ids[-1])
    if top > 2 * ids.size + 1000:  # one slot for each number up to the highest
        dense = np.searchsorted(ids, instances).astype(np.int32) + 1
        dense[instances == 0] = 0
        numbers = range(1, ids.size + 1)
    else:
        dense, numbers = instances, ids.tolist()
    boxes = find_objects(dense)
    for number, own in zip(numbers, ids.tolist(), strict=True):
        rows, columns = boxes[number - 1]
        mask = dense[rows, columns] == number
        height, width = mask.shape
        box = (columns.start, rows.start, width, height)
        yield Instance(own, int(classes[own]), int(np.count_nonzero(mask)), box, mask)


def lost(
    classes: Mapping[int, int],
    attributes: Mapping[int, Mapping[str, Any]],
) -> tuple[str, ...]:
    """What a format loses of instances that has a class for each, counted from 1.

    Parameters
    ----------
    classes : mapping of int to int
    attributes : mapping of int to mapping
    """
    groups = [n for n in classes if attributes.get(n, {}).get("crowd")]
    notes: tuple[str, ...] = ()
    if groups:
        notes = (
            f"{len(groups)} groups are written as objects, each as if it were one",
        )
    if max(classes, default=0) != len(classes):
        notes += ("instances are numbered anew, from 1 in the order of their ids",)
    if any(attributes.get(n, {}).keys() - {"crowd"} for n in classes):
        notes += ("scores and whatever else is known of objects have no place",)
    return notes


def _classes(instances: NDArray[Any], labels: NDArray[Any]) -> dict[int, int]:
    """The label of one pixel of each instance."""
    ids = present(instances)
    inside = instances > 0
    values = np.zeros(ids.size, np.int64)
    values[np.searchsorted(ids, instances[inside])] = labels[inside]
    return dict(zip(ids.tolist(), values.tolist(), strict=True))


def _looked_up(classes: Mapping[int, int], ids: NDArray[Any]) -> NDArray[np.int64]:
    keys = np.array(sorted(classes), np.int64)
    values = np.array([classes[k] for k in keys.tolist()], np.int64)
    found: NDArray[np.int64] = values[np.searchsorted(keys, ids)]
    return found
