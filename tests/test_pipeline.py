"""The story as a whole, on the demo sizes with random weights unless said otherwise."""

import copy
import json

import dask.array as da
import numpy as np
import pytest
import torch

from napari_s2clip import (
    S2CLIP,
    Cancelled,
    CancelToken,
    ClassEntry,
    ClassSet,
    Settings,
)
from napari_s2clip.completion import complete_settings
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.image import to_rgb
from napari_s2clip.models.errors import WeightsNotFound
from napari_s2clip.results import REGION_COLUMNS

NAMES = ["red circle", "grass", "blue square"]


@pytest.fixture(scope="module")
def model() -> S2CLIP:
    return S2CLIP.load("demo", weights="random", device="cpu")


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 150, 3), np.uint8)


def loose(**changes) -> Settings:
    """Settings under which random models still make regions."""
    return Settings(coarse_threshold=0, min_region_area=20, **changes)


def test_shapes_dtypes_and_ranges(model, image):
    result = model.segment(image, NAMES, settings=loose(iou_threshold=0))
    for name, dtype in (
        ("coarse", np.uint16),
        ("refined", np.uint16),
        ("regions", np.int32),
        ("owners", np.int32),
    ):
        array = getattr(result, name)
        assert array.shape == (120, 150)
        assert array.dtype == dtype
    assert result.probabilities.shape == (3, 120, 150)
    assert result.probabilities.dtype == np.float32
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-4)
    np.testing.assert_array_equal(result.coarse, result.probabilities.argmax(0) + 1)
    assert set(np.unique(result.refined)) <= {0, 1, 2, 3}
    assert list(result.seconds) == ["encode", "classify", "regions", "refine"]


def test_the_region_table_describes_the_region_map():
    scene = draw_scene(256, np.random.default_rng(0), difficulty="medium")
    result = S2CLIP.load("demo", device="cpu").segment(
        scene.image, scene.names, settings=loose()
    )
    table = result.region_table
    assert len(table) > 1
    assert {c: str(t) for c, t in table.dtypes.items()} == {
        **REGION_COLUMNS,
        "class_name": str(table.dtypes["class_name"]),
    }
    assert table["region"].tolist() == list(range(1, len(table) + 1))
    for row in table.itertuples():
        inside = result.regions == row.region
        assert inside.sum() == row.area
        assert (result.coarse[inside] == row.class_id).all()
        assert result.classes.name_of(row.class_id) == row.class_name
        rows, columns = np.nonzero(inside)
        assert row.x_min <= columns.min()
        assert columns.max() + 1 <= row.x_max
        assert row.y_min <= rows.min()
        assert rows.max() + 1 <= row.y_max
        assert row.x_min < row.point_x < row.x_max
        mean = result.probabilities[row.class_id - 1][inside].mean()
        # Taken at half resolution, where a small region has more edge than inside.
        near = 0.05 if row.area > 1000 else 0.1
        assert row.mean_probability == pytest.approx(mean, abs=near)
    np.testing.assert_array_equal(
        result.region_classes, np.where(result.regions > 0, result.coarse, 0)
    )


def test_features_serve_any_vocabulary_without_encoding_again(
    model, image, monkeypatch
):
    features = model.encode(image)
    expected = model.segment(image, ["cat", "dog"], settings=loose())
    for part, method in (
        ("clip", "hidden_states"),
        ("vfm", "tokens"),
        ("sam", "encode"),
    ):
        monkeypatch.setattr(
            getattr(model.models, part),
            method,
            lambda *a, **k: pytest.fail("a vision encoder ran again"),
        )
    result = model.segment(features, ["cat", "dog"], settings=loose())
    np.testing.assert_array_equal(result.coarse, expected.coarse)
    np.testing.assert_array_equal(result.refined, expected.refined)
    assert "encode" not in result.seconds


def test_the_sam_embedding_is_made_when_it_is_first_needed(model, image):
    off = Settings(refine=False)
    features = model.encode(image, settings=off)
    assert features.sam is None
    result = model.segment(features, NAMES, settings=off)
    np.testing.assert_array_equal(result.refined, result.coarse)
    np.testing.assert_array_equal(result.owners, result.regions)
    assert result.region_table["sam_score"].isna().all()
    assert not result.region_table["refined"].any()
    model.segment(features, NAMES, settings=loose())
    assert features.sam is not None


def test_class_order_is_the_label_order(model, image):
    one = model.segment(image, ["cat", "dog"], settings=Settings(refine=False))
    two = model.segment(image, ["dog", "cat"], settings=Settings(refine=False))
    np.testing.assert_array_equal(one.coarse, 3 - two.coarse)


