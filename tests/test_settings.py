from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_s2clip.models.specs import SPECS
from napari_s2clip.progress import STAGES
from napari_s2clip.settings import Settings


def test_defaults_are_valid_and_those_of_the_method():
    settings = Settings()
    assert Settings.model_validate(settings.model_dump()) == settings
    # METHOD: free vocabularies.
    assert settings.probability_threshold == 0
    assert settings.coarse_threshold == 0.2
    assert settings.iou_threshold == 0.8
    assert settings.min_region_area == 225
    assert settings.proxy_beta == 1.2
    # These are the model's to choose.
    assert settings.short_side is settings.window is settings.stride is None
    assert settings.levels is settings.mid_layer is None
    assert settings.level_weights == "uniform"
    # And this the method's.
    assert settings.logit_scale is None
    real = SPECS["vit-b-16"].complete(settings)
    assert (real.short_side, real.window, real.stride) == (448, 336, 112)
    assert (real.smoothing_threshold, real.cls_weight) == (0.4, 0.3)
    assert (real.repair_outliers, real.proxy_gamma) == (True, 3)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_field_says_what_it_is_and_where_it_comes_from(name):
    field = Settings.model_fields[name]
    assert field.title
    assert field.json_schema_extra["stage"] in STAGES
    assert isinstance(field.json_schema_extra["unit"], str)
    source = re.compile(r"\b(seed|public configuration|inferred)\b", re.IGNORECASE)
    assert source.search(field.description.split(". ")[-1])
    assert field.description.endswith(".")


def test_stages_share_out_the_fields():
    settings = Settings()
    parts = [settings.of_stage(stage) for stage in STAGES]
    names = [name for part in parts for name in part]
    assert sorted(names) == sorted(Settings.model_fields)
    assert settings.of_stage("load") == {}
    assert settings.of_stage("regions") == {
        "coarse_threshold": 0.2,
        "min_region_area": 225,
        "connected_components": True,
    }


def test_settings_go_through_json():
    settings = Settings(levels=(1, 2), window=96, stride=48, refine=False)
    text = json.dumps(settings.model_dump(mode="json"))
    assert Settings.model_validate_json(text) == settings
    assert hash(Settings.model_validate_json(text)) == hash(settings)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().logit_scale = 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"logit_scal": 3}, "logit_scal\n.*not permitted"),
        ({"logit_scale": 0}, "logit_scale"),
        ({"logit_scale": float("nan")}, "logit_scale"),
        ({"logit_scale": float("inf")}, "logit_scale"),
        ({"coarse_threshold": 1.01}, "coarse_threshold"),
        ({"coarse_threshold": float("nan")}, "coarse_threshold"),
        ({"min_region_area": 0}, "min_region_area"),
        ({"min_region_area": 2.5}, "min_region_area"),
        ({"window": 8}, "window"),
        ({"levels": "all"}, "levels"),
        ({"levels": (-1,)}, "levels"),
        ({"attention": ()}, "attention\n.*at least 1 item"),
        ({"attention": ("xx",)}, "attention"),
        ({"level_weights": "gini"}, "level_weights\n.*'entropy-'"),
        ({"mid_share": 1.5}, "mid_share\n.*less than or equal to 1"),
        ({"neighbourhood": -1}, "neighbourhood"),
        ({"positions": "nearest"}, "positions"),
        ({"variant": "x"}, "variant"),
        ({"method": "magic"}, "'s2clip', 'clip', 'maskclip'.*'trident'"),
        ({"window": 96, "stride": 97}, r"stride \(97 px\) is larger than window"),
        ({"prompt_box": False, "prompt_point": False}, "SAM needs one of them"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(values, message):
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        Settings(**values)


def test_prompts_do_not_matter_without_refinement():
    Settings(refine=False, prompt_box=False, prompt_point=False)
    Settings(window=96, stride=96)
    Settings(levels=())


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10_000))
def test_all_thresholds_in_range_are_accepted(coarse, iou, area):
    settings = Settings(
        coarse_threshold=coarse, iou_threshold=iou, min_region_area=area
    )
    assert settings.of_stage("refine")["iou_threshold"] == iou
