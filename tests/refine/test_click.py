from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.progress import Cancelled, CancelToken
from napari_s2clip.refine import refine_prompt


@pytest.fixture(scope="module")
def model():
    return S2CLIP.load("demo", device="cpu")


@pytest.fixture(scope="module")
def scene():
    return draw_scene(128, np.random.default_rng(3))


@pytest.fixture(scope="module")
def embedding(model, scene):
    return model.models.sam.encode(scene.image)


def target(scene):
    """The largest object: its mask, middle and box."""
    numbers = np.unique(scene.instances)[1:]
    number = max(numbers, key=lambda n: (scene.instances == n).sum())
    truth = scene.instances == number
    y, x = (np.median(axis) + 0.5 for axis in np.nonzero(truth))
    rows, columns = np.nonzero(truth)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return truth, (x, y), box


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_a_click_and_a_box_find_the_object(model, scene, embedding):
    truth, click, box = target(scene)
    for prompt in ({"box": box}, {"points": [click], "box": box}):
        mask, score = refine_prompt(model.models.sam, embedding, **prompt)
        assert mask.dtype == bool
        assert mask.shape == truth.shape
        assert iou(mask, truth) > 0.8
        assert 0 < score <= 1.1


def test_it_is_the_decoder_at_full_size(model, scene, embedding):
    _, click, box = target(scene)
    sam = model.models.sam
    mask, score = refine_prompt(
        sam, embedding, points=[click, (1, 1)], labels=[1, 0], box=box
    )
    logits, iou = sam.decode(
        embedding,
        boxes=np.array([box]),
        points=np.array([[click, (1, 1)]]),
        point_labels=np.array([[1, 0]]),
    )
    np.testing.assert_array_equal(mask, sam.resizer(embedding).full(logits)[0] > 0)
    assert score == pytest.approx(float(iou[0]))


def test_a_mask_is_a_prompt_too(model, scene, embedding):
    truth, click, _ = target(scene)
    sam = model.models.sam
    alone, _ = refine_prompt(sam, embedding, mask=truth)
    assert alone.shape == truth.shape
    _, with_mask = refine_prompt(sam, embedding, points=[click], mask=truth)
    _, without = refine_prompt(sam, embedding, points=[click])
    assert with_mask != without


def test_the_image_is_not_encoded_again(model, scene, monkeypatch):
    _, click, _ = target(scene)
    features = model.encode(scene.image)
    monkeypatch.setattr(model.models.sam.sam.image_encoder, "forward", None)
    mask, score = model.refine_prompt(features, points=[click])
    expected = refine_prompt(model.models.sam, features.sam, points=[click])
    np.testing.assert_array_equal(mask, expected[0])
    assert score == expected[1]


def test_features_without_sam_get_it_on_the_first_click(model, scene):
    features = model.encode(scene.image, settings=Settings(refine=False))
    assert features.sam is None
    _, click, _ = target(scene)
    steps, token = [], CancelToken()
    mask, _ = model.refine_prompt(features, points=[click], progress=steps.append)
    assert features.sam is not None
    messages = [step.message for step in steps]
    assert messages == ["SAM image embedding", "SAM decoder", ""]
    assert steps[-1].done == steps[-1].total
    # An image will do.
    direct, _ = model.refine_prompt(scene.image, points=[click])
    np.testing.assert_array_equal(direct, mask)
    features.sam = None
    token.cancel()
    with pytest.raises(Cancelled):
        model.refine_prompt(features, points=[click], cancel=token)
    assert features.sam is None


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "give at least one"),
        ({"points": [1, 2]}, r"points has the shape \(2,\)"),
        ({"points": []}, r"points has the shape \(0,\)"),
        ({"points": [(1, 2, 3)]}, r"points has the shape \(1, 3\)"),
        (
            {"points": [(129, 2)]},
            "reaches outside the image; give x from 0 to 128",
        ),
        ({"points": [(1, -1)]}, "points reaches outside"),
        ({"points": [(1, np.nan)]}, "points reaches outside"),
        ({"points": [(1, 2)], "labels": [1, 0]}, r"labels has the shape \(2,\)"),
        ({"labels": [1]}, r"labels has the shape \(1,\)"),
        ({"points": [(1, 2)], "labels": [2]}, "give 1 for inside and 0 for outside"),
        ({"box": (1, 2, 3)}, r"box has the shape \(3,\)"),
        ({"box": (5, 5, 5, 9)}, "give x_min < x_max"),
        ({"box": (0, 0, 5, 500)}, "box reaches outside"),
        ({"points": [("a", "b")]}, "points: give an array of numbers"),
        ({"box": (1, None, 3, {})}, "box: give an array of numbers"),
        ({"mask": np.ones((3, 4), bool)}, r"mask has the shape \(3, 4\)"),
        ({"mask": [[True]]}, r"mask has the shape \(1, 1\)"),
        ({"mask": np.zeros((128, 128), bool)}, "mask is empty; give at least one"),
        ({"mask": np.full((128, 128), np.nan)}, "mask has other values than 0 and 1"),
        ({"mask": np.full((128, 128), 255)}, "mask has other values than 0 and 1"),
        ({"mask": np.full((128, 128), -3.5)}, "mask has other values than 0 and 1"),
    ],
)
def test_bad_prompts_are_refused(model, embedding, prompt, message):
    with pytest.raises(ValueError, match=message):
        refine_prompt(model.models.sam, embedding, **prompt)


def test_a_mask_of_zeros_and_ones_is_one_of_bool(model, scene, embedding):
    truth, click, _ = target(scene)
    sam = model.models.sam
    expected = refine_prompt(sam, embedding, mask=truth)
    for other in (truth.astype(np.uint8), truth.astype(float), truth.tolist()):
        found = refine_prompt(sam, embedding, mask=other)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1] == expected[1]
    # Nothing yet, but a click.
    refine_prompt(sam, embedding, points=[click], mask=np.zeros_like(truth))


def test_other_objects_are_refused(model, scene, embedding):
    sam, points = model.models.sam, [(3, 3)]
    with pytest.raises(ValueError, match="sam: give what load_sam makes, not Sam"):
        refine_prompt(sam.sam, embedding, points=points)
    with pytest.raises(ValueError, match=r"embedding: give sam\.encode.*, not ndarray"):
        refine_prompt(sam, scene.image, points=points)
    with pytest.raises(ValueError, match="image"):
        model.refine_prompt(embedding, points=points)


def test_features_of_other_models_are_refused(model, scene):
    features = model.encode(scene.image, settings=Settings(refine=False))
    features.model = {**features.model, "sam": {"title": "another"}}
    with pytest.raises(ValueError, match="image: these features come from other"):
        model.refine_prompt(features, points=[(3, 3)])
    assert features.sam is None


def test_an_embedding_of_another_sam_is_refused(model, embedding):
    other = replace(embedding, features=torch.zeros(1, 32, 3, 5))
    with pytest.raises(ValueError, match=r"embedding: .* \(32, 3, 5\), .*; encode"):
        refine_prompt(model.models.sam, other, points=[(3, 3)])


def test_nothing_found_is_an_empty_mask(model, embedding, monkeypatch):
    sam = model.models.sam
    empty = torch.full((1, *sam.sam.prompt_encoder.mask_input_size), -5.0)
    monkeypatch.setattr(sam, "decode", lambda *a, **k: (empty, torch.tensor([0.1])))
    mask, score = refine_prompt(sam, embedding, points=[(3, 3)])
    assert not mask.any()
    assert score == pytest.approx(0.1)
