"""The recipes run, repeat and learn; how well they learn is the demo's business."""

from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import normalize

from napari_s2clip.demo.architectures import build_clip, build_dino, build_sam
from napari_s2clip.demo.scenes import Scene
from napari_s2clip.demo.train import clip, dino, sam
from napari_s2clip.demo.train.captions import GROUPS, PARTITIONS, WORDS, captions
from napari_s2clip.demo.train.contrast import contrast, crowding, pool, share
from napari_s2clip.demo.train.crops import Crop, crop_scene, plain_scene, random_scene
from napari_s2clip.demo.train.export import known_tokens, save_clip
from napari_s2clip.demo.train.fitting import (
    WHITENING,
    Recipe,
    _is_hidden,
    fit,
    whiten,
)
from napari_s2clip.demo.vocabulary import COLOURS, SEEN_OBJECTS, SHAPES, TEXTURES

RECIPES = {"clip": (clip, 16), "dino": (dino, 12), "sam": (sam, 2)}
BUILD = {"clip": build_clip, "dino": build_dino, "sam": build_sam}


needs_muon = pytest.mark.skipif(
    not hasattr(torch.optim, "Muon"), reason="training needs torch 2.9"
)


@needs_muon
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_repeats_from_its_seed(name, tmp_path, monkeypatch):
    module, batch = RECIPES[name]
    monkeypatch.setattr(clip, "WORD_STEPS", 3)
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


def flat_scene(**areas: np.ndarray) -> Scene:
    """A grass scene of 100 px on which each object covers a window."""
    labels = np.ones((100, 100), np.uint16)
    instances = np.zeros((100, 100), np.uint16)
    for number, window in enumerate(areas.values(), 1):
        labels[window], instances[window] = number + 1, number
    names = ("grass", *(name.replace("_", " ") for name in areas))
    image = np.zeros((100, 100, 3), np.uint8)
    return Scene(image, labels, instances, names, "easy")


def test_a_whole_crop_names_all_that_is_large_enough():
    scene = flat_scene(
        red_circle=np.s_[:20, :20], blue_star=np.s_[50:55, :8], white_ring=np.s_[90, :9]
    )
    crop = crop_scene(scene, 64, np.random.default_rng(0), (1.0, 1.0))
    assert crop.image.shape == (64, 64, 3)
    assert crop.names == ("grass", "red circle")
    # 0.4 % is too little to say either; 0.09 % is not seen at all.
    assert crop.unsure == ("blue star",)


def test_half_an_object_is_seen_and_less_is_unsure():
    rng = np.random.default_rng(0)
    scene = flat_scene(red_circle=np.s_[40:60, :])
    kinds = set()
    for _ in range(60):
        crop = crop_scene(scene, 32, rng, (0.3, 0.7))
        kinds.add(("red circle" in crop.names, "red circle" in crop.unsure))
        assert not set(crop.names) & set(crop.unsure)
    assert kinds == {(True, False), (False, True), (False, False)}


def test_aimed_crops_show_an_object_or_its_colour():
    rng = np.random.default_rng(0)
    scene = flat_scene(red_circle=np.s_[70:90, 10:30])
    crops = [crop_scene(scene, 32, rng, aimed=1.0) for _ in range(60)]
    assert all(crop.colours == ("red",) for crop in crops)
    # Some show all of it, some are so far inside that no ground is left.
    assert any("red circle" in crop.names for crop in crops)
    inside = [crop for crop in crops if "grass" not in (*crop.names, *crop.unsure)]
    assert inside
    assert len(inside) < len(crops)


def test_a_crop_filled_by_a_part_of_an_object_stands_for_it():
    rng = np.random.default_rng(0)
    scene = flat_scene(red_circle=np.s_[:, :60])
    kinds = set()
    for _ in range(60):
        crop = crop_scene(scene, 32, rng, (0.3, 0.5))
        kinds.add(("red circle" in crop.unsure, bool(crop.parts)))
        assert set(crop.parts) <= set(crop.unsure)
        assert "grass" not in crop.parts
    # Part of it fills the crop, or is in a corner, or is not there.
    assert kinds == {(True, True), (True, False), (False, False)}


def test_a_plain_scene_shows_one_whole_object_and_names_no_ground():
    rng = np.random.default_rng(1)
    for _ in range(10):
        scene = plain_scene(96, rng)
        crop = crop_scene(scene, 32, rng, aimed=1, aim=(1.1, 1.9))
        assert len(crop.names) == 1
        assert crop.names[0] in SEEN_OBJECTS
        ground = scene.labels == 0
        assert np.array_equal(ground, scene.instances == 0)
        assert scene.image[ground].std(0).max() < 10


