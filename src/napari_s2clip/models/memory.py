"""Work in chunks that fit into memory, smaller ones when it runs out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["free_memory", "in_chunks", "is_out_of_memory"]

log = logging.getLogger(__name__)

T = TypeVar("T")


def free_memory(device: torch.device) -> int:
    """Memory that can still be had on a device, in bytes."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + kept)
    if device.type == "mps":
        limit = torch.mps.recommended_max_memory()
        return max(0, int(limit - torch.mps.driver_allocated_memory()))
    import psutil

    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has a type for it; MPS and the CPU only say so."""
    return isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(
            words in str(error)
            for words in ("out of memory", "can't allocate memory", "not enough memory")
        )
    )


def in_chunks(
    run: Callable[[slice], T],
    total: int,
    chunk: int,
    device: torch.device,
    what: str,
    on_chunk: Callable[[int, int], None] = lambda done, total: None,
) -> list[T]:
    """Run over all items, at most ``chunk`` at a time, fewer when memory runs out.

    Parameters
    ----------
    run : callable
        Takes a slice of the items.
    total, chunk : int
    device : torch.device
        Where the work is done.
    what : str
        One item, for people, such as ``"window"``.
    on_chunk : callable
        Called with items done and items in all, before each call and after the last.

    Returns
    -------
    list
        What each call returned.

    Raises
    ------
    torch.cuda.OutOfMemoryError
        If memory does not suffice for a single item.
    """
    found: list[T] = []
    first = 0
    while first < total:
        on_chunk(first, total)
        last = min(total, first + chunk)
        fitted = _run_if_it_fits(run, slice(first, last))
        if fitted is not None:
            found += fitted
            first = last
            continue
        if last - first == 1:
            way_out = "choose a smaller model"
            if device.type != "cpu":
                way_out += ' or device="cpu"'
            raise torch.cuda.OutOfMemoryError(
                f"Memory of {device} does not suffice for one {what}; free some, or "
                f"{way_out}."
            )
        chunk = (last - first) // 2
        log.warning("memory ran out; going on with %d at a time (%s)", chunk, what)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    on_chunk(total, total)
    return found


def _run_if_it_fits(run: Callable[[slice], T], part: slice) -> list[T] | None:
    """A list with the result; None when memory ran out.

    Returning lets go of the error, whose frames would keep the memory in use.
    """
    try:
        return [run(part)]
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return None
        raise
