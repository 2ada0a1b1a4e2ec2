import numpy as np
import pytest
import torch

from napari_s2clip import S2CLIP
from napari_s2clip.demo import quality
from napari_s2clip.demo.evaluate import Evaluation, evaluate
from napari_s2clip.demo.scenes import scenes
from napari_s2clip.demo.vocabulary import UNSEEN_OBJECTS
from napari_s2clip.models.load import load_models
from napari_s2clip.models.sam_masks import MaskResizer
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
        assert crop.image.shape == (64, 64, 3)


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
        MaskResizer,
        "full",
        lambda *a: torch.from_numpy(next(truths))[None].float() - 0.5,
    )
    assert quality.sam_iou(models, 1) == 1


def test_the_built_in_models_show_what_the_method_is_about():
    model = S2CLIP.load("demo", device="cpu")
    evaluation = Evaluation()
    for item in evaluate(model, scenes(18, seed=77)):
        evaluation.add(item)
    miou = evaluation.figures()["miou"]
    # The model card has the figures of 200 scenes; these are floors of a few.
    assert miou["coarse"] >= 0.6
    assert miou["coarse"] >= 2 * miou["clip"]
    assert miou["refined"] >= miou["coarse"] + 0.03
    assert miou["oracle_refined"] >= 0.9
    assert miou["unseen_pairs"] >= 0.5
