"""What is kept is not encoded again, and nothing else comes from the store."""

from __future__ import annotations

import copy
import json
import logging
import weakref
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_s2clip import S2CLIP, FeatureStore, Settings
from napari_s2clip.completion import complete_settings
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.features import keep, store_format
from napari_s2clip.image import RGBImage

NAMES = ["red circle", "grass", "blue square"]
OTHERS = ["green star", "sand"]
ALL = {"clip", "vfm", "sam"}


@pytest.fixture(scope="module")
def demo() -> S2CLIP:
    model = S2CLIP.load("demo", device="cpu")
    # Two windows are enough here.
    return S2CLIP(replace(model.spec, short_side=64), model.models, model.device)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    scene = draw_scene(96, np.random.default_rng(3), difficulty="easy")
    return np.ascontiguousarray(scene.image[16:80])


@pytest.fixture
def store(tmp_path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


@pytest.fixture
def calls(demo, monkeypatch) -> Counter:
    """How often each encoder has run."""
    count = Counter()

    def counted(part, run):
        def wrapped(*arguments):
            count[part] += 1
            return run(*arguments)

        return wrapped

    for part, method in (
        ("clip", "hidden_states"),
        ("vfm", "tokens"),
        ("sam", "encode"),
    ):
        model = getattr(demo.models, part)
        monkeypatch.setattr(model, method, counted(part, getattr(model, method)))
    return count


def another(model: S2CLIP, **origin: str) -> S2CLIP:
    """A new object with the same models, or with other weights in some parts."""
    changed = {
        part: {**about, "sha256": origin.get(part, about["sha256"])}
        for part, about in model.models.origin.items()
    }
    models = copy.copy(model.models)
    models.origin = changed
    return S2CLIP(model.spec, models, model.device)


def assert_same_result(one, two):
    for name in ("coarse", "regions", "refined", "probabilities"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.region_table.equals(two.region_table)
    assert one.provenance == two.provenance


def test_features_serve_other_classes_without_an_encoder(demo, image, store, calls):
    features = demo.encode(image, store=store)
    assert set(calls) == ALL
    calls.clear()
    demo.segment(features, OTHERS, store=store)
    assert not calls


def test_an_image_is_encoded_once(demo, image, store, calls):
    plain = demo.encode(image)
    first = demo.encode(image, store=store)
    calls.clear()
    found = another(demo).encode(image.copy(), store=FeatureStore(store.folder))
    assert not calls
    for features in (first, found):
        assert torch.equal(features.dense, plain.dense)
        assert features.dense.stride() == plain.dense.stride()
        assert torch.equal(features.sam.features, plain.sam.features)
        assert features.sam.features.stride() == plain.sam.features.stride()
        assert features.settings == plain.settings
        assert features.plan == plain.plan
        assert features.model == plain.model
    expected = demo.segment(plain, NAMES)
    assert len(expected.region_table)
    assert_same_result(another(demo).segment(found, NAMES), expected)
    assert not calls


def test_segment_takes_the_store_too(demo, image, store, calls):
    expected = demo.segment(image, NAMES, store=store)
    calls.clear()
    assert_same_result(another(demo).segment(image, NAMES, store=store), expected)
    another(demo).segment(image, OTHERS, store=store)
    assert not calls
    assert_same_result(demo.segment(image, NAMES), expected)
    assert set(calls) == ALL


def test_true_is_the_default_store(demo, image, calls, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path))
    demo.segment(image, NAMES, store=True)
    assert FeatureStore().usage()[0] == 2  # dense features and SAM's embedding
    calls.clear()
    demo.encode(image, store=True)
    assert not calls


def test_nothing_is_kept_unless_asked(demo, image, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path))
    demo.segment(image, NAMES)
    assert not list(tmp_path.iterdir())


def test_another_kind_of_store_is_refused(demo, image, tmp_path):
    for wrong in (tmp_path, "features", 1, None):
        with pytest.raises(ValueError, match="give True, False or a FeatureStore"):
            demo.encode(image, store=wrong)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "clip"},
        {"short_side": 128},
        {"stride": 48},
        {"levels": (1,)},
        {"proxy": False},
        {"proxy_beta": 1.1},
    ],
    ids=str,
)
def test_other_encode_settings_miss(demo, image, store, calls, change):
    demo.encode(image, store=store)
    calls.clear()
    settings = Settings(**change)
    found = demo.encode(image, settings=settings, store=store)
    assert calls["clip"]
    assert calls["sam"] == 0  # does not depend on them
    assert found.settings == complete_settings(demo.spec, settings)
    plain = demo.encode(image, settings=settings)
    assert torch.equal(found.dense, plain.dense)
    assert torch.equal(found.sam.features, plain.sam.features)


