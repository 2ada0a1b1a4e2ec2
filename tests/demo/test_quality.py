import numpy as np
import pytest
import torch

from napari_s2clip.demo import quality
from napari_s2clip.demo.vocabulary import UNSEEN_OBJECTS
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS


def test_average_precision_by_hand():
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    truth = np.array([True, False, True, False])
    # Precision 1 at the first hit, 2/3 at the second.
    assert quality.average_precision(scores, truth) == pytest.approx((1 + 2 / 3) / 2)
    assert quality.average_precision(scores, np.ones(4, bool)) == 1
    assert np.isnan(quality.average_precision(scores, np.zeros(4, bool)))


def test_pictures_show_one_object_of_those_asked_for():
    found = list(quality._pictures(UNSEEN_OBJECTS, 12))
    assert found
    for crop, name in found:
        assert name in UNSEEN_OBJECTS
        assert crop.image.shape == (96, 96, 3)


def test_all_figures_are_shares():
    models = load_models(SPECS["demo"], torch.device("cpu"), "random")
    figures = quality.measure(models, 9)
    flat = [figures["sam_iou"]]
    for part in (
        "clip_accuracy",
        "clip_accuracy_unseen_pairs",
        "patch_pair_average_precision",
    ):
        flat += list(figures[part].values())
    assert len(flat) == 11
    assert all(0 <= value <= 1 for value in flat)


def test_a_perfect_sam_has_an_iou_of_one(monkeypatch):
    models = load_models(SPECS["demo"], torch.device("cpu"), "random")
    scene = next(quality.scenes(1, seed=quality.SEED))
    truths = iter([scene.instances == n for n in np.unique(scene.instances)[1:]])
    monkeypatch.setattr(models.sam, "decode", lambda *a, **k: (None, None))
    monkeypatch.setattr(
        models.sam,
        "upscale",
        lambda *a: torch.from_numpy(next(truths))[None].float() - 0.5,
    )
    assert quality.sam_iou(models, 1) == 1
