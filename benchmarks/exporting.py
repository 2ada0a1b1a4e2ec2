"""A labelled image as COCO annotations: ours, and a full-size mask for each object."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_s2clip import ClassSet
from napari_s2clip.datasets import Coco, DatasetWriter, Item, connected

from .pairs import Pair

if TYPE_CHECKING:
    from napari_s2clip.datasets.coco import Segmentation

__all__ = ["exporting_pairs", "labelled"]

SIDE, CELLS, CLASSES, CHUNK = 2048, 32, 20, 50


def labelled(side: int = SIDE, cells: int = CELLS) -> Item:
    """About ``cells``² regions of ragged outline, some with holes, in 20 classes."""
    from scipy.ndimage import zoom

    random = np.random.default_rng(0)
    step = side // cells
    y, x = np.mgrid[:side, :side].astype(np.float32)
    # Each cell has a blob whose radius changes with the angle around its middle.
    row, column = (y // step).astype(int), (x // step).astype(int)
    middle = (0.5 + random.uniform(-0.05, 0.05, (2, cells, cells))) * step
    dy = y % step - middle[0][row, column]
    dx = x % step - middle[1][row, column]
    wave = random.integers(2, 6, (cells, cells))[row, column]
    phase = random.uniform(0, 2 * np.pi, (cells, cells))[row, column]
    rough = zoom(random.normal(0, 1, (side // 4, side // 4)), 4, order=1)
    radius = step * (0.36 + 0.06 * np.sin(wave * np.arctan2(dy, dx) + phase))
    distance = np.hypot(dy, dx)
    inside = distance < radius + rough[:side, :side]
    pierced = random.random((cells, cells)) < 0.2
    inside &= ~(pierced[row, column] & (distance < 0.1 * step))
    kinds = random.integers(1, CLASSES + 1, (cells, cells))
    labels = np.where(inside, kinds[row, column], 0).astype(np.uint16)
    instances = np.where(inside, row * cells + column + 1, 0).astype(np.int32)
    own = range(1, cells * cells + 1)
    of = dict(zip(own, kinds.ravel().tolist(), strict=True))
    classes = ClassSet([f"class {n}" for n in range(CLASSES)])
    return Item("map", labels, classes, None, instances, of)


def exporting_pairs() -> Iterator[Pair]:
    """COCO annotations of one map, by every way of ours and by others."""
    item = labelled()
    assert item.instances is not None
    ids, count = item.instances, len(item.instance_classes)
    what = f"{count} regions, {SIDE} px"

    def theirs() -> object:
        return _encoded(ids, item.instance_classes)

    for way in ("compressed", "auto", "polygons"):
        yield Pair(
            f"COCO annotations ({way}), {what}",
            _ours(way, item),
            theirs,
            "pycocotools.mask.encode of each mask",
        )
    yield Pair(
        f"connected regions as COCO annotations (auto), {what}",
        _ours("auto", Item("map", item.labels, item.classes)),
        lambda: _encoded(*connected(item.labels)),
        "labelling them and pycocotools.mask.encode of each mask",
    )
    if importlib.util.find_spec("supervision") is None:
        sys.stdout.write("supervision is not installed and left out\n")
        return
    yield Pair(
        f"COCO annotations (auto), {what}",
        _ours("auto", item),
        lambda: _supervised(ids, item.instance_classes),
        "supervision's, whose outlines are approximate",
    )


def _ours(way: Segmentation, item: Item) -> Callable[[], object]:
    """The whole export: annotations of the image and the index on the disk."""

    def export() -> object:
        with tempfile.TemporaryDirectory() as folder:
            writer = DatasetWriter(Path(folder), Coco(way), item.classes)
            writer.add(item)
            return writer.finish()

    return export


def _encoded(ids: NDArray[Any], classes: dict[int, int]) -> list[dict[str, Any]]:
    """As pycocotools is used; nothing is written."""
    from pycocotools import mask as coco

    found = []
    ids = np.asfortranarray(ids)  # once, so that no mask is copied
    for number, kind in classes.items():
        runs = coco.encode((ids == number).view(np.uint8))
        found.append(
            {
                "category_id": kind,
                "segmentation": {**runs, "counts": runs["counts"].decode()},
                "area": int(coco.area(runs)),
                "bbox": coco.toBbox(runs).tolist(),
                "iscrowd": 0,
            }
        )
    return found


def _supervised(ids: NDArray[Any], classes: dict[int, int]) -> list[dict[str, Any]]:
    """In groups: all masks at once would take 4 GB."""
    import supervision
    from supervision.dataset.formats.coco import detections_to_coco_annotations

    found: list[dict[str, Any]] = []
    numbers = list(classes)
    for start in range(0, len(numbers), CHUNK):
        group = np.array(numbers[start : start + CHUNK])
        masks = ids[None] == group[:, None, None]
        detections = supervision.Detections(
            supervision.mask_to_xyxy(masks),
            masks,
            class_id=np.array([classes[n] for n in group.tolist()]),
        )
        found += detections_to_coco_annotations(detections, 1, len(found) + 1)[0]
    return found
