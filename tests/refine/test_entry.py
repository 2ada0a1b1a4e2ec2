import copy
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from napari_s2clip import Settings
from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.progress import Cancelled, CancelToken
from napari_s2clip.refine import load_sam, refine_map
from napari_s2clip.refine.refine import refine_regions
from napari_s2clip.refine.result import Refinement
from napari_s2clip.regions import find_regions, half_resolution


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return load_sam(build_sam(), "cpu", "fp32")


@pytest.fixture(scope="module")
def maps():
    torch.manual_seed(0)
    rough = torch.randn(1, 3, 5, 6)
    p = torch.nn.functional.interpolate(rough, (80, 101), mode="bicubic")[0]
    p = p.mul(4).softmax(0).numpy()
    image = np.random.default_rng(0).integers(0, 256, (80, 101, 3), np.uint8)
    return image, p.argmax(0) + 1, p


def some(**values):
    """Settings under which the small maps have regions."""
    return Settings(**({"min_region_area": 20} | values))


@pytest.mark.parametrize("mode", ["fixed", "trident"])
def test_arrays_in_and_arrays_out(sam, maps, mode):
    image, labels, p = maps
    chosen = some(refine_mode=mode, iou_threshold=0)
    found = refine_map(image, labels, p, sam, chosen)
    regions = find_regions(*half_resolution(labels, p), min_area=20)
    np.testing.assert_array_equal(found.regions.labels, regions.labels)
    assert len(found.sam_scores) == len(regions) > 3
    direct = refine_regions(
        sam,
        sam.encode(image),
        labels.astype(np.uint16),
        p,
        regions,
        chosen,
    )
    np.testing.assert_array_equal(found.refined, direct.refined)
    np.testing.assert_array_equal(found.sam_scores, direct.sam_scores)


@pytest.mark.parametrize("shape", [(80, 100), (79, 101)])
def test_regions_are_told_in_pixels_of_the_image(sam, maps, shape):
    rows, columns = (slice(side) for side in shape)
    image, labels, p = maps
    image, labels, p = image[rows, columns], labels[rows, columns], p[:, rows, columns]
    found = refine_map(image, labels, p, sam, some(iou_threshold=0.5))
    table = found.table
    assert found.region_map.shape == shape
    assert table["region"].tolist() == list(range(1, len(found.regions) + 1))
    assert table["refined"].tolist() == found.used.tolist()
    np.testing.assert_array_equal(table["sam_score"], found.sam_scores)
    assert len(table) > 3
    for row in table.itertuples():
        inside = found.region_map == row.region
        rows, columns = np.nonzero(inside)
        assert inside.sum() == row.area
        assert (labels[inside] == row.class_id).all()
        assert row.x_min <= columns.min()
        assert columns.max() + 1 <= row.x_max <= shape[1]
        assert row.y_min <= rows.min()
        assert rows.max() + 1 <= row.y_max <= shape[0]
        assert row.x_min < row.point_x < row.x_max


def test_an_embedding_is_taken_as_it_is(sam, maps, monkeypatch):
    image, labels, p = maps
    embedding = sam.encode(image)
    expected = refine_map(image, labels, p, sam, some())
    monkeypatch.setattr(type(sam), "encode", None)
    found = refine_map(embedding, labels, p, sam, some())
    np.testing.assert_array_equal(found.refined, expected.refined)


def test_without_regions_the_map_is_a_copy(sam, maps):
    image, labels, p = maps
    found = refine_map(image, labels, p, sam, some(min_region_area=10**6))
    np.testing.assert_array_equal(found.refined, labels)
    assert len(found.regions) == len(found.sam_scores) == len(found.used) == 0
    assert len(found.table) == found.region_map.max(initial=0) == 0


def test_each_setting_reaches_its_step(sam, maps):
    image, labels, p = maps
    count = {
        key: len(refine_map(image, labels, p, sam, settings).regions)
        for key, settings in {
            "all": some(),
            "large": some(min_region_area=200),
            "sure": some(coarse_threshold=0.999),
            "classes": some(connected_components=False),
        }.items()
    }
    assert count["large"] < count["all"]
    assert count["sure"] < count["all"]
    assert count["classes"] == 3
    scores = [
        refine_map(image, labels, p, sam, settings).sam_scores
        for settings in (
            some(),
            some(prompt_box=False),
            some(prompt_point=False),
            some(mask_prompt="logit"),
        )
    ]
    for other in scores[1:]:
        assert np.abs(other - scores[0]).max() > 1e-4
    sure = some(iou_threshold=1)
    assert not refine_map(image, labels, p, sam, sure).used.any()


def test_background_is_prompted_only_if_asked(sam, maps):
    image, labels, p = maps
    labels, p = np.where(labels == 1, 0, labels - 1), p[1:]
    for asked in (False, True):
        found = refine_map(image, labels, p, sam, some(refine_background=asked))
        assert (found.regions.classes == 0).any() == asked
        assert not np.isnan(found.sam_scores).any()


@pytest.mark.parametrize("mode", ["fixed", "trident"])
def test_tensors_give_what_arrays_give(sam, maps, mode):
    image, labels, p = maps
    settings = some(refine_mode=mode, iou_threshold=0)
    expected = refine_map(image, labels, p, sam, settings)
    tensors = torch.from_numpy(labels), torch.from_numpy(p)
    found = refine_map(image, *tensors, sam, settings)
    assert (found.regions.labels == expected.regions.labels).mean() > 0.999
    assert (found.refined == expected.refined).mean() > 0.999


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "float64"])
def test_tensors_may_have_any_dtype(sam, maps, kind):
    image, labels, p = maps
    embedding = sam.encode(image)
    rounded = torch.from_numpy(p).to(getattr(torch, kind)).requires_grad_()
    found = refine_map(embedding, torch.from_numpy(labels), rounded, sam, some())
    expected = refine_map(
        embedding, labels, rounded.detach().float().numpy(), sam, some()
    )
    assert (found.regions.labels == expected.regions.labels).mean() > 0.999
    assert (found.refined == expected.refined).mean() > 0.999


