"""Any plain ViT of open_clip, by its name."""

import gc
from dataclasses import replace
from unittest.mock import ANY

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIPVisionCfg, _build_vision_tower
from open_clip.transformer import VisionTransformer
from torch import nn

from napari_s2clip import S2CLIP
from napari_s2clip.models.clip import ClipModel, normalise_pixels
from napari_s2clip.models.errors import WeightsNotFound
from napari_s2clip.models.find import find_spec
from napari_s2clip.models.plain_vit import check_tower, find_clip, why_unfit
from napari_s2clip.models.specs import SPECS

CPU = torch.device("cpu")
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

PLAIN = {
    *("ViT-S-16", "ViT-M-16-alt", "ViT-M-32", "ViT-B-16", "ViT-B-16-quickgelu"),
    *("ViT-B-16-plus-240", "ViT-B-32", "ViT-B-32-256", "ViT-L-14", "ViT-L-14-336"),
    *("ViT-L-16-320", "ViT-H-14", "ViT-H-14-378-quickgelu", "ViT-g-14", "ViT-bigG-14"),
}

UNFIT = {
    "RN50": "a ResNet",
    "RN50x64-quickgelu": "a ResNet",
    "convnext_base": "convnext_base of timm",
    "EVA02-B-16": "eva02_base_patch16_clip_224 of timm",
    "ViT-B-16-SigLIP": "vit_base_patch16_siglip_224 of timm",
    "MobileCLIP-S1": "of timm",
    "coca_ViT-B-32": "attentional pooling",
    "coca_base": "a CoCa model",
    "ViT-L-14-CLIPA": "a mean of the patches",
    "roberta-ViT-B-32": "text tower",
    "nllb-clip-base": "text tower",
}


def random_tower(name: str) -> VisionTransformer:
    """An image tower alone, with weights that keep signals at a sane size."""
    config = open_clip.get_model_config(name)
    quick = config.get("quick_gelu", False)
    with torch.device("meta"):
        tower = _build_vision_tower(config["embed_dim"], config["vision_cfg"], quick)
    tower = tower.to_empty(device="cpu").requires_grad_(False).eval()
    random = torch.Generator().manual_seed(0)
    for key, value in tower.named_parameters():
        if value.ndim > 1:
            value.normal_(0, value[0].numel() ** -0.5, generator=random)
        else:
            value.fill_(float(key.endswith("weight")))
    tower.class_embedding.normal_(generator=random)
    return tower


def alone(tower: nn.Module) -> ClipModel:
    model = nn.Module()
    model.visual = tower
    return ClipModel(model, lambda texts: torch.zeros(0), CPU, MEAN, STD)


@pytest.mark.parametrize("name", open_clip.list_models())
def test_every_configuration_is_accepted_or_refused(name):
    config = open_clip.get_model_config(name)
    reason = why_unfit(config)
    if reason is not None:
        assert name not in PLAIN
        with pytest.raises(ValueError, match=rf"^spec: open_clip's {name} cannot be"):
            find_spec(name)
        return
    assert name not in UNFIT
    assert find_spec(name).clip.architecture == name
    # What was accepted is what the code needs.
    with torch.device("meta"):
        tower = _build_vision_tower(config["embed_dim"], config["vision_cfg"])
    assert type(tower) is VisionTransformer
    assert tower.pool_type == "tok"
    check_tower(tower)
    for block in tower.transformer.resblocks:
        assert isinstance(block.attn, nn.MultiheadAttention)


