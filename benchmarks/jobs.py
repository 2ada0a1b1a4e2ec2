"""Many images: a job against the same calls one after the other; workers."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from napari_s2clip import ClassSet
from napari_s2clip.batch import Input, Job, run_job
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.image import to_rgb
from napari_s2clip.io.files import read_image
from napari_s2clip.io.results import write_segmentation

from .pairs import Pair

if TYPE_CHECKING:
    from napari_s2clip import S2CLIP

__all__ = ["job_pairs", "worker_figures"]

IMAGES, SIDE = 12, 512
CLASSES = ClassSet(["red circle", "green star", "blue square", "grass", "brick"])


class Device:
    """The model with its image encoders as if on another device.

    What they compute on a GPU costs this computer's cores nothing; here they do nothing
    for as long as they are told.
    """

    def __init__(self, model: S2CLIP, seconds: float) -> None:
        self._model, self._seconds = model, seconds
        self.device, self.precision = model.device, model.precision
        image = to_rgb(draw_scene(SIDE, np.random.default_rng(0)).image)
        self._result = model.segment(image, CLASSES)

    def complete(self, settings: Any) -> Any:
        """As `S2CLIP.complete`."""
        return self._model.complete(settings)

    def segment(self, *_: object, **__: object) -> Any:
        """The same result, after a while."""
        time.sleep(self._seconds)
        return self._result


def photographs(folder: Path, count: int = IMAGES) -> list[Input]:
    """Scenes as PNG files."""
    found = []
    for number in range(count):
        path = folder / f"{number}.png"
        scene = draw_scene(SIDE, np.random.default_rng(number))
        Image.fromarray(scene.image).save(path)
        found.append(Input(path, path.stem))
    return found


def job_pairs() -> Iterator[Pair]:
    """A job against reading, segmenting and writing in a loop."""
    from napari_s2clip import S2CLIP

    model = S2CLIP.load("demo", device="cpu")
    with tempfile.TemporaryDirectory() as name:
        inputs = photographs(Path(name))
        yield _pair(model, inputs, "demo models on the CPU")
        yield _pair(Device(model, 0.15), inputs, "a device of 150 ms an image")


def _pair(model: Any, inputs: list[Input], what: str) -> Pair:
    job = Job(CLASSES)

    def loop() -> None:
        with tempfile.TemporaryDirectory() as out:
            for item in inputs:
                image = to_rgb(read_image(item.path))
                result = model.segment(image, CLASSES, settings=job.settings)
                write_segmentation(result, image.pixels, out, item.name)

    def ours() -> None:
        with tempfile.TemporaryDirectory() as out:
            outcomes = list(run_job(job, inputs, out, model=model))
        assert all(outcome.state == "done" for outcome in outcomes)

    return Pair(
        f"job over {len(inputs)} images of {SIDE} px, {what}",
        ours,
        loop,
        "one call after the other, without thumbnails and journal",
    )


def worker_figures(images: int = 24) -> dict[str, Any]:
    """Images a second of one worker and of two, loading not counted."""
    if importlib.util.find_spec("distributed") is None:
        sys.stdout.write("distributed is not installed and left out\n")
        return {}
    from napari_s2clip.batch import Cluster

    found: dict[str, Any] = {"images": images, "side": SIDE}
    with tempfile.TemporaryDirectory() as name:
        inputs = photographs(Path(name), images + 4)
        for workers in (1, 2):
            with Cluster(workers=workers) as cluster:
                job = Job(CLASSES, device="cpu", pictures=False)
                # Every worker loads its models.
                warm = Path(name) / f"warm {workers}"
                list(run_job(job, inputs[images:], warm, cluster=cluster))
                started = time.perf_counter()
                out = Path(name) / f"out {workers}"
                list(run_job(job, inputs[:images], out, cluster=cluster))
                seconds = time.perf_counter() - started
            found[f"{workers}_workers_per_second"] = images / seconds
    found["ratio"] = found["2_workers_per_second"] / found["1_workers_per_second"]
    return found
