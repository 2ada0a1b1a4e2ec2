import re

import pytest
import torch

from napari_s2clip import Settings
from napari_s2clip.completion import check_settings, complete_settings, take_settings
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS


@pytest.fixture(scope="module")
def clip():
    return load_models(SPECS["demo"], torch.device("cpu"), "random").clip


@pytest.mark.parametrize(
    ("method", "scale"), [("s2clip", 40), ("clearclip", 50), ("cliper", 100)]
)
def test_the_logit_scale_is_the_methods(method, scale):
    settings = complete_settings(SPECS["vit-b-16"], Settings(method=method))
    assert settings.logit_scale == scale
    given = complete_settings(SPECS["demo"], Settings(method=method, logit_scale=7))
    assert given.logit_scale == 7


def test_completing_twice_changes_nothing():
    once = complete_settings(SPECS["demo"], Settings(window=24))
    assert complete_settings(SPECS["demo"], once) == once


def test_a_stride_that_is_not_given_fits_the_window():
    assert complete_settings(SPECS["vit-b-16"], Settings(window=64)).stride == 64
    with pytest.raises(ValueError, match=r"^stride: 400 px is larger than window"):
        complete_settings(SPECS["vit-b-16"], Settings(stride=400))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"levels": (5,)}, "levels: block 5 is not between 0 and 4"),
        ({"mid_layer": 5}, "mid_layer: block 5 is not between 0 and 4"),
    ],
)
def test_what_this_clip_cannot_do_is_refused(clip, values, message):
    settings = complete_settings(SPECS["demo"], Settings(**values))
    with pytest.raises(ValueError, match=re.escape(message)):
        check_settings(settings, clip)


@pytest.mark.parametrize("field", ["window", "short_side"])
def test_nothing_is_smaller_than_a_patch(clip, field, monkeypatch):
    monkeypatch.setattr(type(clip), "patch_size", 32)
    settings = complete_settings(SPECS["demo"], Settings(**{field: 16}))
    with pytest.raises(ValueError, match=f"{field}: 16 px.*choose 32 to 4096"):
        check_settings(settings, clip)


@pytest.mark.parametrize("given", [{}, {"method": "clip"}, "clip"])
def test_only_settings_are_settings(given):
    kind = type(given).__name__
    with pytest.raises(ValueError, match=rf"^settings: give Settings\(…\), not {kind}"):
        take_settings(given)


def test_the_defaults_stand_for_no_settings():
    assert take_settings(None) == Settings()
