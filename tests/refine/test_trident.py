"""Trident's refinement against the predictor of segment_anything, class after class."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from segment_anything import SamPredictor

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.models.sam import SamModel
from napari_s2clip.progress import Cancelled, CancelToken, Reporter
from napari_s2clip.refine.refine import refine_regions
from napari_s2clip.regions import find_regions_reference, half_resolution
from napari_s2clip.settings.refine import RefineSettings

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def library():
    torch.manual_seed(0)
    sam = build_sam().eval()
    for block in sam.image_encoder.blocks:
        torch.nn.init.normal_(block.attn.rel_pos_h, std=0.1)
    return sam


def scene(size, classes=3, seed=0):
    """A picture, blobs of probability and their labels."""
    generator = torch.Generator().manual_seed(seed)
    rough = torch.randn(1, classes, 5, 6, generator=generator)
    p = F.interpolate(rough, size, mode="bicubic")[0].mul(3).softmax(0).numpy()
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return image, (p.argmax(0) + 1).astype(np.uint16), p


def as_described(library, image, labels, p, regions, threshold, least_iou, mask_prompt):
    """The refined map and the scores, in the order of the regions."""
    predictor = SamPredictor(library)
    predictor.set_image(image)
    size = image.shape[:2]
    half = F.interpolate(
        torch.from_numpy(p)[None], [s // 2 for s in size], mode="bilinear"
    )[0]
    grid, side = tuple(half.shape[1:]), library.prompt_encoder.mask_input_size[0]
    total, scores, used = torch.zeros(len(p), *size), [], []
    for value in np.unique(regions.classes).tolist():
        own, some = half[value - 1], regions.classes == value
        mask = None
        if mask_prompt:
            new = predictor.transform.get_preprocess_shape(*size, side)
            mask = F.interpolate(own[None, None], new, mode="bilinear")[0]
            mask = F.pad(mask, (0, side - new[1], 0, side - new[0]))
            mask = torch.where(mask > threshold, 0.005 * mask, torch.zeros(()))
        boxes = torch.from_numpy(regions.boxes[some])
        points = torch.from_numpy(regions.points[some])
        masks, iou, low = predictor.predict_torch(
            point_coords=predictor.transform.apply_coords_torch(points, grid)[:, None],
            point_labels=torch.ones(len(points), 1),
            boxes=predictor.transform.apply_boxes_torch(boxes, grid),
            mask_input=mask,
            multimask_output=False,
        )
        scores += iou[:, 0].tolist()
        passed = iou[:, 0] > least_iou
        used += passed.tolist()
        if passed.any():
            logits = library.postprocess_masks(low[passed], predictor.input_size, size)
            weighed = logits[:, 0].sigmoid() * torch.from_numpy(p[value - 1])
            union = masks[passed][:, 0].any(0)
            total[value - 1] = torch.where(union, weighed.max(0).values, 0)
    refined = total.argmax(0).numpy() + 1
    return np.where(total.sum(0).numpy() > 0, refined, labels), scores, used


def as_trident(**values):
    # Thresholds that no score can miss are out of the settings' range.
    return RefineSettings.model_construct(refine_mode="trident", **values)


@pytest.mark.parametrize("mask_prompt", ["auto", "off"])
@pytest.mark.parametrize("size", [(96, 128), (97, 61), (300, 256)], ids=str)
def test_it_does_what_trident_does(library, size, mask_prompt):
    image, labels, p = scene(size)
    sam = SamModel(library, CPU)
    regions = find_regions_reference(
        *half_resolution(labels, p), threshold=0.4, min_area=20
    )
    assert len(regions) > 3
    middle = 0.0
    for least_iou in (-9.0, None, 9.0):
        chosen = middle if least_iou is None else least_iou
        result = refine_regions(
            sam,
            sam.encode(image),
            labels,
            p,
            regions,
            as_trident(
                iou_threshold=chosen, coarse_threshold=0.4, mask_prompt=mask_prompt
            ),
        )
        expected, scores, used = as_described(
            library, image, labels, p, regions, 0.4, chosen, mask_prompt == "auto"
        )
        np.testing.assert_allclose(result.sam_scores, scores, atol=1e-5)
        assert result.used.tolist() == used
        assert (result.refined == expected).mean() > 0.9999
        half = len(scores) // 2
        middle = float(np.sort(scores)[half - 1 : half + 1].mean())
    np.testing.assert_array_equal(result.refined, labels)


def test_the_shared_mask_is_normalised_along_the_wrong_axis(library):
    image, labels, p = scene((96, 128))
    sam = SamModel(library, CPU)
    regions = find_regions_reference(*half_resolution(labels, p), min_area=20)
    found = [
        refine_regions(
            sam,
            sam.encode(image),
            labels,
            p,
            regions,
            as_trident(mask_prompt=kind),
        ).sam_scores
        for kind in ("auto", "trident", "logit", "off")
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[1] - found[3]).max() > 1e-3
    assert np.abs(found[2] - found[3]).max() > 1e-3


def test_background_is_prompted_only_when_asked(library):
    image, labels, p = scene((96, 128))
    labels, p = np.where(labels == 1, 0, labels - 1).astype(np.uint16), p[1:]
    sam = SamModel(library, CPU)
    regions = find_regions_reference(
        *half_resolution(labels, p), min_area=20, background=True
    )
    assert (regions.classes == 0).any()
    for asked in (False, True):
        scores = refine_regions(
            sam,
            sam.encode(image),
            labels,
            p,
            regions,
            as_trident(refine_background=asked),
        ).sam_scores
        assert np.isnan(scores[regions.classes == 0]).all() == (not asked)
        assert not np.isnan(scores[regions.classes > 0]).any()


def test_its_steps_are_the_classes(library):
    image, labels, p = scene((96, 128))
    sam, steps = SamModel(library, CPU), []
    regions = find_regions_reference(*half_resolution(labels, p), min_area=20)
    refine_regions(
        sam,
        sam.encode(image),
        labels,
        p,
        regions,
        as_trident(),
        report=Reporter(steps.append),
    )
    assert [(s.done, s.total) for s in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_it_can_be_cancelled_between_classes(library):
    image, labels, p = scene((96, 128))
    sam = SamModel(library, CPU)
    regions = find_regions_reference(*half_resolution(labels, p), min_area=20)
    token, steps = CancelToken(), []

    def stop(progress):
        steps.append(progress.done)
        if progress.done == 1:
            token.cancel()

    with pytest.raises(Cancelled):
        refine_regions(
            sam,
            sam.encode(image),
            labels,
            p,
            regions,
            as_trident(),
            report=Reporter(stop, token),
        )
    assert steps == [0, 1]