def test_whitening_makes_strong_and_weak_directions_alike():
    stem = torch.nn.Conv2d(3, 24, 2, stride=2, bias=False)
    torch.manual_seed(0)
    # All pixels of a patch share one strong value; what sets them apart is weak.
    shared = 5 * torch.randn(64, 1, 8, 8).repeat_interleave(2, 2).repeat_interleave(
        2, 3
    )
    pixels = shared + torch.randn(64, 3, 16, 16)
    whiten(stem, pixels)
    out = stem(pixels).permute(1, 0, 2, 3).flatten(1).detach()
    variance = torch.linalg.eigvalsh(out.cov())[-12:]
    assert variance.min() > 1 / (1 + 2 * WHITENING)
    assert variance.max() < 1.001


def test_cross_entropy_weighs_small_masks_by_their_area():
    logits = torch.zeros(2, 1, 32, 32)
    target = torch.zeros(2, 1, 32, 32)
    target[0, 0, :16] = 1  # half of the image: a mean over its 1024 pixels
    target[1, 0, :8, :10] = 1  # 80 pixels: the sum is divided by 320
    expected = np.log(2) * (1024 / 1024 + 1024 / 320) / 2
    assert sam._cross_entropy(logits, target) == pytest.approx(expected)


def test_truth_table_of_captions():
    rng = np.random.default_rng(0)
    image = np.zeros((8, 8, 3), np.uint8)
    crops = [
        Crop(image, ("red circle", "grass"), ("blue star",)),
        Crop(image, ("sand",), ("red star",), ("red",)),
        Crop(image, (), ("blue ring",), ("blue",), ("blue ring",)),
    ]
    texts, truth, unsure = captions(crops, rng)
    assert len(texts) == truth.shape[1] == unsure.shape[1]

    def words(table):
        single = table[:, : len(WORDS)]
        return [[w for w, t in zip(WORDS, row, strict=True) if t] for row in single]

    assert words(truth) == [
        ["red circle", "grass", "red", "circle"],
        ["sand", "red"],
        ["blue ring", "blue"],
    ]
    # Of an object that fills the crop the shape is not known.
    assert words(unsure) == [
        ["blue star", "blue", "star"],
        ["red star", "star"],
        ["ring"],
    ]
    # The composite caption of the first crop names both of its things.
    assert truth[:, -1].tolist() == [True, False, False]


def test_the_groups_of_captions_are_of_one_kind():
    kinds = [WORDS[part] for part in GROUPS]
    assert kinds == [SEEN_OBJECTS, TEXTURES, tuple(COLOURS), SHAPES]
    partitions = [tuple(WORDS[i] for i in part) for part in PARTITIONS]
    assert partitions == [
        (*kind, *TEXTURES) for kind in (SEEN_OBJECTS, tuple(COLOURS), SHAPES)
    ]


def test_contrast_by_hand():
    logits = torch.tensor([[2.0, 1.0, 0.0, 5.0]])
    truth = torch.tensor([[True, True, False, False]])
    unsure = torch.tensor([[False, False, False, True]])
    # Each true caption against the one false caption; the unsure one is left out.
    expected = (np.log1p(np.exp(-2)) + np.log1p(np.exp(-1))) / 2
    found = contrast(logits, truth, unsure, 1)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_crowding_by_hand():
    text = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    # Cosines 0.8, 0 and 0.6: one pair exceeds 0.7 by 0.1, counted both ways.
    assert crowding(text).item() == pytest.approx(2 * 0.01 / 3, rel=1e-4)


def test_pooling_lies_between_the_mean_and_the_largest():
    # One patch of four is like the caption.
    cosine = torch.tensor([1.0, 0.0, 0.0, 0.0]).view(1, 4, 1)
    by_hand = np.log((np.exp(2.0) + 3) / 4) / 2
    assert pool(cosine, 2.0).item() == pytest.approx(by_hand, rel=1e-6)
    assert pool(cosine, 1e-3).item() == pytest.approx(0.25, abs=1e-3)
    assert pool(cosine, 1e4).item() == pytest.approx(1.0, abs=1e-3)
    equal = torch.full((2, 9, 3), 0.4)
    assert torch.allclose(pool(equal), torch.full((2, 3), 0.4))


def test_shares_of_patches_by_hand():
    # Two patches, three captions; the third is unsure and gets nothing.
    logits = torch.tensor([[[0.0, 0.0, 9.0], [np.log(3.0), 0.0, 9.0]]])
    truth = torch.tensor([[True, True, False]])
    unsure = torch.tensor([[False, False, True]])
    # Shares ½ and ¾ of the first caption, ½ and ¼ of the second.
    expected = -(np.log(5 / 8) + np.log(3 / 8)) / 2
    assert share(logits, truth, unsure).item() == pytest.approx(expected, rel=1e-5)


def test_shares_are_best_where_patches_divide_themselves_between_true_captions():
    truth = torch.tensor([[True, True, False]])
    unsure = torch.zeros(1, 3, dtype=torch.bool)
    divided = torch.tensor([[[9.0, 0, 0], [0, 9.0, 0]]])
    greedy = torch.tensor([[[9.0, 0, 0], [9.0, 0, 0]]])
    false = torch.tensor([[[9.0, 0, 0], [0, 0, 9.0]]])
    losses = [share(x, truth, unsure).item() for x in (divided, greedy, false)]
    assert losses[0] == pytest.approx(np.log(2), abs=1e-2)
    assert min(losses[1:]) > 3


