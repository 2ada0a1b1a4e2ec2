"""Layers of an image as annotations that can be saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..io.annotations import Annotations, LabelsCopy, plain
from ..io.class_lists import classes_from_dict
from .baseline import Baseline
from .boxes import box_of
from .entry import KEY, STAGES, entry_of
from .outputs import is_edited, outputs_of
from .state import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..classes import ClassSet

__all__ = ["LOOK", "PLACE", "belongs_to", "collect_annotations"]

PLACE: Final = (
    *("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"),
)
LOOK: Final = ("visible", "opacity", "blending", "contour")
_KEPT: Final = ("title", "name", "runs", "removed")

_LOOKED_THROUGH: Final = 1 << 24
"""Maps up to this many pixels are compared with what runs wrote when they are saved;
of larger ones both are saved, which says the same."""


def belongs_to(labels: Labels, image: Image) -> bool:
    """Whether a layer was made of an image, by a run or by duplicating such a one."""
    entry = labels.metadata.get(KEY)
    return isinstance(entry, dict) and entry.get("image") == str(image.unique_id)


def collect_annotations(
    viewer: ViewerModel,
    layer: Image,
    *,
    classes: ClassSet | None = None,
    settings: Mapping[str, Any] | None = None,
    review: Mapping[str, Any] | None = None,
) -> Annotations:
    """All label layers of an image, to be saved.

    The arrays are those of the layers, not copies.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Image
    classes : ClassSet, optional
        By default those of the newest layers.
    settings, review : mapping, optional

    Returns
    -------
    Annotations
        The newest set of maps, and every other layer of the image as a copy.

    Raises
    ------
    ValueError
        If there is nothing to save.
    """
    from napari.layers import Labels

    newest = next(iter(outputs_of(viewer, layer)), None)
    found = [(stage, getattr(newest, stage, None)) for stage in STAGES]
    maps = {stage: labels for stage, labels in found if labels is not None}
    others = [
        other
        for other in viewer.layers
        if isinstance(other, Labels)
        and belongs_to(other, layer)
        and other not in maps.values()
    ]
    if not maps and not others:
        raise ValueError(f"{layer.name}: it has no labels to save yet; press Run first")
    first = [*maps.values(), *others][0]
    if classes is None:
        known = newest.classes if newest is not None else None
        classes = known or classes_from_dict(first.metadata[KEY])
    edited = tuple(s for s, labels in maps.items() if _may_be_edited(labels))
    arrays = {stage: labels.data for stage, labels in maps.items()}
    if newest is not None and newest.owners is not None:
        arrays["owners"] = newest.owners
    placement = _placement(first)
    return Annotations(
        classes=classes,
        maps=arrays,
        region_table=None if newest is None else newest.region_table,
        names={stage: labels.name for stage, labels in maps.items()},
        edited=edited,
        written={stage: _written(maps[stage]) for stage in edited},
        details={stage: _details(labels) for stage, labels in maps.items()},
        copies=tuple(_copy(other, placement) for other in others),
        placement=placement,
        level=int(entry_of(first).get("level", 0)),
        settings=settings or {},
        provenance={} if newest is None else newest.provenance,
        review=review or {},
    )


class _Written:
    """What runs wrote into a map, unpacked where it is read."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self.shape, self.dtype = baseline.shape, baseline.dtype

    def __getitem__(self, index: Any) -> Any:
        given = index if isinstance(index, tuple) else (index,)
        at = (*given, *[slice(None)] * (len(self.shape) - len(given)))
        values = self._baseline.read(box_of(at, self.shape))
        return values[tuple(0 if isinstance(i, int) else slice(None) for i in at)]


def _written(labels: Labels) -> _Written:
    state = state_of(labels)
    assert state is not None  # it is in an `OutputSet`
    record = state.records.look(labels)
    return _Written(state.versions.last if record is None else record.labels)


def _may_be_edited(labels: Labels) -> bool:
    return labels.data.size > _LOOKED_THROUGH or is_edited(labels)


def _copy(labels: Labels, placement: Mapping[str, Any]) -> LabelsCopy:
    own, data = _placement(labels), labels.data
    if data.dtype == bool:  # shown as numbers too
        data = np.asarray(data, np.uint8)
    where = None if own == placement else own
    return LabelsCopy(labels.name, data, where, labels.visible)


def _placement(labels: Labels) -> dict[str, Any]:
    found = {name: getattr(labels, name) for name in PLACE}
    found["affine"] = labels.affine.affine_matrix
    found["units"] = [str(unit) for unit in labels.units]
    return {name: plain(value, name) for name, value in found.items()}


def _details(labels: Labels) -> dict[str, Any]:
    entry = entry_of(labels)
    kept: dict[str, Any] = {name: entry[name] for name in _KEPT if name in entry}
    kept["shares"] = {str(k): v for k, v in entry.get("shares", {}).items()}
    kept["look"] = {name: getattr(labels, name) for name in LOOK}
    kept["look"]["blending"] = str(labels.blending)
    return kept