@pytest.fixture(scope="module")
def seen() -> tuple:
    """The trained models, features of a scene, and words of which each one wins."""
    model = S2CLIP.load("demo", device="cpu")
    scene = draw_scene(192, np.random.default_rng(0), difficulty="hard")
    return model, model.encode(scene.image), scene.names[:4], ["red ellipse"]


@pytest.mark.parametrize("mode", ["fixed", "trident"])
def test_ids_with_gaps_change_nothing_but_the_values(seen, mode):
    model, features, names, background = seen
    settings = loose(refine_mode=mode, refine_background=True)
    entries = [
        ClassEntry(name, id=value)
        for name, value in zip(names, (3, 1, 7, None), strict=True)
    ]
    plain, result = (
        model.segment(features, ClassSet(some, background), settings=settings)
        for some in (names, entries)
    )
    values = np.array([0, 3, 1, 7, 2], np.uint16)
    assert len(np.unique(plain.coarse)) == len(np.unique(plain.refined)) == 5
    for name in ("coarse", "refined", "region_classes"):
        found = getattr(result, name)
        np.testing.assert_array_equal(found, values[getattr(plain, name)])
        assert found.dtype == np.uint16
    np.testing.assert_array_equal(result.probabilities, plain.probabilities)
    np.testing.assert_array_equal(result.regions, plain.regions)
    table, expected = result.region_table, plain.region_table
    assert table["refined"].any()
    assert table["class_id"].tolist() == values[expected["class_id"]].tolist()
    assert table.drop(columns="class_id").equals(expected.drop(columns="class_id"))


@pytest.mark.parametrize("refiner", ["none", "pamr"])
def test_a_threshold_of_one_class_sends_its_pixels_to_the_background(seen, refiner):
    model, features, names, _ = seen
    settings = Settings(refine=False, probability_refiner=refiner, pamr_iterations=2)
    plain = model.segment(features, names, settings=settings)
    own = plain.coarse == 1
    limit = float(np.median(plain.probabilities[0][own]))
    entries = [ClassEntry(names[0], threshold=limit), *names[1:]]
    result = model.segment(features, entries, settings=settings)
    gone = own & (plain.probabilities[0] < limit)
    assert 0 < gone.sum() < own.sum()
    np.testing.assert_array_equal(result.coarse, np.where(gone, 0, plain.coarse))


def test_background_words_map_to_zero(model, image):
    settings = Settings(refine=False)
    plain = model.segment(image, ["cat", "dog"], settings=settings)
    result = model.segment(image, ["cat"], background=["dog"], settings=settings)
    np.testing.assert_array_equal(result.coarse, np.where(plain.coarse == 1, 1, 0))


def test_vanilla_differs_and_says_so(model, image):
    vanilla = Settings(method="clip", refine=False)
    result = model.segment(image, NAMES, settings=vanilla)
    fused = model.segment(image, NAMES, settings=Settings(refine=False))
    assert (result.probabilities != fused.probabilities).any()
    assert "last block" in result.provenance["method"]


@pytest.mark.parametrize(
    "change",
    [
        {"proxy": False},
        {"levels": ()},
        {"repair_outliers": True},
        {"cls_weight": 0.5},
        {"mid_layer": 1},
        {"smoothing_threshold": 0.99},
        {"proxy_beta": 0.5},
        {"proxy_gamma": 9.0},
        {"short_side": 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_encode_setting_acts(model, image, change):
    # On noise, a sharp proxy attention would leave each token to itself.
    plain = {"refine": False, "proxy_gamma": 3.0}
    base = model.encode(image, settings=Settings(**plain))
    changed = Settings(**{**plain, **change})
    other = model.encode(image, settings=changed)
    same_shape = base.dense.shape == other.dense.shape
    assert not same_shape or not torch.allclose(base.dense, other.dense, atol=1e-6)
    with pytest.raises(ValueError, match=rf"settings: {next(iter(change))} differ"):
        model.segment(base, NAMES, settings=changed)


def test_features_of_another_model_are_refused(model, image):
    features = model.encode(image, settings=Settings(refine=False))
    features.model = {"clip": {"sha256": "other"}}
    with pytest.raises(ValueError, match="come from other models"):
        model.segment(features, NAMES)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (257, 2), (33, 31)], ids=str)
def test_odd_sizes(model, size):
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    result = model.segment(picture, NAMES, settings=loose(iou_threshold=0))
    assert result.refined.shape == size
    assert np.isfinite(result.probabilities).all()


def test_a_large_image(model):
    picture = np.random.default_rng(1).integers(0, 256, (4096, 4096), np.uint8)
    result = model.segment(picture, ["a", "b"], settings=Settings(iou_threshold=0))
    assert result.refined.shape == (4096, 4096)


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((40, 50), np.uint8),
        np.full((40, 50), np.nan, np.float32),
        np.ones((40, 50, 3), bool),
        np.linspace(0, 6e4, 2000).reshape(40, 50).astype(np.uint16),
        np.random.default_rng(0).integers(0, 255, (40, 50, 4)).astype(np.uint8),
        da.random.random((40, 50), chunks=7),
    ],
    ids=["constant", "nan", "bool", "uint16", "rgba", "dask"],
)
def test_every_kind_of_image(model, data):
    result = model.segment(data, NAMES, settings=loose())
    assert result.coarse.shape == (40, 50)
    assert np.isfinite(result.probabilities).all()


