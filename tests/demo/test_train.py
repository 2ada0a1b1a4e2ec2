"""The recipes run, repeat and learn; how well they learn is the demo's business."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from napari_s2clip.demo.architectures import build_clip, build_dino, build_sam
from napari_s2clip.demo.train import clip, dino, sam
from napari_s2clip.demo.train.common import crop_scene, random_scene
from napari_s2clip.demo.train.export import known_tokens, save_clip
from napari_s2clip.demo.vocabulary import SEEN_OBJECTS, TEXTURES

RECIPES = {"clip": (clip, 16), "dino": (dino, 12), "sam": (sam, 2)}
BUILD = {"clip": build_clip, "dino": build_dino, "sam": build_sam}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_repeats_from_its_seed(name, tmp_path):
    module, batch = RECIPES[name]
    recipe = replace(module.RECIPE, steps=2, batch=batch)
    states = []
    for run in ("a", "b"):
        module.train(tmp_path / run, recipe)
        states.append(load_file(tmp_path / run / f"{name}.safetensors"))
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key
    model = BUILD[name]()
    model.load_state_dict({k: v.float() for k, v in states[0].items()})


def test_training_never_shows_an_unseen_pair():
    rng = np.random.default_rng(0)
    names = {n for _ in range(30) for n in random_scene(128, rng).names}
    assert names <= {*SEEN_OBJECTS, *TEXTURES}


def test_a_crop_names_what_it_shows():
    rng = np.random.default_rng(1)
    scene = random_scene(128, rng)
    image, names = crop_scene(scene, 64, rng, (1.0, 1.0))
    assert image.shape == (64, 64, 3)
    counts = np.bincount(scene.labels.ravel(), minlength=len(scene.names) + 1)[1:]
    expected = [
        n for n, c in zip(scene.names, counts, strict=True) if c >= 0.02 * 128 * 128
    ]
    assert list(names) == expected


def test_truth_table_of_captions():
    rng = np.random.default_rng(0)
    crops = [("red circle", "grass"), ("sand",)]
    texts, truth = clip._captions(crops, rng)
    assert len(texts) == truth.shape[1]
    words = [*SEEN_OBJECTS, *TEXTURES, "red", "green"]
    single = truth[:, : len(words)]
    positives = [[w for w, t in zip(words, row, strict=True) if t] for row in single]
    assert positives == [["red circle", "grass", "red"], ["sand"]]
    # The composite caption of the first crop names both of its things.
    assert truth[:, -1].tolist() == [True, False]


def test_words_never_trained_are_zero_in_the_file(tmp_path):
    model = build_clip()
    save_clip(model, tmp_path)
    table = load_file(tmp_path / "clip.safetensors")["token_embedding.weight"]
    rows = known_tokens()
    assert (table[rows].abs().sum(1) > 0).all()
    unknown = torch.ones(len(table), dtype=torch.bool)
    unknown[rows] = False
    assert (table[unknown] == 0).all()
