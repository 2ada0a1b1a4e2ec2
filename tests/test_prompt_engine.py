from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_s2clip import S2CLIP
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.image import RGBImage
from napari_s2clip.progress import Cancelled, CancelToken
from napari_s2clip.prompt_engine import Embeddings, ModelEngine, predict
from napari_s2clip.prompting import PromptSession, Window


class Engine:
    """Remembers what it encoded."""

    def __init__(self, cancel: CancelToken | None = None) -> None:
        self.seen: list[int] = []
        self.cancel = cancel

    def embed(self, image: RGBImage, progress: Any, cancel: CancelToken) -> Any:
        self.seen.append(int(image.pixels[0, 0, 0]))
        if self.cancel is not None:
            self.cancel.cancel()
        return self.seen[-1]

    def predict(self, embedding: Any, **prompts: Any) -> Any:
        raise NotImplementedError


def grey(value: int) -> RGBImage:
    return RGBImage(np.full((2, 3, 3), value, np.uint8))


def nothing(progress: Any) -> None:
    pass


def test_the_last_few_pictures_are_encoded_once() -> None:
    engine, kept = Engine(), Embeddings(limit=2)
    for value in (1, 2, 1, 3, 1, 2):
        assert kept.get(engine, grey(value), nothing, CancelToken()) == value
    # 2 had been out of use for longest when 3 came.
    assert engine.seen == [1, 2, 3, 2]
    kept.clear()
    kept.get(engine, grey(2), nothing, CancelToken())
    assert engine.seen == [1, 2, 3, 2, 2]


def test_an_embedding_of_a_run_is_used() -> None:
    engine, kept = Engine(), Embeddings()
    kept.put(grey(4), "of the run")
    assert kept.get(engine, grey(4), nothing, CancelToken()) == "of the run"
    assert engine.seen == []


def test_pictures_of_other_shapes_differ() -> None:
    engine, kept = Engine(), Embeddings()
    kept.get(engine, grey(1), nothing, CancelToken())
    other = RGBImage(np.full((3, 2, 3), 1, np.uint8))
    kept.get(engine, other, nothing, CancelToken())
    assert engine.seen == [1, 1]


def test_what_was_encoded_when_the_cancel_came_is_kept() -> None:
    cancel = CancelToken()
    engine, kept = Engine(cancel), Embeddings()
    with pytest.raises(Cancelled):
        kept.get(engine, grey(1), nothing, cancel)
    assert kept.get(engine, grey(1), nothing, CancelToken()) == 1
    assert engine.seen == [1]


def test_a_click_finds_the_object_in_a_window_of_the_plane() -> None:
    scene = draw_scene(128, np.random.default_rng(3), difficulty="easy")
    window = Window(40, 60, 168, 188)
    engine = ModelEngine(S2CLIP.load("demo", device="cpu"))
    reports: list[Any] = []
    embedding = engine.embed(RGBImage(scene.image), reports.append, CancelToken())
    assert [(r.stage, r.done) for r in reports] == [("refine", 0), ("refine", 1)]
    session = PromptSession((200, 300))
    truth = scene.instances == 1
    rows, columns = np.nonzero(truth)
    middle = np.argmin(np.hypot(rows - rows.mean(), columns - columns.mean()))
    session.add_click(columns[middle] + 60.5, rows[middle] + 40.5)
    answer = predict(engine, embedding, session.prompts, window)
    assert answer.mask.shape == window.shape
    assert answer.mask[rows[middle], columns[middle]]
    iou = (answer.mask & truth).sum() / (answer.mask | truth).sum()
    assert iou > 0.6
    assert 0 < answer.score <= 1.1


def test_nothing_is_encoded_after_a_cancel() -> None:
    cancel = CancelToken()
    cancel.cancel()
    engine = ModelEngine(S2CLIP.load("demo", device="cpu", parts=()))
    with pytest.raises(Cancelled):
        engine.embed(grey(1), nothing, cancel)
