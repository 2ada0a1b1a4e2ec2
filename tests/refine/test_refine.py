import numpy as np
import pytest
import torch

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.models.sam import SamEmbedding, SamModel
from napari_s2clip.models.sam_masks import MaskResizer
from napari_s2clip.progress import Cancelled, CancelToken, Reporter
from napari_s2clip.refine import refine as module
from napari_s2clip.refine.refine import refine_regions
from napari_s2clip.refine.result import Refinement
from napari_s2clip.regions import (
    find_regions,
    full_resolution_regions,
    half_resolution,
)
from napari_s2clip.settings.refine import RefineSettings

SIZE = (8, 12)
EMBEDDING = SamEmbedding(torch.zeros(1, 1, 1, 1), SIZE, SIZE)


class FakeSam:
    """Gives the masks and scores it was told to, in order; remembers the prompts."""

    def __init__(self, masks, scores):
        self.masks = torch.tensor(np.array(masks), dtype=torch.float32)
        self.scores = torch.tensor(scores, dtype=torch.float32)
        self.prompts = {}
        self.first = 0

    def decode(
        self, embedding, *, boxes=None, points=None, mask_inputs=None, alike, on_chunk
    ):
        assert alike
        assert mask_inputs is None
        self.prompts = {"boxes": boxes, "points": points}
        count = len(boxes if boxes is not None else points)
        on_chunk(0, count)
        part = slice(self.first, self.first + count)
        self.first += count
        return self.masks[part], self.scores[part]

    def resizer(self, embedding, device):
        return MaskResizer(SIZE, max(SIZE), SIZE, SIZE, torch.device("cpu"))


@pytest.fixture
def maps():
    """Class 1 left, class 2 right, both sure of themselves."""
    coarse = np.ones(SIZE, np.uint16)
    coarse[:, 6:] = 2
    p = np.where(coarse == np.array([1, 2])[:, None, None], 0.8, 0.2)
    p = p.astype(np.float32)
    return coarse, p, find_regions(*half_resolution(coarse, p), min_area=1)


def mask_of(columns):
    mask = np.full(SIZE, -9.0)
    mask[:, columns] = 9
    return mask


def refine(*maps, region_map=None, report=None, **values):
    # Thresholds that no score can miss are out of the settings' range.
    settings = RefineSettings.model_construct(**values)
    return refine_regions(*maps, settings, region_map=region_map, report=report)


def run(sam, maps, **options):
    coarse, p, regions = maps
    return refine(sam, EMBEDDING, coarse, p, regions, **options)


def test_masks_move_the_border(maps):
    sam = FakeSam([mask_of(slice(0, 7)), mask_of(slice(7, 12))], [0.9, 0.95])
    result = run(sam, maps)
    assert (result.refined[:, :7] == 1).all()
    assert (result.refined[:, 7:] == 2).all()
    assert result.owners.tolist() == result.refined.tolist()
    assert result.used.tolist() == [True, True]
    np.testing.assert_allclose(result.sam_scores, [0.9, 0.95])
    assert sam.prompts["boxes"].tolist() == [[0, 0, 6, 8], [6, 0, 12, 8]]
    assert sam.prompts["points"].tolist() == [[[1, 1]], [[7, 1]]]


def test_a_mask_at_the_threshold_fails(maps):
    sam = FakeSam([mask_of(slice(0, 12)), mask_of(slice(6, 12))], [0.8, 0.81])
    result = run(sam, maps, iou_threshold=0.8)
    assert result.used.tolist() == [False, True]
    np.testing.assert_array_equal(result.refined, maps[0])


def test_a_failed_region_defends_its_sure_pixels(maps):
    greedy = FakeSam([mask_of(slice(0, 1)), mask_of(slice(0, 12))], [0.1, 0.99])
    result = run(greedy, maps)
    # Class 2's mask scores 0.2 on the left, the failed region of class 1 has 0.8.
    np.testing.assert_array_equal(result.refined, maps[0])
    np.testing.assert_array_equal(result.owners, maps[0])


def test_prompts_can_be_left_out(maps):
    sam = FakeSam([mask_of(slice(0, 6)), mask_of(slice(6, 12))], [1, 1])
    run(sam, maps, prompt_box=False)
    assert sam.prompts["boxes"] is None
    sam.first = 0
    run(sam, maps, prompt_point=False)
    assert sam.prompts["points"] is None