def test_every_encode_setting_is_in_the_key(demo, image):
    base = complete_settings(demo.spec, Settings())
    key = keep._dense_key(demo.models, image, base)
    others = {bool: False, int: 63, float: 0.25, str: "clip"}
    for name, value in base.of_stage("encode").items():
        field = str(Settings.model_fields[name].annotation)
        if "tuple" in field:
            new = (1,) if "int" in field else ("kk",)
        elif value is None:
            new = "bool" in field or 63
        else:
            new = not value if isinstance(value, bool) else others[type(value)]
        other = base.model_copy(update={name: new})
        assert keep._dense_key(demo.models, image, other) != key, name


def test_settings_given_as_the_default_hit(demo, image, store, calls):
    demo.encode(image, store=store)
    calls.clear()
    demo.encode(image, settings=Settings(stride=demo.spec.stride), store=store)
    assert not calls


def test_other_settings_of_later_stages_hit(demo, image, store, calls):
    demo.segment(image, NAMES, store=store)
    calls.clear()
    settings = Settings(
        logit_scale=30,
        probability_threshold=0.1,
        coarse_threshold=0.1,
        min_region_area=9,
        prompt_box=False,
        iou_threshold=0.5,
        refine_background=True,
    )
    found = demo.segment(image, NAMES, settings=settings, store=store)
    features = demo.encode(image, settings=settings, store=store)
    assert not calls
    assert features.settings == complete_settings(demo.spec, settings)
    assert_same_result(found, demo.segment(image, NAMES, settings=settings))


def test_other_images_miss(demo, image, store, calls):
    demo.encode(image, store=store)
    other = image.copy()
    other[5, 5, 0] ^= 1
    for changed in (other, np.ascontiguousarray(image.reshape(96, 64, 3))):
        calls.clear()
        demo.encode(changed, store=store)
        assert set(calls) == ALL


@pytest.mark.parametrize(
    ("part", "expected"),
    [("clip", {"clip", "vfm"}), ("vfm", {"clip", "vfm"}), ("sam", {"sam"})],
)
def test_another_model_misses(demo, image, store, calls, part, expected):
    demo.encode(image, store=store)
    calls.clear()
    other = another(demo, **{part: "other weights"})
    features = other.encode(image, store=store)
    assert set(calls) == expected
    assert features.model == other.models.origin
    other.segment(features, NAMES)


@pytest.mark.parametrize("name", ["__version__", "library_versions"])
def test_other_versions_miss(demo, image, store, calls, monkeypatch, name):
    demo.encode(image, store=store)
    calls.clear()
    value = "9" if name == "__version__" else lambda: {"torch": "9"}
    monkeypatch.setattr(keep, name, value)
    demo.encode(image, store=store)
    assert set(calls) == ALL


def test_a_compiled_encoder_misses(demo, image, monkeypatch):
    models, settings = demo.models, demo.complete(None)

    def keys():
        return (
            keep._dense_key(models, image, settings),
            keep._sam_key(models, image),
        )

    before = keys()
    monkeypatch.setattr(models, "compiled", True)
    for one, other in zip(before, keys(), strict=True):
        assert one != other


def test_another_kind_of_device_misses(demo, image, monkeypatch):
    # The numbers of a GPU differ in the last bits; which GPU it is does not matter.
    def keys(device):
        monkeypatch.setattr(demo.models, "device", torch.device(device))
        settings = complete_settings(demo.spec, Settings())
        dense = keep._dense_key(demo.models, image, settings)
        return {dense, keep._sam_key(demo.models, image)}

    assert not keys("cpu") & keys("cuda")
    assert keys("cuda:0") == keys("cuda:1")


@pytest.mark.parametrize("kept", [False, True])
def test_a_side_that_was_cut_is_in_the_notes(demo, store, kept):
    image = np.zeros((1, 200, 3), np.uint8)
    settings = Settings(short_side=16, refine=False)
    given = RGBImage(image, ("one",))
    for _ in range(2):  # encoded, then taken from the store
        features = demo.encode(given, settings=settings, store=store if kept else False)
        assert features.notes[0] == "one"
        assert features.notes[1].startswith("short_side: 16 px was asked for, 8 px was")


def test_notes_are_those_of_the_image_at_hand(demo, image, store):
    demo.encode(RGBImage(image, ("composited",)), store=store)
    assert demo.encode(RGBImage(image), store=store).notes == ()


# ------------------------------------------------------------------------- SAM


def test_sam_is_added_when_it_is_asked_for_later(demo, image, store, calls):
    off = Settings(refine=False)
    demo.encode(image, settings=off, store=store)
    assert calls["sam"] == 0
    calls.clear()
    assert demo.encode(image, store=store).sam is not None
    assert calls == {"sam": 1}
    calls.clear()
    assert demo.encode(image, store=store).sam is not None
    assert demo.encode(image, settings=off, store=store).sam is None
    assert not calls


def test_sam_made_by_the_refinement_is_kept(demo, image, store, calls):
    features = demo.encode(image, settings=Settings(refine=False), store=store)
    calls.clear()
    expected = demo.segment(features, NAMES, settings=Settings(), store=store)
    assert calls == {"sam": 1}
    calls.clear()
    assert_same_result(demo.segment(image, NAMES, store=store), expected)
    assert not calls


