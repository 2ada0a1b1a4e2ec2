from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.methods import METHODS
from napari_s2clip.models.specs import SPECS
from napari_s2clip.progress import STAGES
from napari_s2clip.settings import Settings
from napari_s2clip.settings.explain import describe_values


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
    with pytest.raises(ValueError, match=r"^logit_scale: settings cannot be changed"):
        Settings().logit_scale = 3


BLOCK = "the number of a block of CLIP (0 to 10 for ViT-B/16)"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"logit_scal": 3}, "logit_scal: there is no such setting; choose one of met"),
        ({"logit_scale": 0}, "logit_scale: 0 is not above 0 and at most 1000"),
        ({"logit_scale": float("nan")}, "logit_scale: nan is not above 0 and at mos"),
        ({"logit_scale": float("inf")}, "logit_scale: inf is not above 0 and at mos"),
        ({"logit_scale": "big"}, "logit_scale: 'big' is not a number above 0 and at"),
        ({"coarse_threshold": 1.01}, "coarse_threshold: 1.01 is not between 0 and 1"),
        ({"coarse_threshold": "nan"}, "coarse_threshold: nan is not between 0 and 1"),
        ({"min_region_area": 0}, "min_region_area: 0 is not at least 1"),
        ({"min_region_area": 2.5}, "min_region_area: 2.5 is not a whole number, at "),
        ({"window": 8}, "window: 8 is not between 16 and 4096"),
        ({"stride": "abc"}, "stride: 'abc' is not a whole number between 1 and 4096"),
        ({"levels": "all"}, f"levels: 'all' is not a list, each {BLOCK}"),
        ({"levels": (-1,)}, f"levels: -1 is not {BLOCK}"),
        ({"levels": ("a",)}, f"levels: 'a' is not {BLOCK}"),
        ({"mid_layer": -1}, f"mid_layer: -1 is not {BLOCK}"),
        ({"attention": ()}, "attention: give one or more, each one of identity, qk, "),
        ({"attention": ("xx",)}, "attention: 'xx' is not one of identity, qk, qq, k"),
        ({"level_weights": "gini"}, "level_weights: 'gini' is not one of uniform, e"),
        ({"mid_share": 1.5}, "mid_share: 1.5 is not between 0 and 1"),
        ({"neighbourhood": -1}, "neighbourhood: -1 is not between 0 and 100"),
        ({"residual": "so"}, "residual: 'so' is not true or false"),
        ({"variant": "x"}, "variant: 'x' is not one of paper, code"),
        ({"method": "magic"}, "method: no method 'magic'; choose one of s2clip, clip"),
        ({"method": 3}, "method: 3 is not one of s2clip, clip, maskclip"),
        (
            {"window": 96, "stride": 97},
            "stride: 97 px is larger than window (96 px); choose 1 to 96, or a larger",
        ),
        (
            {"prompt_box": False, "prompt_point": False},
            "prompt_box, prompt_point: both are off; SAM needs one of them",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name_in_one_line(values, message):
    for make in (
        lambda: Settings(**values),
        lambda: Settings.model_validate(values),
        lambda: Settings.model_validate_json(json.dumps(values)),
    ):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            make()
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_methods_are_found_as_people_write_them(method):
    for name in (method.title, method.name.upper(), f" {method.name}"):
        assert Settings(method=name).method == method.name


def test_what_is_no_settings_is_one_line_too():
    with pytest.raises(ValueError, match=r"^settings: Invalid JSON.*$"):
        Settings.model_validate_json("{")
    with pytest.raises(ValueError, match=r"^somewhere: settings cannot be changed"):
        Settings().somewhere = 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("window", "a whole number between 16 and 4096, or none"),
        ("min_region_area", "a whole number, at least 1"),
        ("logit_scale", "a number above 0 and at most 1000, or none"),
        ("positions", "one of bicubic, offset, antialias, bilinear"),
        ("repair_outliers", "true or false, or none"),
        ("attention", "a list, each one of identity, qk, qq, kk, vv, or none"),
        ("levels", f"a list, each {BLOCK}, or none"),
    ],
)
def test_what_a_setting_may_be_is_said_in_words(name, words):
    assert describe_values(Settings.model_fields[name]) == words


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_words_for_its_values(name):
    assert describe_values(Settings.model_fields[name])


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