def test_targets_of_a_patch_are_the_mean_of_its_surroundings():
    targets = torch.zeros(1, 9, 2)
    targets[0, 0, 0] = 1.0  # the top left patch of 3 x 3
    targets[0, 1:, 1] = 1.0
    found = dino._around(targets)
    # A corner has 4 patches around it, an edge 6, the middle 9.
    expected = [1 / 4, 1 / 6, 0, 1 / 6, 1 / 9, 0, 0, 0, 0]
    assert found[0, :, 0].tolist() == pytest.approx(expected)
    assert torch.allclose(found.sum(-1), torch.ones(1, 9))


def test_words_are_told_apart_and_add_up(monkeypatch):
    monkeypatch.setattr(clip, "WORD_STEPS", 60)
    torch.manual_seed(0)
    model = build_clip()
    tokenizer = open_clip.SimpleTokenizer(context_length=24)

    def words(texts):
        return normalize(model.encode_text(tokenizer(texts)), dim=-1)

    image_tower = {k: v.clone() for k, v in model.visual.state_dict().items()}
    clip._learn_words(model, words, np.random.default_rng(0))
    with torch.no_grad():
        red, circle, grass, both = words(["red", "circle", "grass", "red circle"])
    assert abs(red @ circle) < 0.5
    assert abs(red @ grass) < 0.5
    assert both @ red > 0.5
    assert both @ circle > 0.5
    assert both @ grass < 0.4
    for key, value in model.visual.state_dict().items():
        assert torch.equal(value, image_tower[key]), key


@pytest.mark.parametrize("name", RECIPES)
def test_muon_takes_the_matrices_between_layers_and_nothing_else(name):
    hidden = {n for n, p in BUILD[name]().named_parameters() if _is_hidden(n, p)}
    assert {n for n in hidden if "mlp" in n and n.endswith("weight")}
    assert not {n for n in hidden if "norm" in n or "embed" in n or "bias" in n}
    assert not {n for n in hidden if "rel_pos" in n or "visual.proj" in n}


@needs_muon
def test_a_part_of_the_parameters_may_move_more_slowly(tmp_path):
    torch.manual_seed(0)
    layers = torch.nn.ModuleDict(
        {
            "blocks": torch.nn.ModuleList(
                [torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)]
            ),
            "fast": torch.nn.Linear(8, 8),
            "slow": torch.nn.Linear(8, 8),
        }
    )
    before = {k: v.clone() for k, v in layers.state_dict().items()}

    def loss(rng, step):
        del rng, step
        return sum(p.square().sum() for p in layers.parameters()), {}

    fit(
        "test",
        Recipe(steps=1, batch=1, learning_rate=1e-2, weight_decay=0, warmup=1),
        layers.named_parameters(),
        loss,
        lambda folder: None,
        tmp_path,
        rate=lambda name: 0.1 if name.startswith(("slow", "blocks.1")) else 1.0,
    )
    moved = {
        k: (v - before[k]).square().mean().sqrt()
        for k, v in layers.state_dict().items()
    }
    # AdamW's first step is the learning rate itself for every number.
    assert moved["fast.weight"] == pytest.approx(1e-2, rel=1e-3)
    assert moved["slow.weight"] == pytest.approx(1e-3, rel=1e-3)
    # Muon's is scaled to 0.2 of it, up to its inexact orthogonalisation.
    assert 0.1e-2 < moved["blocks.0.weight"] < 0.3e-2
    ratio = moved["blocks.1.weight"] / moved["blocks.0.weight"]
    assert ratio == pytest.approx(0.1, rel=0.3)


def test_training_names_the_torch_it_needs(tmp_path, monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(RuntimeError, match=r"torch 2\.9 or newer"):
        dino.train(tmp_path)


def test_words_never_trained_are_zero_in_the_file(tmp_path):
    model = build_clip()
    save_clip(model, tmp_path)
    table = load_file(tmp_path / "clip.safetensors")["token_embedding.weight"]
    rows = known_tokens()
    assert (table[rows].abs().sum(1) > 0).all()
    unknown = torch.ones(len(table), dtype=torch.bool)
    unknown[rows] = False
    assert (table[unknown] == 0).all()


@needs_muon
def test_training_goes_on_from_earlier_weights(tmp_path):
    recipe = replace(sam.RECIPE, steps=1, batch=1)
    sam.train(tmp_path / "first", recipe)
    still = replace(recipe, learning_rate=0.0)
    sam.train(tmp_path / "second", still, tmp_path / "first")
    first, second = (
        load_file(tmp_path / run / "sam.safetensors") for run in ("first", "second")
    )
    assert all(torch.equal(value, second[key]) for key, value in first.items())
