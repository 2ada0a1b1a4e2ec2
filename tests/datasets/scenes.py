"""Larger label maps as annotators make them: blobs, holes, lines, borders, classes."""

import numpy as np
from scipy.ndimage import gaussian_filter, label

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.datasets import Item, from_ids

__all__ = ["CLASSES", "MANY", "scene", "scenes"]

CLASSES = ClassSet(
    [ClassEntry("cat", colour="#123456", id=7), "große Katze", ClassEntry("sky", id=40)]
)
MANY = ClassSet([ClassEntry(f"class {n}", id=1 + 3 * n) for n in range(300)])


def scene(seed: int, classes: ClassSet = CLASSES) -> Item:
    """Blobs of all classes that touch and have holes; instances have gaps in their ids.

    Some instances are in several parts, some labels are of none.
    """
    random = np.random.default_rng(seed)
    height, width = (int(n) for n in random.integers(60, 130, 2))
    noise = gaussian_filter(random.random((height, width)), 2.5)
    level = np.quantile(noise, 0.35)
    parts = label(noise > level)[0]
    # Voronoi cells of random points cut the blobs into regions that touch.
    cells = len(classes) if len(classes) > 100 else 25
    points = random.integers(0, (height, width), (cells, 2))
    y, x = np.mgrid[:height, :width]
    near = np.argmin(
        (y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2, -1
    )
    ids = np.where(parts > 0, near + 1, 0)
    # Holes of one pixel, lines one pixel wide, single pixels, a border.
    ids[random.random(ids.shape) < 0.01] = 0
    for number in range(4):
        row, column = int(random.integers(height)), int(random.integers(width))
        ids[row, : width // 2] = cells + 1 + number
        ids[height // 3 :, column] = cells + 5 + number
    ids[random.integers(0, height, 5), random.integers(0, width, 5)] = cells + 10
    ids[0] = ids[-1] = cells + 11
    ids[:, 0] = ids[:, -1] = cells + 11
    values = np.array(classes.ids)
    of = np.concatenate([[0], values[np.arange(cells + 11) % len(values)]])
    labels = of[ids]
    numbers = np.where(ids % 9 == 4, 0, ids * 11)
    instances, known, _ = from_ids(numbers, labels)
    image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    free = (labels == 0) & (random.random(labels.shape) < 0.1)
    return Item(
        f"scene {seed}",
        labels,
        classes,
        image,
        instances if seed % 2 else None,
        known if seed % 2 else {},
        ignore=free,
    )


def scenes() -> list[Item]:
    """Four scenes; every second has instances of its own."""
    return [scene(seed) for seed in range(4)]
