"""A quick model, and images for jobs."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_s2clip import ClassSet, Segmentation
from napari_s2clip.batch import Input, Job
from napari_s2clip.progress import Progress
from napari_s2clip.results import REGION_COLUMNS

CLASSES = ClassSet(["dark", "bright"])


class QuickModel:
    """Pixels from 128 are bright, others dark; each class is one region."""

    device = "cpu"
    precision = "fp32"

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []
        self.error: dict[int, BaseException] = {}
        self.threads: set[int] = set()

    def complete(self, settings):
        return settings

    def segment(self, image, classes, *, settings, store, progress, cancel):
        if cancel is not None:
            cancel.raise_if_cancelled()
        self.threads.add(threading.get_ident())
        self.seen.append(image.pixels.shape)
        if len(self.seen) in self.error:
            raise self.error[len(self.seen)]
        if progress is not None:
            progress(Progress("encode", 1, 1))
        labels = np.where(image.pixels[..., 0] < 128, 1, 2).astype(np.uint16)
        rows = []
        for value in (1, 2):
            area = int((labels == value).sum())
            if area:
                name = classes.name_of(value)
                row = [value, value, name, area, 0.5, 0, 0, 1, 1, 0.5, 0.5, 0.8, True]
                rows.append(row)
        table = pd.DataFrame(rows, columns=[*REGION_COLUMNS]).astype(REGION_COLUMNS)
        return Segmentation(
            classes,
            labels,
            labels.astype(np.int32),
            table,
            labels,
            labels.astype(np.int32),
            np.zeros((2, *labels.shape), np.float32),
            {"model": "quick", "input_notes": list(image.notes)},
            {"encode": 0.5},
        )


@pytest.fixture
def model() -> QuickModel:
    return QuickModel()


@pytest.fixture
def job() -> Job:
    return Job(CLASSES)


def photo(path: Path, seed: int = 0, shape: tuple[int, int] = (9, 12)) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> list[Input]:
    """Five photographs."""
    return [
        Input(photo(tmp_path / "in" / f"{i}.png", i), f"photo {i}") for i in range(5)
    ]
