"""Exports that kill themselves, for test_killed.py; not a test."""

import sys
from pathlib import Path

import numpy as np

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.datasets import FORMATS, DatasetWriter, Item

from ..deaths import serve

IMAGES = 12
SHAPE = (40, 56)
CLASSES = ClassSet([ClassEntry("cat", id=3), "große Katze", "sky"])


def items(version: int) -> list[Item]:
    """Images, and labels in stripes that differ in each version."""
    random = np.random.default_rng(version)
    found = []
    for number in range(IMAGES):
        image = random.integers(0, 256, (*SHAPE, 3), np.uint8)
        cells = np.indices(SHAPE).sum(0) // (5 + number % 7 + 9 * version) % 4
        labels = np.array([0, *CLASSES.ids])[cells]
        name = f"{number % 10} Größe {number}"
        found.append(Item(name, labels, CLASSES, image, source=f"{name}.tif"))
    return found


def export(
    folder: str, name: str, version: int, *, overwrite: bool, only_finish: bool
) -> list[str]:
    """Add what is missing, or everything; the names of what was added."""
    writer = DatasetWriter(
        folder, FORMATS[name](), CLASSES, val=0.3, overwrite=overwrite
    )
    added = []
    for item in [] if only_finish else ITEMS[version]:
        if overwrite or item.name not in writer:
            writer.add(item)
            added.append(item.name)
    writer.finish()
    return added


if __name__ == "__main__":
    ITEMS = [items(0), items(1)]
    for name, form in FORMATS.items():  # imports what is imported late
        warm = Path(sys.argv[1], f"warm {name}")
        writer = DatasetWriter(warm, form(), CLASSES)
        writer.add(ITEMS[0][0])
        writer.finish()
    serve(export)
