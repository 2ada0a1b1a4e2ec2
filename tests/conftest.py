"""What several tests share: a result made by hand, and models without weights."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings

from napari_s2clip import ClassSet, Segmentation
from napari_s2clip.image import RGBImage, to_rgb
from napari_s2clip.progress import Reporter
from napari_s2clip.results import REGION_COLUMNS

from . import loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

# Workers side by side share the cores: threads of their own would only wait for them.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "LP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# No test depends on a clock.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True, scope="session")
def _fresh_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither see nor change what the user has on this computer."""
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CACHE", "CONFIG"):
            patch.setenv(f"NAPARI_S2CLIP_{name}", str(folder / name.lower()))
        yield


def stripes(shape: tuple[int, int], count: int) -> NDArray[np.uint16]:
    """Vertical stripes of the labels 0 to ``count``, equally wide."""
    row = np.arange(shape[1]) * (count + 1) // shape[1]
    return np.broadcast_to(row, shape).astype(np.uint16)


def make_result(
    shape: tuple[int, int] = (8, 12),
    names: Sequence[str] = ("cat", "dog"),
    notes: Sequence[str] = (),
) -> Segmentation:
    """Stripes of background and each class; each stripe of a class is a region."""
    import pandas as pd

    classes = names if isinstance(names, ClassSet) else ClassSet(names)
    coarse = classes.label_values(stripes(shape, len(classes)))
    ids = np.array(classes.ids)
    table = pd.DataFrame(
        {
            "region": np.arange(1, len(ids) + 1),
            "class_id": ids,
            "class_name": [classes.name_of(i) for i in ids],
            "area": [int((coarse == i).sum()) for i in ids],
            "mean_probability": 0.87654,
            "x_min": 0.0,
            "y_min": 0.0,
            "x_max": 1.0,
            "y_max": 1.0,
            "point_x": 0.5,
            "point_y": 0.5,
            "sam_score": [0.91234, *[float("nan")] * (len(ids) - 1)],
            "refined": True,
        }
    )
    return Segmentation(
        classes=classes,
        coarse=coarse,
        regions=stripes(shape, len(classes)).astype(np.int32),
        region_table=table.astype(REGION_COLUMNS),
        refined=coarse.copy(),
        owners=coarse.astype(np.int32),
        probabilities=np.full((len(classes), *shape), 0.5, np.float32),
        provenance={
            "model": "fake",
            "device": "cpu",
            "precision": "fp32",
            "settings": {"method": "s2clip"},
            "input_notes": list(notes),
        },
        seconds={"classify": 0.25, "refine": 0.5},
    )


@dataclass
class FakeFeatures:
    """As much of `ImageFeatures` as the widget looks at."""

    image: NDArray[np.uint8]
    notes: tuple[str, ...]
    settings: Any = None


@dataclass
class FakeModels:
    """Stands for the class `S2CLIP`, and remembers what it was asked.

    Encoding takes ten steps. With ``hold`` it stops half-way, at a step where it
    honours a cancel, until ``go`` is set.
    """

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    loaded: list[tuple[Any, ...]] = field(default_factory=list)
    in_memory: dict[str, int] = field(default_factory=dict)
    device: str = "cpu"
    hold: bool = False
    go: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    refined_in: float = 0.5

    def load(
        self,
        spec: Any = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        parts: Any = (),
        weight_store: Any = None,
        progress: Any = None,
        cancel: Any = None,
    ) -> FakeModels:
        self.calls.append(("load", spec.name, device))
        self.loaded.append((precision, tuple(parts), weight_store))
        Reporter(progress, cancel)("load", 1, 1)
        self.in_memory = dict.fromkeys(parts, 1_500_000)
        return self

    def held(self) -> dict[str, int]:
        return self.in_memory

    def release(self) -> None:
        self.calls.append(("release",))
        self.in_memory = {}

    def encode(
        self,
        image: Any,
        *,
        settings: Any = None,
        store: Any = None,
        progress: Any = None,
        cancel: Any,
    ) -> FakeFeatures:
        rgb = image if isinstance(image, RGBImage) else to_rgb(image)
        self.calls.append(("encode", rgb.pixels.shape))
        self.methods.append(settings.method)
        report = Reporter(progress, cancel)
        for step in range(10):
            report("encode", step, 10, f"window {step + 1} of 10")
            if step == 5:
                self.waiting.set()
                while self.hold and not self.go.wait(0.01):
                    cancel.raise_if_cancelled()
        if self.error is not None:
            raise self.error
        return FakeFeatures(rgb.pixels, rgb.notes, settings)

    def segment(
        self,
        image: FakeFeatures,
        classes: ClassSet,
        *,
        settings: Any = None,
        progress: Any = None,
        cancel: Any = None,
    ) -> Segmentation:
        self.calls.append(("segment", classes.names, classes.background))
        report = Reporter(progress, cancel)
        report("classify", 1, 1)
        report("refine", 1, 1)
        result = make_result(image.image.shape[:2], classes, image.notes)
        result.seconds["refine"] = self.refined_in
        if image.settings is not None:
            result.provenance["settings"]["method"] = image.settings.method
        return result

    def complete(self, settings: Any = None) -> Any:
        return settings

    def count(self, call: str) -> int:
        """How often a method was called."""
        return sum(entry[0] == call for entry in self.calls)


class FakeLive:
    """Stands for `LiveSegmentation`; it remembers nothing."""

    nbytes = 0

    def __init__(
        self, model: FakeModels, features: FakeFeatures, *, mask_limit: int = 0
    ) -> None:
        self.model = model
        self.features = features

    def forget(self) -> None:
        """There is nothing."""

    def update(
        self,
        classes: ClassSet,
        settings: Any = None,
        *,
        progress: Any = None,
        cancel: Any = None,
    ) -> Segmentation:
        return self.model.segment(
            self.features, classes, settings=settings, progress=progress, cancel=cancel
        )


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> FakeModels:
    """The models that a run loads, without weights."""
    fake = FakeModels()
    monkeypatch.setattr("napari_s2clip.pipeline.S2CLIP", fake)
    monkeypatch.setattr("napari_s2clip.live.LiveSegmentation", FakeLive)
    yield fake
    # A test that failed half-way must not leave a thread that waits for ever.
    fake.go.set()


@pytest.fixture(name="make_result")
def _make_result() -> Any:
    """`make_result`, for tests that cannot import it."""
    return make_result


@pytest.fixture
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Refuse every connection and name lookup beyond this machine.

    Python processes that the test starts refuse it too.
    """
    attempts: list[str] = []
    loopback.install(monkeypatch.setattr, attempts)
    child = str(Path(__file__).parent / "loopback_child")
    monkeypatch.setenv("PYTHONPATH", child, prepend=os.pathsep)
    yield attempts
    assert not attempts, attempts


@pytest.fixture(autouse=True)
def _no_network(only_loopback: Any) -> None:
    """No test reaches another machine."""
