"""COCO's run lengths: of background and object in turn, column by column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["compress", "decode", "decompress", "encode"]


def encode(
    mask: NDArray[np.bool_], x: int, y: int, shape: tuple[int, int]
) -> list[int]:
    """Runs of a mask that lies at ``x``, ``y`` in an image of a shape.

    The first is of background, and may be 0.
    """
    height, width = shape
    columns = np.zeros((mask.shape[1], mask.shape[0] + 2), np.int8)
    columns[:, 1:-1] = mask.T
    steps = np.diff(columns)
    first, start = np.nonzero(steps > 0)
    last, end = np.nonzero(steps < 0)
    # Of the starts and ends in turn, those where one run ends at the bottom of a column
    # and the next begins at the top of the following one are no steps.
    edges = np.stack(
        [(first + x) * height + start + y, (last + x) * height + end + y], 1
    ).ravel()
    inner = edges[1:-1].reshape(-1, 2)
    kept = inner[inner[:, 0] != inner[:, 1]].ravel()
    runs = np.diff(np.concatenate([[0], edges[:1], kept, edges[-1:]]))
    rest = height * width - int(runs.sum())
    counts: list[int] = runs.tolist()
    return [*counts, rest] if rest else counts


def decode(counts: Any, height: int, width: int) -> tuple[int, NDArray[np.bool_]]:
    """The columns of a mask that are not empty.

    Parameters
    ----------
    counts : list of int
    height, width : int
        Of the image.

    Returns
    -------
    x : int
        The first of the columns.
    mask : ndarray of bool, (height, n)

    Raises
    ------
    ValueError
        If they are not runs of such an image.
    """
    try:
        runs = np.asarray(counts)
    except ValueError:
        runs = np.empty(0, object)
    whole = runs.dtype.kind in "iu" or not runs.size
    if runs.ndim != 1 or not whole or (runs < 0).any():
        raise ValueError("must be whole numbers from 0")
    ends = np.cumsum(runs, dtype=np.int64)
    total = int(ends[-1]) if ends.size else 0
    # A sum that overflows is not in order.
    if total != height * width or (np.diff(ends) < 0).any():
        raise ValueError(f"are of {total} pixels, not {height} × {width}")
    starts = ends - runs
    starts, ends = starts[1::2], ends[1::2]
    starts, ends = starts[ends > starts], ends[ends > starts]
    if not starts.size:
        return 0, np.zeros((height, 0), bool)
    x, after = int(starts[0]) // height, -(-int(ends[-1]) // height)
    steps = np.zeros((after - x) * height + 1, np.int8)
    # Runs that touch, with an empty one between them, step twice at one place.
    np.add.at(steps, starts - x * height, 1)
    np.add.at(steps, ends - x * height, -1)
    flat = np.cumsum(steps[:-1], dtype=np.int8).view(bool)
    return x, flat.reshape(-1, height).T


def compress(counts: Iterable[int]) -> str:
    """Runs as COCO's text: differences to the last but one, six bits a character."""
    text = []
    known: list[int] = []
    for count in counts:
        value = count - known[-2] if len(known) > 2 else count
        known.append(count)
        while True:
            low, value = value & 31, value >> 5
            done = value == (-1 if low & 16 else 0)
            text.append(chr(48 + low + (0 if done else 32)))
            if done:
                break
    return "".join(text)


def decompress(text: str) -> list[int]:
    """Runs of a text that `compress` or another program wrote.

    Raises
    ------
    ValueError
        If it is no such text.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            raise ValueError(f"{character!r} is in no compressed RLE")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the compressed RLE ends in the middle of a number")
    return counts