def test_notes_on_the_input_reach_the_provenance(model):
    rgba = np.full((40, 50, 4), 200, np.uint8)
    result = model.segment(rgba, NAMES, settings=Settings(refine=False))
    assert result.provenance["input_notes"] == list(to_rgb(rgba).notes)
    assert result.provenance["input_notes"]


@pytest.mark.parametrize(
    ("image_", "classes", "message"),
    [
        (np.zeros((0, 5)), NAMES, "image"),
        (np.zeros((5, 5), complex), NAMES, "image"),
        (np.zeros((5, 5)), [], "classes is empty"),
        (np.zeros((5, 5)), ["a", " "], "blank"),
        (np.zeros((5, 5)), ["a", "A"], "named twice"),
        (np.zeros((5, 5)), [f"c{i}" for i in range(65_535)], "at most 65,534"),
    ],
)
def test_what_cannot_be_segmented_is_refused(model, image_, classes, message):
    with pytest.raises(ValueError, match=message):
        model.segment(image_, classes)


@pytest.mark.parametrize("given", [{}, {"method": "clip"}])
def test_settings_are_no_dictionary(model, image, given):
    for what in (image, model.encode(image, settings=Settings(refine=False))):
        with pytest.raises(
            ValueError, match=r"^settings: give Settings\(…\), not dict"
        ):
            model.segment(what, ["red circle"], settings=given)


def test_background_given_twice_is_refused(model, image):
    with pytest.raises(ValueError, match="background is given twice"):
        model.segment(image, ClassSet(["a"]), background=["b"])


def test_progress_runs_through_the_stages_in_order(model, image):
    seen = []
    model.segment(image, NAMES, settings=loose(), progress=seen.append)
    stages = list(dict.fromkeys(p.stage for p in seen))
    assert stages == ["encode", "classify", "regions", "refine"]
    for stage in stages:
        steps = [(p.done, p.total) for p in seen if p.stage == stage]
        assert steps[-1][0] == steps[-1][1]
        assert [d for d, _ in steps] == sorted(d for d, _ in steps)


@pytest.mark.parametrize("stage", ["encode", "classify", "regions", "refine"])
def test_cancel_stops_at_the_next_step(model, image, stage):
    token = CancelToken()
    seen = []

    def watch(report):
        seen.append(report.stage)
        if report.stage == stage:
            token.cancel()

    with pytest.raises(Cancelled):
        model.segment(
            image, NAMES, settings=loose(iou_threshold=0), progress=watch, cancel=token
        )
    # One report after the cancel at most: the one that noticed it never arrives.
    assert seen.count(stage) == 1


def test_refining_probabilities_can_be_watched_and_cancelled(model, image):
    settings = loose(probability_refiner="pamr", pamr_iterations=7, refine=False)
    features = model.encode(image, settings=settings)
    seen, token = [], CancelToken()
    model.segment(features, NAMES, settings=settings, progress=seen.append)
    shares = [step.overall for step in seen]
    assert shares == sorted(shares)
    assert [step.message for step in seen].count("PAMR") >= 8
    late = []

    def watch(step):
        if step.message == "PAMR":
            late.append(step)
            token.cancel()

    with pytest.raises(Cancelled):
        model.segment(features, NAMES, settings=settings, progress=watch, cancel=token)
    assert len(late) == 1


def test_provenance_is_plain_data(model, image):
    settings = Settings(refine=False)
    result = model.segment(image, NAMES, settings=settings)
    loaded = json.loads(json.dumps(result.provenance))
    assert Settings(**loaded["settings"]) == complete_settings(model.spec, settings)
    assert loaded["model"] == "demo"
    assert loaded["parts"]["clip"]["file"] == "random weights"
    assert loaded["sam_compiled"] is False
    compiled = S2CLIP.load("demo", weights="random", device="cpu", compiled=True)
    assert compiled.provenance(settings)["sam_compiled"] is True
    assert torch.__version__.startswith(loaded["versions"]["torch"])