def test_background_is_prompted_only_when_asked(maps):
    coarse, p, _ = maps
    coarse = np.where(coarse == 1, 0, coarse).astype(np.uint16)
    p = p.copy()
    p[0] = 0
    regions = find_regions(*half_resolution(coarse, p), min_area=1, background=True)
    assert regions.classes.tolist() == [0, 2]
    sam = FakeSam([mask_of(slice(5, 12))], [0.9])
    result = refine(sam, EMBEDDING, coarse, p, regions)
    assert np.isnan(result.sam_scores[0])
    assert len(sam.prompts["boxes"]) == 1
    assert (result.refined[:, 5] == 2).all()
    both = FakeSam([mask_of(slice(0, 7)), mask_of(slice(7, 12))], [0.9, 0.9])
    result = refine(both, EMBEDDING, coarse, p, regions, refine_background=True)
    assert (result.refined[:, 6] == 0).all()


def test_without_regions_the_coarse_map_stays(maps):
    coarse, p, _ = maps
    none = find_regions(*half_resolution(coarse, p), min_area=10_000)
    steps = []
    report = Reporter(steps.append)
    result = refine(None, EMBEDDING, coarse, p, none, report=report)
    assert [(s.done, s.total) for s in steps] == [(1, 1)]
    np.testing.assert_array_equal(result.refined, coarse)
    assert result.refined is not coarse
    assert len(result.used) == 0


def test_blocks_of_regions_do_not_change_the_result(maps, monkeypatch):
    masks, scores = [mask_of(slice(0, 8)), mask_of(slice(5, 12))], [0.5, 0.9]
    whole = run(FakeSam(masks, scores), maps)
    monkeypatch.setattr(module, "_BLOCK", 1)
    steps = []
    blocks = run(FakeSam(masks, scores), maps, report=Reporter(steps.append))
    np.testing.assert_array_equal(whole.refined, blocks.refined)
    np.testing.assert_array_equal(whole.owners, blocks.owners)
    np.testing.assert_array_equal(whole.sam_scores, blocks.sam_scores)
    assert blocks.used.tolist() == [False, True]
    assert [(s.done, s.total) for s in steps] == [(0, 4), (2, 4), (3, 4), (4, 4)]


def test_pixels_without_a_mask_stay_coarse(maps):
    sam = FakeSam([mask_of(slice(1, 3)), mask_of(slice(8, 9))], [0.9, 0.9])
    result = run(sam, maps)
    np.testing.assert_array_equal(result.refined, maps[0])


def test_a_score_that_is_not_a_number_fails(maps):
    sam = FakeSam([mask_of(slice(0, 12)), mask_of(slice(6, 12))], [np.nan, 0.9])
    result = run(sam, maps)
    assert result.used.tolist() == [False, True]
    np.testing.assert_array_equal(result.refined, maps[0])


def test_a_failed_region_takes_only_what_is_its_own_in_the_coarse_map():
    # On the half-resolution grid region 1 is the two left columns of cells, but the
    # coarse map gives the pixel at (1, 1) to class 2, and no mask covers it.
    coarse = np.full(SIZE, 2, np.uint16)
    coarse[:, :4] = 1
    coarse[1, 1] = 2
    p = np.stack([np.where(coarse == 1, 0.7, 0.6), np.where(coarse == 1, 0.3, 0.4)])
    p = p.astype(np.float32)
    regions = find_regions(*half_resolution(coarse, p), min_area=1)
    assert regions.classes.tolist() == [1, 2]
    sam = FakeSam([mask_of(slice(0, 4)), mask_of(slice(4, 12))], [0.1, 0.9])
    result = refine(sam, EMBEDDING, coarse, p, regions)
    np.testing.assert_array_equal(result.refined, coarse)


def test_maps_of_another_image_are_refused(maps):
    coarse, p, regions = maps
    other = SamEmbedding(torch.zeros(1, 1, 1, 1), (9, 12), (9, 12))
    with pytest.raises(ValueError, match="differ in size"):
        refine(None, other, coarse, p, regions)
    with pytest.raises(ValueError, match="differ in size"):
        refine(None, EMBEDDING, coarse, p[:, 1:], regions)


@pytest.mark.parametrize("size", [(1, 1), (1, 600), (97, 3), (64, 65)], ids=str)
def test_a_real_sam_on_images_of_any_size(size):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    sam = SamModel(build_sam(), torch.device("cpu"))
    p = rng.random((3, *size)).astype(np.float32)
    p /= p.sum(0)
    coarse = (p.argmax(0) + 1).astype(np.uint16)
    regions = find_regions(*half_resolution(coarse, p), threshold=0, min_area=1)
    embedding = sam.encode(rng.integers(0, 256, (*size, 3), np.uint8))
    result = refine(sam, embedding, coarse, p, regions, iou_threshold=-9)
    assert result.refined.shape == size
    assert result.refined.dtype == np.uint16
    assert result.used.all()
    assert set(np.unique(result.refined)) <= {1, 2, 3}


