"""What acts on which method, held against what the methods really do."""

import json

import numpy as np
import pytest

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.completion import complete_settings
from napari_s2clip.dense import window_features
from napari_s2clip.method_settings import SHARED, for_method, takes
from napari_s2clip.methods import METHODS
from napari_s2clip.models.specs import SPECS

OTHER = {
    "variant": "code",
    "levels": (0, 2),
    "level_weights": "entropy+",
    "mid_layer": 0,
    "mid_share": 0.1,
    "smoothing_threshold": 0.99,
    "cls_weight": 0.7,
    "repair_outliers": True,
    "attention": ("qk", "vv"),
    "residual": ...,  # the other way round than the method
    "neighbourhood": 1.0,
    "feed_forward": ...,
    "proxy": False,
    "proxy_beta": 1.0,
    "proxy_gamma": 5.0,
    "cross_scale": 5.0,
    "cross_share": 0.9,
    "sam_factor": 0.2,
    "sam_negative": False,
    "feature_surgery": False,
    "feedback": False,
    "feedback_scale": 9.0,
    "feedback_share": 0.1,
    "feedback_threshold": 0.999,
}


@pytest.fixture(scope="module")
def model():
    return S2CLIP.load("demo", device="cpu", weights="random")


@pytest.fixture(scope="module")
def trained():
    return S2CLIP.load("demo", device="cpu")


@pytest.fixture(scope="module")
def image():
    plain, noise = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), np.uint8)
    return np.hstack([plain // 8, noise])


def test_the_table_names_settings_once():
    names = [name for names, _ in SHARED for name in names]
    assert sorted(names) == sorted(OTHER)
    assert set(names) <= set(Settings.model_fields)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_taken_changes_the_result_and_nothing_else_does(
    model, trained, image, method, monkeypatch
):
    # Feedback has something to do where a first pass predicts more than one class.
    model = trained if METHODS[method].scoring == "feedback" else model
    monkeypatch.setattr("napari_s2clip.completion.refuse_foreign", lambda *_: None)
    # Random weights and an image of two kinds: every part has something to do.
    shape = {"short_side": 64, "stride": 32, "proxy_gamma": 3.0, "logit_scale": 10}
    plain = Settings(method=method, refine=False, **shape)
    sam = model.models.sam.encode_with_attention(image)
    monkeypatch.setattr(model.models.sam, "encode_with_attention", lambda _: sam)

    def run(**change):
        settings = plain.model_copy(update=change)
        features = model.encode(image, settings=settings)
        return model.segment(features, ["red circle", "grass"]).probabilities

    base = run()
    acts = set()
    for name, value in OTHER.items():
        if value is ...:
            value = not getattr(METHODS[method], name)
        found = run(**{name: value})
        if found.shape != base.shape or np.abs(found - base).max() > 1e-6:
            acts.add(name)
    assert acts == {name for name in OTHER if takes(plain, name)}


@pytest.mark.parametrize(
    ("method", "values", "message"),
    [
        (
            "clip",
            {"levels": (3,)},
            "levels: the method clip has no such setting; .*choose s2clip or sc-clip",
        ),
        ("gem", {"feed_forward": True}, "feed_forward: .* gem .*or choose another"),
        ("cliper", {"attention": ("qq",)}, "attention: .* cliper "),
        ("cliper", {"residual": False}, "residual: "),
        ("naclip", {"proxy": False}, "proxy: .*choose s2clip, proxyclip or trident"),
        ("s2clip", {"sam_factor": 1.0}, "sam_factor: .* or choose trident"),
        ("s2clip", {"variant": "code"}, "variant: .*resclip, cliper or trident"),
        ("maskclip", {"neighbourhood": 3}, "neighbourhood: the method maskclip"),
        (
            "naclip",
            {"neighbourhood": 3, "attention": ("qk",)},
            "neighbourhood: the given attention has no part on which it acts",
        ),
    ],
)
def test_what_does_not_act_on_the_method_is_refused(method, values, message):
    settings = Settings(method=method, **values)
    with pytest.raises(ValueError, match=f"^{message}"):
        complete_settings(SPECS["demo"], settings)


def test_a_given_attention_may_bring_what_the_method_has_not():
    given = {"attention": ("kk",), "neighbourhood": 3}
    complete_settings(SPECS["demo"], Settings(method="maskclip", **given))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spec", ["demo", "vit-b-16"])
def test_complete_settings_pass_again_everywhere(method, spec):
    settings = complete_settings(SPECS[spec], Settings(method=method))
    read_back = Settings(**json.loads(settings.model_dump_json()))
    assert complete_settings(SPECS[spec], read_back) == settings
    # What the specifications recommend differs, and is open where it does not act.
    complete_settings(SPECS["vit-l-14"], read_back)
    if not takes(settings, "cls_weight"):
        complete_settings(SPECS["demo"], read_back)
        assert settings.cls_weight is settings.repair_outliers is None
    # The same for another method, as long as they are this specification's.
    every = complete_settings(SPECS[spec], Settings())
    complete_settings(SPECS[spec], every.model_copy(update={"method": method}))


def test_settings_of_one_method_for_another():
    given = Settings(levels=(1,), proxy_beta=0.5, window=48, logit_scale=7)
    assert for_method(given, "clip") == Settings(
        method="clip", window=48, logit_scale=7
    )
    assert for_method(given, "proxyclip").proxy_beta == 0.5


def test_a_window_and_an_image_are_checked_before_anything_runs(model, image):
    settings = Settings(method="clip", levels=(1,))
    with pytest.raises(ValueError, match="levels: the method clip"):
        model.encode(image, settings=settings)
    with pytest.raises(ValueError, match="levels: the method clip"):
        window_features(
            model.models.clip, image, "clip", settings=Settings(levels=(1,))
        )