def test_same_input_same_result(model, image):
    one = model.segment(image, NAMES, settings=loose())
    two = model.segment(image, NAMES, settings=loose())
    np.testing.assert_array_equal(one.refined, two.refined)
    np.testing.assert_array_equal(one.probabilities, two.probabilities)


@pytest.mark.parametrize("name", ["vit-b-16", "vit-l-14", "vit-h-14"])
def test_a_real_specification_without_weights_says_what_is_missing(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path))
    with pytest.raises(WeightsNotFound, match="is not on this computer"):
        S2CLIP.load(name)


def test_real_sizes_run_with_random_weights(image):
    model = S2CLIP.load("vit-b-16", weights="random", device="cpu")
    assert model.models.clip.n_blocks == 12
    assert model.models.vfm.patch_size == 8
    settings = Settings(short_side=112, window=112, stride=112, coarse_threshold=0)
    result = model.segment(image, ["cat", "dog"], settings=settings)
    assert result.refined.shape == (120, 150)
    assert np.isfinite(result.probabilities).all()


def test_unknown_models_and_devices_are_refused():
    with pytest.raises(ValueError, match="no model 'vit-x'"):
        S2CLIP.load("vit-x")
    with pytest.raises(ValueError, match="not available here"):
        S2CLIP.load("demo", device="cuda:42")


def test_the_precision_is_named(model, image):
    low = S2CLIP.load("demo", weights="random", device="cpu", precision="bf16")
    assert (model.precision, low.precision) == ("fp32", "bf16")
    assert low.provenance(Settings())["precision"] == "bf16"
    assert low.encode(image, settings=loose(refine=False)).dense.dtype == torch.float32


def test_features_of_another_precision_are_refused(model, image):
    low = S2CLIP.load("demo", weights="random", device="cpu", precision="bf16")
    features = low.encode(image, settings=loose(refine=False))
    with pytest.raises(
        ValueError, match=r"or another precision; encode .* \(Demo CLIP, fp32\) first"
    ):
        model.segment(features, NAMES)


def test_another_fusion_model(image):
    model = S2CLIP.load("demo", vfm="dino-s-16", weights="random", device="cpu")
    assert model.models.vfm.patch_size == 16
    assert model.provenance(Settings())["parts"]["vfm"]["title"] == "DINO ViT-S/16"
    result = model.segment(image, NAMES, settings=loose(refine=False))
    assert result.refined.shape == (120, 150)
    with pytest.raises(ValueError, match="vfm: no fusion model 'dino'"):
        S2CLIP.load("demo", vfm="dino")


def test_windows_at_once_are_as_many_as_the_finest_grid_allows(image):
    model = S2CLIP.load("demo", weights="random", device="cpu")
    seen = []

    class Fine:
        """A model that sees windows of 64 px with 32 × 32 tokens, as SAM might."""

        patch_size = 16

        def grid(self, window):
            return 32, 32

        def working_memory(self, window):
            return 1

        def tokens(self, windows):
            seen.append(len(windows))
            return torch.randn(len(windows), 32, 32, 4)

    fine = copy.copy(model.models)
    fine._built = {"clip": model.models.clip, "vfm": Fine()}
    other = S2CLIP(model.spec, fine, model.device)
    other.encode(image, settings=loose(refine=False))
    # 4096 tokens at once.
    assert max(seen) == 4


def test_features_print_as_one_line(model, image):
    features = model.encode(image, settings=Settings(method="naclip", refine=False))
    assert repr(features) == (
        f"ImageFeatures(120 × 150 px, windows={len(features.dense)}, method='naclip', "
        "model='Demo CLIP')"
    )


def test_another_sam_and_fusion_model_are_loaded_by_name(monkeypatch):
    seen = []

    def stop(spec, *rest, **options):
        seen.append((spec.vfm.architecture, spec.sam.architecture))
        raise InterruptedError

    monkeypatch.setattr("napari_s2clip.loaded.load_models", stop)
    with pytest.raises(InterruptedError):
        S2CLIP.load("vit-b-16", vfm="sam-b-16", sam="sam-h")
    assert seen == [("vit_b", "vit_h")]
    with pytest.raises(ValueError, match="sam: no SAM 'sam-x'"):
        S2CLIP.load("vit-b-16", sam="sam-x")