@pytest.mark.parametrize(("name", "reason"), UNFIT.items())
def test_the_reason_is_named(name, reason):
    with pytest.raises(ValueError, match=f"{name} cannot be used, because .*{reason}"):
        find_spec(name)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"qk_norm": True}, "option qk_norm"),
        ({"scale_fc": True, "scale_heads": True}, "option scale_fc, scale_heads"),
        ({"block_type": "custom"}, "attention of their own"),
        ({"pool_type": "avg"}, "mean of the patches"),
        ({"pool_type": "none"}, "mean of the patches"),
        ({"attentional_pool": "parallel"}, "attentional pooling"),
        ({"patch_size": (16, 8)}, "16 × 8 px are not square"),
        ({"registers": 4}, "option registers"),
        ({"block_type": "default", "qk_norm": False}, None),
        ({"patch_size": (16, 16), "image_size": (224, 448)}, None),
        (dict.fromkeys(("no_ln_pre", "final_ln_after_pool"), True), None),
        ({"patch_dropout": 0.5, "ls_init_value": 1e-5}, None),
        ({"pos_embed_type": "sin_cos_2d", "output_tokens": True}, None),
        ({"norm_kwargs": {"eps": 1e-6}, "attn_pooler_queries": 256}, None),
    ],
)
def test_options_of_the_image_tower(option, reason):
    config = open_clip.get_model_config("ViT-B-16")
    config["vision_cfg"] |= option
    found = why_unfit(config)
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize(
    "option",
    [
        {"no_ln_pre": True},
        {"ls_init_value": 0.1},
        {"patch_dropout": 0.5},
        {"pos_embed_type": "sin_cos_2d"},
        {"final_ln_after_pool": True},
        {"image_size": (16, 48)},
        {"norm_kwargs": {"eps": 1e-2}},
    ],
    ids=lambda option: next(iter(option)),
)
def test_accepted_options_give_the_library_output(option):
    torch.manual_seed(0)
    size = {"image_size": 32, "patch_size": 8, "width": 128, "layers": 3} | option
    tower = _build_vision_tower(64, CLIPVisionCfg(**size))
    height, width = tower.image_size
    windows = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    clip = alone(tower)
    ours = clip.project(clip.last_block(clip.hidden_states(windows).states[-1]))
    pixels = normalise_pixels(windows, MEAN, STD, CPU)
    with torch.inference_mode():
        assert torch.allclose(ours[:, 0], tower(pixels), atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "ViT-B-16-quickgelu",
        "ViT-L-14-quickgelu",
        "ViT-H-14",
        "ViT-B-32",
        "ViT-B-16-plus-240",
    ],
)
def test_real_sizes_equal_the_tower_of_the_library(name):
    tower = random_tower(name)
    clip = alone(tower)
    side = tower.image_size[0]
    windows = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
    last = clip.last_block(clip.hidden_states(windows).states[-1])
    pixels = normalise_pixels(windows, MEAN, STD, CPU)
    tower.output_tokens = True
    with torch.inference_mode():
        vector, tokens = tower(pixels)
        ours = clip.project(last)
        assert torch.allclose(ours[:, 0], vector, atol=1e-5)
        assert torch.allclose(tower.ln_post(last)[:, 1:], tokens, atol=1e-5)
        assert torch.allclose(ours[:, 1:], tokens @ tower.proj, atol=1e-5)
    # The largest takes 2.5 GB.
    del clip, tower, last, tokens
    gc.collect()


@pytest.mark.parametrize("name", ["proj", "class_embedding"])
def test_a_tower_that_was_cut_is_refused(name):
    tower = _build_vision_tower(
        64, CLIPVisionCfg(image_size=16, patch_size=8, width=64, layers=2)
    )
    setattr(tower, name, None)
    with pytest.raises(ValueError, match=f"VisionTransformer has no {name}; choose a"):
        alone(tower)


def test_a_tower_with_attentional_pooling_is_refused():
    cfg = CLIPVisionCfg(image_size=16, patch_size=8, width=64, layers=2)
    cfg.attentional_pool = True
    with pytest.raises(ValueError, match="attentional pooling; choose a plain ViT"):
        alone(_build_vision_tower(64, cfg))


def test_a_specification_is_made_for_a_name():
    spec = find_spec("ViT-B-16-plus-240")
    assert (spec.name, spec.title) == (
        "ViT-B-16-plus-240",
        "OpenCLIP ViT-B-16-plus-240",
    )
    assert spec.clip.folder == "open_clip--ViT-B-16-plus-240"
    assert spec.clip.filename == "open_clip_model.safetensors"
    assert (spec.vfm, spec.sam) == (SPECS["vit-b-16"].vfm, SPECS["vit-b-16"].sam)


@pytest.mark.parametrize("name", ["ViT-b-32", "vit-b-32", "hf-hub:a/b", "local-dir:x"])
def test_a_name_that_open_clip_does_not_list_is_unknown(name):
    assert find_clip(name) is None
    with pytest.raises(
        ValueError, match=r"demo, fast, .*, or the name of an open_clip ViT such"
    ):
        find_spec(name)


def test_a_missing_weight_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path))
    with pytest.raises(WeightsNotFound, match="OpenCLIP ViT-S-32 is not on this"):
        S2CLIP.load("ViT-S-32")


def test_a_clip_by_name_segments():
    """From the name to labels, with tiny models in the place of DINO and SAM."""
    spec = replace(
        find_spec("ViT-S-32-alt"),
        vfm=SPECS["demo"].vfm,
        sam=SPECS["demo"].sam,
        short_side=96,
        window=96,
    )
    model = S2CLIP.load(spec, device="cpu", weights="random")
    assert model.models.origin["clip"] == {
        "title": "OpenCLIP ViT-S-32-alt",
        "architecture": "ViT-S-32-alt",
        "file": "random weights",
        "sha256": "",
        "package": "",
        "precision": ANY,
    }
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    result = model.segment(image, ["cat", "dog"])
    assert result.refined.shape == (40, 60)
