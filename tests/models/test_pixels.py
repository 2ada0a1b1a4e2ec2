import json
import logging

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_s2clip.demo.architectures import build_clip
from napari_s2clip.models.load import load_models
from napari_s2clip.models.pixels import clip_statistics
from napari_s2clip.models.plain_vit import find_clip
from napari_s2clip.models.specs import SPECS

OPENAI = (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "open_clip_model.safetensors"
    save_file(build_clip().state_dict(), path)
    return path


def describe(weights, **preprocess):
    text = json.dumps({"model_cfg": {}, "preprocess_cfg": preprocess})
    weights.with_name("open_clip_config.json").write_text(text)


def test_the_description_beside_the_weights_counts(weights):
    describe(weights, mean=[0.5, 0.4, 0.3], std=[0.2, 0.25, 0.3])
    models = load_models(SPECS["demo"], torch.device("cpu"), {"clip": weights})
    plain = load_models(SPECS["demo"], torch.device("cpu"), "random")
    assert (models.clip.mean, models.clip.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    assert (plain.clip.mean, plain.clip.std) == OPENAI


def test_what_open_clip_has_put_on_the_tower_comes_next():
    visual = nn.Module()
    visual.image_mean, visual.image_std = [0.5] * 3, [0.4] * 3
    found = clip_statistics(SPECS["vit-b-16"].clip, visual, None)
    assert found == ((0.5, 0.5, 0.5), (0.4, 0.4, 0.4))
    assert clip_statistics(SPECS["vit-b-16"].clip, nn.Module(), None) == OPENAI


@pytest.mark.parametrize(
    "preprocess", [{}, {"mean": [1, 2], "std": [1, 2]}, {"mean": 1, "std": "x"}]
)
def test_a_description_without_numbers_is_refused(weights, preprocess):
    describe(weights, **preprocess)
    with pytest.raises(
        ValueError, match=r"weights\['clip'\]: .*config.json does not tell mean"
    ):
        clip_statistics(SPECS["demo"].clip, nn.Module(), weights)


def test_a_name_whose_weights_differ_in_this_is_pointed_out(weights, caplog):
    part = find_clip("ViT-L-14")
    with caplog.at_level(logging.WARNING):
        assert clip_statistics(part, nn.Module(), weights) == OPENAI
    assert "put open_clip_config.json beside open_clip_model.safetens" in caplog.text
    caplog.clear()
    describe(weights, mean=[0.5] * 3, std=[0.5] * 3)
    clip_statistics(part, nn.Module(), weights)
    clip_statistics(SPECS["vit-l-14"].clip, nn.Module(), weights)
    assert not caplog.text