def frozen(array):
    array = array.copy()
    array.setflags(write=False)
    return array


LAYOUTS = {
    "columns flipped": lambda array: array[..., ::-1].copy()[..., ::-1],
    "rows flipped": lambda array: array[..., ::-1, :].copy()[..., ::-1, :],
    "fortran": np.asfortranarray,
    "read-only": frozen,
}


@pytest.mark.parametrize(
    ("mode", "mask_prompt"),
    [("fixed", "off"), ("fixed", "logit"), ("fixed", "trident"), ("trident", "auto")],
)
def test_maps_may_lie_in_memory_as_they_will(sam, maps, mode, mask_prompt):
    settings = some(refine_mode=mode, mask_prompt=mask_prompt, iou_threshold=0)
    image, labels, p = maps
    embedding = sam.encode(image)
    expected = refine_map(embedding, labels, p, sam, settings)
    for name, change in LAYOUTS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            given = change(labels), change(p)
            found = refine_map(embedding, *given, sam, settings)
        np.testing.assert_array_equal(found.refined, expected.refined, name)
        np.testing.assert_array_equal(found.sam_scores, expected.sam_scores, name)


def test_bad_input_is_refused(sam, maps):
    image, labels, p = maps
    with pytest.raises(ValueError, match="do not fit"):
        refine_map(image, labels[1:], p, sam)
    with pytest.raises(ValueError, match="give values from 0 to 1"):
        refine_map(image, labels, p - 1, sam)
    with pytest.raises(ValueError, match="give values from 0 to 1"):
        refine_map(image, labels, np.where(p > 0.9, np.nan, p), sam)
    with pytest.raises(ValueError, match="labels go from"):
        refine_map(image, labels + 1, p, sam)
    with pytest.raises(ValueError, match="differ in size"):
        refine_map(image[1:], labels, p, sam)
    with pytest.raises(ValueError, match=r"give uint8 \(H, W, 3\)"):
        refine_map(image / 255, labels, p, sam)
    with pytest.raises(ValueError, match="two arrays or two tensors"):
        refine_map(image, torch.from_numpy(labels), p, sam)
    with pytest.raises(ValueError, match=r"give Settings\(…\), not dict"):
        refine_map(image, labels, p, sam, {"prompt_box": False})
    with pytest.raises(ValueError, match="refine: is off"):
        refine_map(image, labels, p, sam, some(refine=False))
    for kind in ("pamr", "diffusion"):
        with pytest.raises(ValueError, match=f"probability_refiner: .* {kind}; set"):
            refine_map(image, labels, p, sam, some(probability_refiner=kind))
    with pytest.raises(ValueError, match="Linear has no image_encoder"):
        load_sam(torch.nn.Linear(1, 1))


def test_other_objects_are_refused_by_name(sam, maps):
    image, labels, p = maps
    for other in (torch.from_numpy(image), Image.fromarray(image), image.tolist()):
        kind = type(other).__name__
        with pytest.raises(ValueError, match=f"^image: give .*, not {kind}$"):
            refine_map(other, labels, p, sam)
    for other in (build_sam(), None):
        kind = type(other).__name__
        with pytest.raises(ValueError, match=f"^sam: give .*load_sam.*, not {kind}$"):
            refine_map(image, labels, p, other)
    for other in ({}, "maps", None):
        with pytest.raises(ValueError, match="do not fit"):
            refine_map(image, labels, other, sam)
    with pytest.raises(ValueError, match="probabilities are complex64; give float32"):
        refine_map(image, labels, p.astype(np.complex64), sam)


def test_results_are_compared_by_identity(sam, maps):
    image, labels, p = maps
    found = refine_map(image, labels, p, sam, some())
    for each in (found, found.regions, Refinement.none(labels, found.owners, 3)):
        # Arrays have no truth value, so comparing the fields would raise.
        assert each != copy.deepcopy(each)
        assert hash(each) != hash(copy.deepcopy(each))


def test_lists_are_taken_as_arrays(sam, maps):
    image, labels, p = maps
    listed = labels.tolist(), p.tolist()
    found = refine_map(image, *listed, sam, some(min_region_area=10**6))
    np.testing.assert_array_equal(found.refined, labels)
    assert not found.owners.any()


def test_it_reports_and_can_be_cancelled(sam, maps):
    image, labels, p = maps
    steps, token = [], CancelToken()
    refine_map(image, labels, p, sam, some(), progress=steps.append)
    assert steps[-1].done == steps[-1].total
    shares = [step.overall for step in steps]
    assert shares == sorted(shares)
    assert "SAM image embedding" in [step.message for step in steps]
    token.cancel()
    with pytest.raises(Cancelled):
        refine_map(image, labels, p, sam, some(), cancel=token)


def test_nothing_is_encoded_in_vain(sam, maps, monkeypatch):
    image, labels, p = maps
    monkeypatch.setattr(type(sam), "encode", None)
    with pytest.raises(ValueError, match=r"image .* and labels .* differ in size"):
        refine_map(image[1:], labels, p, sam, some())
    token = CancelToken()

    def stop(step):
        if step.message == "SAM image embedding":
            token.cancel()
            token.raise_if_cancelled()

    with pytest.raises(Cancelled):
        refine_map(image, labels, p, sam, some(), progress=stop, cancel=token)
