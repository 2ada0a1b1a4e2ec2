import numpy as np
import pytest
import torch

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.progress import Cancelled, CancelToken
from napari_s2clip.refine import load_sam, refine_map
from napari_s2clip.refine.refine import refine_regions
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


@pytest.mark.parametrize("mode", ["fixed", "trident"])
def test_arrays_in_and_arrays_out(sam, maps, mode):
    image, labels, p = maps
    found = refine_map(image, labels, p, sam, mode=mode, min_area=20, iou_threshold=0)
    regions = find_regions(*half_resolution(labels, p), min_area=20)
    np.testing.assert_array_equal(found.regions.labels, regions.labels)
    assert len(found.sam_scores) == len(regions) > 3
    direct = refine_regions(
        sam,
        sam.encode(image),
        labels.astype(np.uint16),
        p,
        regions,
        mode=mode,
        iou_threshold=0,
    )
    np.testing.assert_array_equal(found.refined, direct.refined)
    np.testing.assert_array_equal(found.sam_scores, direct.sam_scores)


def test_an_embedding_is_taken_as_it_is(sam, maps, monkeypatch):
    image, labels, p = maps
    embedding = sam.encode(image)
    expected = refine_map(image, labels, p, sam, min_area=20)
    monkeypatch.setattr(type(sam), "encode", None)
    found = refine_map(embedding, labels, p, sam, min_area=20)
    np.testing.assert_array_equal(found.refined, expected.refined)


def test_without_regions_the_map_is_a_copy(sam, maps):
    image, labels, p = maps
    found = refine_map(image, labels, p, sam, min_area=10**6)
    np.testing.assert_array_equal(found.refined, labels)
    assert len(found.regions) == len(found.sam_scores) == len(found.used) == 0


def test_each_option_reaches_its_step(sam, maps):
    image, labels, p = maps
    count = {
        key: len(refine_map(image, labels, p, sam, **option).regions)
        for key, option in {
            "all": {"min_area": 20},
            "large": {"min_area": 200},
            "sure": {"min_area": 20, "coarse_threshold": 0.999},
            "classes": {"min_area": 20, "connected": False},
        }.items()
    }
    assert count["large"] < count["all"]
    assert count["sure"] < count["all"]
    assert count["classes"] == 3
    scores = [
        refine_map(image, labels, p, sam, min_area=20, **option).sam_scores
        for option in (
            {},
            {"prompt_box": False},
            {"prompt_point": False},
            {"mask_prompt": "logit"},
        )
    ]
    for other in scores[1:]:
        assert np.abs(other - scores[0]).max() > 1e-4
    assert not refine_map(
        image, labels, p, sam, min_area=20, iou_threshold=99
    ).used.any()


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
    with pytest.raises(ValueError, match="both off"):
        refine_map(image, labels, p, sam, prompt_box=False, prompt_point=False)
    with pytest.raises(ValueError, match="Linear has no image_encoder"):
        load_sam(torch.nn.Linear(1, 1))


def test_it_reports_and_can_be_cancelled(sam, maps):
    image, labels, p = maps
    steps, token = [], CancelToken()
    refine_map(image, labels, p, sam, min_area=20, progress=steps.append)
    assert steps[-1].done == steps[-1].total
    token.cancel()
    with pytest.raises(Cancelled):
        refine_map(image, labels, p, sam, min_area=20, cancel=token)
