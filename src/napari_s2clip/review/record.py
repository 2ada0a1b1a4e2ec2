"""Decisions as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, get_args

from .states import Mark, RegionState, Shape, Status

if TYPE_CHECKING:
    from .decisions import Decisions

__all__ = ["read_record", "record"]

_VERSION: Final = 1


def record(review: Decisions) -> dict[str, Any]:
    """The decisions as plain data, ready for JSON, in the order they were made."""
    regions = []
    for region, state in review.decided.items():
        position, class_id, area, box = review.marks[region]
        regions.append(
            {
                "region": region,
                "position": list(position),
                "proposed": class_id,
                "area": area,
                "box": list(box),
                "status": state.status,
                "class": state.class_id,
                "shape": state.shape,
            }
        )
    return {"version": _VERSION, "regions": regions}


def read_record(data: Any) -> Iterator[tuple[int, Mark, RegionState]]:
    """Regions, what tells them from others, and their states.

    Raises
    ------
    ValueError
        If the data are not what `record` gives; names the entry.
    """
    if not isinstance(data, dict) or not isinstance(data.get("regions"), list):
        raise ValueError('review: expected a mapping with the list "regions"')
    if data.get("version") != _VERSION:
        raise ValueError(
            f"review: version {data.get('version')!r} is not known; this program reads "
            f"version {_VERSION}"
        )
    for number, entry in enumerate(data["regions"]):
        try:
            state = RegionState(
                _whole(entry["class"]),
                _one_of(entry["shape"], get_args(Shape)),
                _one_of(entry["status"], get_args(Status)[1:]),
            )
            mark = (
                tuple(_whole(p) for p in entry["position"]),
                _whole(entry["proposed"]),
                _whole(entry["area"]),
                tuple(round(float(edge), 2) for edge in entry["box"]),
            )
            region = _whole(entry["region"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"review: regions[{number}] is damaged ({error!r}); remove it"
            ) from None
        yield region, mark, state


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _one_of(value: Any, words: tuple[Any, ...]) -> Any:
    if value not in words:
        raise ValueError(f"{value!r} is none of {words}")
    return value