def test_sam_of_the_store_serves_features_without(demo, image, store, calls):
    demo.encode(image, store=store)
    features = demo.encode(image, settings=Settings(refine=False))
    calls.clear()
    demo.segment(features, NAMES, settings=Settings(), store=store)
    assert not calls


# -------------------------------------------------------------------- progress


def runs(demo, image, store, settings=None):
    seen = []
    demo.segment(image, NAMES, settings=settings, store=store, progress=seen.append)
    return seen


def test_progress_is_done_with_what_is_kept(demo, image, store):
    runs(demo, image, store)
    seen = [p for p in runs(demo, image, store) if p.stage == "encode"]
    assert [(p.done, p.total) for p in seen] == [(1, 1)]
    assert seen[0].message == "kept on disk"


@pytest.mark.parametrize("first", [{"refine": False}, {"stride": 48}, {}])
def test_progress_goes_forward(demo, image, store, first):
    runs(demo, image, store, Settings(**first))
    seen = runs(demo, image, store)
    assert list(dict.fromkeys(p.stage for p in seen)) == [
        "encode",
        "classify",
        "regions",
        "refine",
    ]
    overall = [p.overall for p in seen]
    assert overall == sorted(overall)
    last = [p for p in seen if p.stage == "encode"][-1]
    assert last.done == last.total


# -------------------------------------------------------------------- mishaps


def test_a_store_that_does_not_work_is_one_warning(
    demo, image, tmp_path, caplog, calls
):
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = FeatureStore(tmp_path / "file" / "features")
    expected = demo.segment(image, NAMES)
    for _ in range(2):
        assert_same_result(demo.segment(image, NAMES, store=store), expected)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(store.folder) in record.getMessage()
    assert record.getMessage().endswith("; the run goes on without")


def test_a_full_disk_is_one_warning_and_may_pass(
    demo, image, store, caplog, calls, monkeypatch
):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array", fail)
        demo.segment(image, NAMES, store=store)
    (record,) = caplog.records
    assert "No space left on device; the run goes on" in record.getMessage()
    assert store.usage() == (0, 0)
    demo.segment(image, NAMES, store=store)
    calls.clear()
    demo.segment(image, NAMES, store=store)
    assert not calls
    assert len(caplog.records) == 1


def test_damaged_features_are_made_again(demo, image, store, calls, caplog):
    demo.encode(image, store=store)
    for path in store.folder.glob("*/0.npy"):
        path.write_bytes(path.read_bytes()[:-1])
    calls.clear()
    features = demo.encode(image, store=store)
    assert set(calls) == ALL
    assert len(caplog.records) == 2
    assert torch.equal(features.dense, demo.encode(image).dense)
    calls.clear()
    demo.encode(image, store=store)
    assert not calls


def test_entries_of_another_form_are_made_again(
    demo, image, store, calls, caplog, monkeypatch
):
    def bare(*_):
        return {}, json.loads("{}")

    with monkeypatch.context() as patch:
        patch.setattr(keep, "pack", bare)
        patch.setattr(keep, "pack_sam", bare)
        demo.encode(image, store=store)
    held = []
    get, discard = store.get, store.discard

    def watched_get(key):
        found = get(key)
        if found is not None:
            found[0]["x"] = array = np.zeros(1)
            held.append(weakref.ref(array))
        return found

    def watched_discard(key):
        assert all(ref() is None for ref in held), "Windows would refuse it"
        return discard(key)

    monkeypatch.setattr(store, "get", watched_get)
    monkeypatch.setattr(store, "discard", watched_discard)
    calls.clear()
    demo.encode(image, store=store)
    assert set(calls) == ALL
    assert len(held) == 2
    assert [r.getMessage().split(": ")[0][-10:] for r in caplog.records] == [
        "is removed"
    ] * 2
    assert store_format.pack is keep.pack
    calls.clear()
    demo.encode(image, store=store)
    assert not calls


def test_trident_depends_on_sam_too(demo, image, store, calls):
    settings = Settings(method="trident")
    made = demo.encode(image, settings=settings, store=store)
    calls.clear()
    found = demo.encode(image, settings=settings, store=store)
    assert not calls
    assert torch.equal(found.dense, made.dense)
    assert found.plan == made.plan
    other = copy.copy(demo.models)
    other.origin = {**demo.models.origin, "sam": {"sha256": "x"}}
    plain = complete_settings(demo.spec, Settings())
    with_sam = complete_settings(demo.spec, settings)
    for chosen, same in ((plain, True), (with_sam, False)):
        keys = {keep._dense_key(m, image, chosen) for m in (demo.models, other)}
        assert (len(keys) == 1) == same


def test_extras_of_a_method_are_kept(demo, image, store, calls):
    settings = Settings(method="resclip", refine=False)
    made = demo.segment(image, NAMES, settings=settings, store=store)
    calls.clear()
    found = demo.segment(image, NAMES, settings=settings, store=store)
    assert not calls
    assert_same_result(found, made)
