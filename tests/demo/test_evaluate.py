import numpy as np
import pytest

from napari_s2clip import S2CLIP, ClassEntry, ClassSet
from napari_s2clip.demo import evaluate as module
from napari_s2clip.demo.evaluate import (
    DISTRACTORS,
    Evaluation,
    blurred_truth,
    evaluate,
    scene_classes,
    scene_iou,
)
from napari_s2clip.demo.scenes import Scene, scenes
from napari_s2clip.demo.vocabulary import UNSEEN_OBJECTS, VOCABULARY


def small_scene() -> Scene:
    """Grass with a red circle and a speck of sand."""
    labels = np.ones((40, 40), np.uint16)
    labels[:10, :10] = 2
    labels[39, 39] = 3
    names = ("grass", "red circle", "sand")
    return Scene(np.zeros((40, 40, 3), np.uint8), labels, labels, names, "easy")


def test_classes_are_those_present_and_absent_words():
    scene = small_scene()
    classes = scene_classes(scene, np.random.default_rng(0))
    assert classes.names[:2] == ("grass", "red circle")
    extra = classes.names[2:]
    assert len(extra) == DISTRACTORS
    assert not set(extra) & set(scene.names)
    assert set(extra) <= set(VOCABULARY)


def test_specks_are_not_counted():
    scene = small_scene()
    classes = ClassSet(["grass", "red circle", "water"])
    truth = module._truth(scene, classes)
    assert truth[39, 39] == 65_535
    assert truth[0, 0] == 2
    everything_grass = np.ones((40, 40), np.uint16)
    iou = module._iou(everything_grass, truth, classes, ["grass", "red circle"])
    # 1,499 of 1,599 counted pixels are grass.
    assert iou == {"grass": pytest.approx(1499 / 1599), "red circle": 0.0}


def test_scenes_are_measured_by_the_ids_of_the_classes():
    scene = small_scene()
    classes = ClassSet([ClassEntry("grass", id=9), "sand", "red circle"])
    prediction = np.full((40, 40), 9, np.uint16)
    prediction[:10, :10] = classes.id_of("red circle")
    assert scene_iou(scene, prediction, classes) == {
        "grass": pytest.approx(1499 / 1500),
        "red circle": 1.0,
    }


def test_means_are_taken_by_scene_first():
    found = Evaluation()
    found.rows = [
        ("refined", "easy/0", "grass", 1.0),
        ("refined", "easy/0", UNSEEN_OBJECTS[0], 0.5),
        ("refined", "hard/1", "sand", 0.25),
        ("coarse", "hard/1", "sand", 0.0),
    ]
    assert found.miou("refined") == pytest.approx((0.75 + 0.25) / 2)
    figures = found.figures()
    assert figures["miou"]["unseen_pairs"] == 0.5
    assert figures["miou"]["clip"] is None
    assert figures["by_difficulty"]["hard"]["refined"] == 0.25


def test_blurred_truth_by_hand():
    truth = np.ones((4, 4), np.uint16)
    truth[:, 2:] = 2
    p = blurred_truth(truth, 3, grid=2)
    assert p.shape == (3, 4, 4)
    np.testing.assert_allclose(p.sum(0), 1, atol=1e-6)
    # Cells are pure; between their middles the probability falls in steps of 1/4.
    np.testing.assert_allclose(p[0, 0], [1, 0.75, 0.25, 0], atol=1e-6)
    assert (p[2] == 0).all()


def test_ignored_pixels_have_no_probability():
    truth = np.full((4, 4), 65_535, np.uint16)
    assert (blurred_truth(truth, 2, grid=2) == 0).all()


def test_every_scene_gives_all_figures():
    model = S2CLIP.load("demo", weights="random", device="cpu")
    found = Evaluation()
    for item in evaluate(model, scenes(2, size=128)):
        assert set(item.iou) == {
            "clip",
            "coarse",
            "regions",
            "refined",
            "oracle",
            "oracle_refined",
        }
        assert set(item.iou["clip"]) == set(item.scene.present())
        found.add(item)
    figures = found.figures()
    assert figures["scenes"] == 2
    assert figures["size"] == 128
    times = figures["time"]
    assert set(times) == {"encode", "classify", "regions", "refine", "total"}
    assert times["total"] == pytest.approx(sum(times.values()) - times["total"])
    assert figures["miou"]["oracle"] > 0.7


def test_comparisons_can_be_left_out():
    model = S2CLIP.load("demo", weights="random", device="cpu")
    (item,) = evaluate(model, scenes(1, size=128), compare=False)
    assert set(item.iou) == {"coarse", "regions", "refined"}