def test_cancel_between_masks(maps):
    token = CancelToken()
    report = Reporter(
        lambda p: token.cancel() if p.message == "merging masks" else None, token
    )
    sam = FakeSam([mask_of(slice(0, 6)), mask_of(slice(6, 12))], [1, 1])
    with pytest.raises(Cancelled):
        run(sam, maps, report=report)


def test_nothing_refined():
    coarse = np.ones((2, 2), np.uint16)
    regions = np.int32([[3, 3], [0, 3]])
    result = Refinement.none(coarse, regions, 3)
    assert np.isnan(result.sam_scores).all()
    assert not result.used.any()
    assert result.refined is not coarse
    assert result.owners.tolist() == [[3, 3], [0, 3]]
    assert result.owners is not regions


@pytest.fixture(scope="module")
def blobs():
    """A demo SAM, an embedding, and maps of many regions."""
    torch.manual_seed(0)
    sam = SamModel(build_sam(), torch.device("cpu"))
    rough = torch.randn(1, 4, 7, 9)
    p = torch.nn.functional.interpolate(rough, (120, 161), mode="bicubic")[0]
    p = p.mul(4).softmax(0).numpy()
    coarse = (p.argmax(0) + 1).astype(np.uint16)
    image = np.random.default_rng(0).integers(0, 256, (120, 161, 3), np.uint8)
    regions = find_regions(*half_resolution(coarse, p), min_area=10)
    return sam, sam.encode(image), coarse, p, regions


@pytest.mark.parametrize("mode", ["fixed", "trident"])
@pytest.mark.parametrize("threshold", [-9, 0.5, 9])
def test_each_pixel_has_the_class_of_its_owner(blobs, mode, threshold):
    regions = blobs[-1]
    middle = np.median(refine(*blobs, refine_mode=mode).sam_scores)
    threshold = middle if threshold == 0.5 else threshold
    found = refine(*blobs, refine_mode=mode, iou_threshold=threshold)
    owned = found.owners > 0
    assert owned.mean() > 0.9
    np.testing.assert_array_equal(
        regions.classes[found.owners[owned] - 1], found.refined[owned]
    )
    coarse = full_resolution_regions(regions, blobs[2])
    assert (found.owners != coarse).any() == (threshold != 9)


@pytest.mark.parametrize("mask_prompt", ["off", "logit", "trident"])
def test_all_at_once_equals_one_region_after_the_other(blobs, mask_prompt, monkeypatch):
    assert len(blobs[-1]) > 8
    options = {"iou_threshold": -9, "mask_prompt": mask_prompt}
    whole = refine(*blobs, **options)
    monkeypatch.setattr(module, "_BLOCK", 1)
    single = refine(*blobs, **options)
    np.testing.assert_allclose(whole.sam_scores, single.sam_scores, atol=1e-4)
    np.testing.assert_array_equal(whole.refined, single.refined)


def test_mask_prompts_are_off_unless_asked(blobs):
    found = [refine(*blobs, mask_prompt=k).sam_scores for k in ("auto", "off", "logit")]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[1] - found[2]).max() > 1e-4


def test_equal_to_the_formula_at_full_size(blobs):
    """Every mask at the size of the image, and the largest σ(logit) p of a pixel."""
    sam, embedding, coarse, p, regions = blobs
    grid = regions.labels.shape
    scale = np.array([161 / grid[1], 120 / grid[0]])
    boxes = np.concatenate([regions.boxes[:, :2], regions.boxes[:, 2:] + 1], 1)
    logits, iou = sam.decode(
        embedding,
        boxes=boxes * np.tile(scale, 2),
        points=((regions.points + 0.5) * scale)[:, None],
    )
    masks = sam.sam.postprocess_masks(logits[:, None], embedding.input_size, (120, 161))
    scores = np.zeros(p.shape, np.float32)
    for value, mask in zip(regions.classes, masks[:, 0].numpy(), strict=True):
        own = np.where(mask > 0, p[value - 1] / (1 + np.exp(-mask)), 0)
        scores[value - 1] = np.maximum(scores[value - 1], own)
    expected = np.where(scores.max(0) > 0, scores.argmax(0) + 1, coarse)
    result = refine(*blobs, iou_threshold=-9)
    np.testing.assert_allclose(result.sam_scores, iou, atol=1e-5)
    assert (result.refined == expected).mean() > 0.9999
