"""Download the weight files of a specification that are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..progress import Progress
from ..sizes import format_size
from ..store import Transfer, WeightStore

if TYPE_CHECKING:
    from pathlib import Path

    from ..progress import CancelToken, ProgressCallback
    from .parts import PartName
    from .specs import ModelSpec

__all__ = ["describe_transfer", "download_parts"]


def download_parts(
    spec: ModelSpec,
    parts: Iterable[PartName],
    given: Mapping[str, Path | str] | None = None,
    store: WeightStore | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> None:
    """Download the files of parts that are neither given nor on this computer.

    Parameters
    ----------
    spec : ModelSpec
    parts : iterable of {"clip", "vfm", "sam"}
    given : mapping, optional
        Files of the user's own by part.
    store : WeightStore, optional
    progress : callable, optional
        Called with a `Progress` of the stage ``"load"``, counted in bytes.
    cancel : CancelToken, optional

    Raises
    ------
    StoreError
    Cancelled
    """
    store, parts = store or WeightStore(), frozenset(parts)
    cards = {
        # One that is published nowhere is missed when it is loaded, with what to do.
        card.source: card
        for card in spec.parts
        if card.role in parts
        and card.role not in (given or {})
        and card.can_be_downloaded
        and store.find(card) is None
    }
    for number, card in enumerate(cards.values(), 1):

        def on_transfer(transfer: Transfer, number: int = number) -> None:
            if progress is not None:
                text = describe_transfer(transfer)
                if len(cards) > 1:
                    text = f"{number} of {len(cards)}: {text}"
                total = transfer.total or 1
                progress(Progress("load", min(transfer.done, total), total, text))

        store.download(card, progress=on_transfer, cancel=cancel)


def describe_transfer(transfer: Transfer) -> str:
    """A line for people: ``SAM ViT-B: 120 MB of 375 MB, 12 MB/s, 21 s left``."""
    if transfer.step == "waiting":
        return f"{transfer.card}: {transfer.message}"
    done = format_size(transfer.done)
    words = f"{done} of {format_size(transfer.total)}" if transfer.total else done
    if transfer.step == "checking":
        return f"{transfer.card}: checking {words}"
    if transfer.rate:
        words += f", {format_size(round(transfer.rate))}/s"
    left = transfer.seconds_left
    if left is not None:
        words += f", {describe_seconds(left)} left"
    return f"{transfer.card}: {words}"


def describe_seconds(seconds: float) -> str:
    """``21 s``, ``3 min``, ``1 h 5 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
