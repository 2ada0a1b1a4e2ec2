"""Live segmentation is `S2CLIP.segment` with a memory, so the two must agree."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_s2clip
from napari_s2clip import (
    S2CLIP,
    Cancelled,
    CancelToken,
    ClassEntry,
    ClassSet,
    LiveSegmentation,
    Settings,
)
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.recall import Memory, size_in_memory

MAPS = ("coarse", "regions", "refined", "owners", "probabilities")


@pytest.fixture(scope="module")
def model():
    return S2CLIP.load("demo", device="cpu")


@pytest.fixture(scope="module")
def image():
    scene = draw_scene(160, np.random.default_rng(2), difficulty="hard")
    return np.ascontiguousarray(scene.image[:, :144])


@pytest.fixture(scope="module")
def features(model, image):
    return model.encode(image, settings=loose())


@pytest.fixture
def live(model, features):
    return LiveSegmentation(model, features)


def loose(**changes) -> Settings:
    """Settings under which a small picture has regions, and masks of most of them."""
    loose = {"coarse_threshold": 0.0, "min_region_area": 20, "iou_threshold": 0.5}
    return Settings(**(loose | {"logit_scale": 20.0} | changes))


CLASSES = ClassSet(["clouds", "gravel | pebbles", "blue cross", "red square"])


def same(one, two):
    """Whether two segmentations are equal in all but the time they took."""
    for name in MAPS:
        first, second = getattr(one, name), getattr(two, name)
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second, err_msg=name)
    pd.testing.assert_frame_equal(one.region_table, two.region_table, check_exact=True)
    assert one.classes == two.classes
    assert one.provenance == two.provenance


def unit(*more):
    return st.sampled_from([0.0, *more])


KNOBS = {
    "logit_scale": st.sampled_from([None, 10.0, 20.0]),
    "probability_threshold": unit(0.5, 0.8, 1.0),
    "probability_refiner": st.sampled_from(["none", "none", "pamr"]),
    "pamr_iterations": st.sampled_from([1, 2]),
    "coarse_threshold": unit(0.5, 0.8, 1.0),
    "min_region_area": st.sampled_from([1, 20, 200, 10_000]),
    "connected_components": st.booleans(),
    "refine": st.booleans(),
    "refine_mode": st.sampled_from(["fixed", "trident"]),
    "prompt_box": st.booleans(),
    "prompt_point": st.booleans(),
    "mask_prompt": st.sampled_from(["auto", "off", "logit", "trident"]),
    "iou_threshold": unit(0.5, 0.6, 0.7, 1.0),
    "refine_background": st.booleans(),
}
OTHERS = {
    # These belong to other methods, or need another model.
    *("feature_surgery", "feedback", "feedback_scale", "feedback_share"),
    *("feedback_threshold", "attention_threshold"),
}

ENTRIES = st.builds(
    ClassEntry,
    st.sampled_from(["clouds", "gravel", "black ellipse", "blue cross"]),
    st.sampled_from([(), ("purple cross",)]),
    id=st.none() | st.sampled_from([2, 9]),
    threshold=unit(0.6, 0.9),
)
CLASS_SETS = st.builds(
    ClassSet,
    st.lists(
        ENTRIES,
        min_size=1,
        max_size=4,
        unique_by=(lambda e: e.name, lambda e: e.id or object(), lambda e: e.synonyms),
    ),
    st.sampled_from([(), ("sky",)]),
)


def test_every_knob_after_encoding_is_tried():
    stages = ("classify", "regions", "refine")
    known = {name for stage in stages for name in Settings().of_stage(stage)}
    assert known == set(KNOBS) | OTHERS


@settings(max_examples=12)
@given(st.data(), st.sampled_from([0, 300_000, 1 << 29]))
def test_any_changes_give_what_segmenting_gives(model, features, data, limit):
    live = LiveSegmentation(model, features, mask_limit=limit)
    classes, values = CLASSES, {}
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.integers(0, 3)) == 0:
            classes = data.draw(CLASS_SETS)
        names = data.draw(st.lists(st.sampled_from(sorted(KNOBS)), max_size=3))
        values = values | {name: data.draw(KNOBS[name], label=name) for name in names}
        if not (values.get("prompt_box", True) or values.get("prompt_point", True)):
            values["prompt_box"] = True
        chosen = loose(**values)
        found = live.update(classes, chosen)
        same(found, model.segment(features, classes, settings=chosen))
        classes_of = found.region_table["class_id"].to_numpy()
        owned = found.owners > 0
        assert (classes_of[found.owners[owned] - 1] == found.refined[owned]).all()


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("resclip", [{"feedback_share": 0.2}, {"feedback": False}, {"logit_scale": 9}]),
        ("cliper", [{"logit_scale": 9.0}]),
        ("clip-surgery", [{"feature_surgery": False}, {"logit_scale": 9.0}]),
    ],
)
def test_methods_with_scores_of_their_own(model, image, method, changes):
    plain = {"method": method, "refine": False, "logit_scale": None}
    features = model.encode(image, settings=loose(**plain))
    live = LiveSegmentation(model, features)
    for change in ({}, *changes, {}):
        chosen = loose(**(plain | change))
        same(
            live.update(CLASSES, chosen),
            model.segment(features, CLASSES, settings=chosen),
        )


def count(monkeypatch, owner, name):
    """Calls of a method from now on."""
    calls, original = [], getattr(owner, name)

    def counted(*args, **options):
        calls.append(options)
        return original(*args, **options)

    monkeypatch.setattr(owner, name, counted)
    return calls


def test_a_new_class_encodes_nothing(model, features, live, monkeypatch):
    live.update(CLASSES, loose())
    parts = model.models
    calls = [
        count(monkeypatch, parts.clip, "hidden_states"),
        count(monkeypatch, parts.vfm, "tokens"),
        count(monkeypatch, parts.sam, "encode"),
    ]
    more = ClassSet([*CLASSES.names, "a bright new cross"])
    same(live.update(more, loose()), model.segment(features, more, settings=loose()))
    assert calls == [[], [], []]


def test_only_what_a_change_reaches_is_found_again(live, monkeypatch):
    from napari_s2clip import stages

    steps = [
        count(monkeypatch, stages, name)
        for name in ("phrase_scores", "classify", "find_regions", "refine_regions")
    ]
    decoded = count(monkeypatch, live.model.models.sam, "decode")
    scores = live.update(CLASSES, loose()).region_table["sam_score"]
    assert 0.5 < scores.median() < 1
    assert len(decoded) == 1

    def done(classes=CLASSES, **changes):
        for calls in (*steps, decoded):
            calls.clear()
        live.update(classes, loose(**changes))
        return [len(calls) for calls in (*steps, decoded)]

    assert done() == [0, 0, 0, 0, 0]
    red = ClassEntry("clouds", colour="#ff0000", id=7)
    assert done(ClassSet([red, *CLASSES.entries[1:]])) == [0, 0, 0, 0, 0]
    assert done(iou_threshold=float(scores.median())) == [0, 0, 0, 1, 0]
    # Fewer regions, of prompts that are known.
    assert done(min_region_area=60) == [0, 0, 1, 1, 0]
    assert done(probability_threshold=0.6)[:4] == [0, 0, 1, 1]
    assert done(logit_scale=40)[:4] == [0, 1, 1, 1]
    two = ClassSet(["clouds", "gravel"])
    assert done(two)[:4] == [1, 1, 1, 1]
    assert done(two, refine=False) == [0, 0, 0, 0, 0]


def test_sam_encodes_the_image_when_it_is_first_wanted(model, image, monkeypatch):
    off = loose(refine=False)
    live = LiveSegmentation(model, model.encode(image, settings=off))
    calls = count(monkeypatch, model.models.sam, "encode")
    live.update(CLASSES, off)
    assert calls == []
    for threshold in (0.0, 0.5):
        live.update(CLASSES, loose(iou_threshold=threshold))
    assert len(calls) == 1


def test_a_cancel_at_any_step_leaves_it_right(model, features, live):
    changes = [
        loose(),
        loose(logit_scale=10, mask_prompt="logit"),
        loose(coarse_threshold=0.6, refine_mode="trident"),
        loose(probability_refiner="pamr", pamr_iterations=2),
    ]
    for chosen in changes:
        expected = model.segment(features, CLASSES, settings=chosen)
        for stop in range(1, 1000):
            token, steps = CancelToken(), []

            def at_step(progress, token=token, steps=steps, stop=stop):
                steps.append(progress)
                if len(steps) == stop:
                    token.cancel()

            try:
                found = live.update(CLASSES, chosen, progress=at_step, cancel=token)
            except Cancelled:
                continue
            break
        assert stop > 3
        same(found, expected)


def test_settings_of_another_encoding_are_refused(live):
    with pytest.raises(ValueError, match=r"stride differ .* encode the image again"):
        live.update(CLASSES, loose(stride=64))
    same(live.update(CLASSES), live.model.segment(live.features, CLASSES))


def test_what_is_given_back_is_not_what_is_remembered(live):
    first = live.update(CLASSES, loose())
    for name in ("coarse", "regions", "refined", "owners"):
        getattr(first, name)[:] = 3
    with pytest.raises(ValueError, match="read-only"):
        first.probabilities[:] = 0
    same(
        live.update(CLASSES, loose()),
        live.model.segment(live.features, CLASSES, settings=loose()),
    )


def test_memory_held_is_counted_and_masks_are_bounded(model, features):
    live = LiveSegmentation(model, features, mask_limit=500_000)
    alone = live.nbytes
    assert alone == size_in_memory([features]) > features.dense.nbytes
    found = live.update(CLASSES, loose())
    known = live.nbytes
    assert known > alone + found.probabilities.nbytes
    for area in (20, 10, 5, 2, 1):
        live.update(CLASSES, loose(min_region_area=area, mask_prompt="logit"))
        assert live.nbytes < known + 1_000_000


def test_a_limit_below_nothing_is_refused(model, features):
    with pytest.raises(ValueError, match="mask_limit is -1"):
        LiveSegmentation(model, features, mask_limit=-1)


def test_it_is_public():
    assert napari_s2clip.LiveSegmentation is LiveSegmentation


def test_a_step_that_fails_keeps_what_was_remembered():
    memory = Memory(0)
    assert memory("step", 1, lambda: "one") == "one"
    with pytest.raises(ZeroDivisionError):
        memory("step", 2, lambda: 1 / 0)
    assert memory("step", 1, lambda: pytest.fail("forgotten")) == "one"
    assert memory("step", 2, lambda: "two") == "two"
    assert memory("step", 1, lambda: "one again") == "one again"


def test_what_is_shared_counts_once():
    array = np.zeros((4, 5), np.float32)
    assert size_in_memory([array, {"view": [array[1:]]}, (array.T, "text")]) == 80
