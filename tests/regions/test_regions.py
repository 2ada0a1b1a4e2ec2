"""The fast regions against Algorithm 2, and cases worked out by hand for both."""

import warnings
from dataclasses import fields

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s2clip.regions import (
    find_regions,
    find_regions_reference,
    full_resolution_regions,
    half_resolution,
)
from napari_s2clip.regions.planes import planes_of_arrays, planes_of_tensors


@pytest.fixture(params=[find_regions, find_regions_reference], ids=["fast", "slow"])
def find(request):
    return request.param


STRIPS = st.sampled_from([(1, 1), (1, 60), (60, 1), (2, 41)])


@st.composite
def maps(draw):
    h, w = draw(st.one_of(st.tuples(st.integers(1, 13), st.integers(1, 13)), STRIPS))
    classes = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    # Few distinct values make ties.
    levels = draw(st.sampled_from([2, 5, 1000]))
    raw = rng.integers(0, levels, (classes, h, w)) + 1.0
    probabilities = (raw / (raw.sum(0) + rng.integers(0, 3))).astype(np.float32)
    labels = (probabilities.argmax(0) + 1).astype(np.uint16)
    labels[rng.random((h, w)) < draw(st.sampled_from([0.0, 0.2, 1.0]))] = 0
    if draw(st.booleans()):
        labels[labels == 1] = min(2, classes)
    return labels, probabilities


@settings(max_examples=300, deadline=None)
@given(
    maps(),
    st.sampled_from([0.0, 0.2, 0.35, 0.4, 0.6, 0.7, 0.9, 1 / 3]),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
)
def test_both_algorithms_agree_to_the_last_bit(
    given_maps, threshold, min_area, background, joined
):
    found, expected = (
        find(
            *given_maps,
            threshold=threshold,
            min_area=min_area,
            background=background,
            connected=joined,
        )
        for find in (find_regions, find_regions_reference)
    )
    for field in fields(found):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [(64, 96), (61, 1), (1, 80), (57, 43)])
def test_both_agree_on_noise_with_hundreds_of_classes(size):
    rng = np.random.default_rng(0)
    p = rng.random((200, *size), np.float32)
    p /= p.sum(0)
    labels = p.argmax(0) + 1
    for least in (1, 2):
        found = find_regions(labels, p, threshold=0, min_area=least)
        expected = find_regions_reference(labels, p, threshold=0, min_area=least)
        for field in fields(found):
            one, other = getattr(found, field.name), getattr(expected, field.name)
            np.testing.assert_array_equal(one, other)


def test_the_score_is_the_mean():
    p = np.random.default_rng(0).random((1, 50, 60), np.float32)
    labels = np.ones((50, 60), int)
    found = find_regions(labels, p, threshold=0)
    assert found.scores == pytest.approx([p.mean(dtype=np.float64)], abs=3e-8)


def test_all_pixels_of_a_class_can_be_one_region(find):
    labels = np.uint16([[1, 0, 1], [2, 0, 1]])
    p = np.float32([[[0.5, 0, 0.9], [0, 0, 0.9]], [[0, 0, 0], [1, 0, 0]]])
    found = find(labels, p, min_area=1, connected=False)
    assert found.labels.tolist() == [[1, 0, 1], [2, 0, 1]]
    assert found.areas.tolist() == [3, 1]
    assert found.boxes.tolist() == [[0, 0, 2, 1], [0, 1, 0, 1]]
    assert found.points.tolist() == [[2, 0], [0, 1]]


def test_by_hand(find):
    labels = np.uint16([[1, 0, 2], [0, 1, 2], [2, 0, 0]])
    p1 = np.float32([[0.9, 0.1, 0.1], [0.1, 0.7, 0.1], [0.1, 0.1, 0.1]])
    p2 = np.float32([[0.0, 0.1, 0.5], [0.1, 0.2, 0.8], [0.6, 0.1, 0.1]])
    found = find(labels, np.stack([p1, p2]), threshold=0.2, min_area=1)
    # The two ones touch at a corner; the twos are two regions.
    assert found.labels.tolist() == [[1, 0, 2], [0, 1, 2], [3, 0, 0]]
    assert found.classes.tolist() == [1, 2, 2]
    assert found.areas.tolist() == [2, 2, 1]
    np.testing.assert_allclose(found.scores, [0.8, 0.65, 0.6], rtol=1e-6)
    assert found.boxes.tolist() == [[0, 0, 1, 1], [2, 0, 2, 1], [0, 2, 0, 2]]
    assert found.points.tolist() == [[0, 0], [2, 1], [0, 2]]


def test_uncertain_pixels_split_a_region(find):
    labels = np.ones((1, 5), np.uint16)
    p = np.float32([[[0.9, 0.9, 0.1, 0.9, 0.9]]])
    found = find(labels, p, threshold=0.2, min_area=2)
    assert found.labels.tolist() == [[1, 1, 0, 2, 2]]


def test_small_regions_are_dropped(find):
    labels = np.uint16([[1, 1, 0, 1]])
    p = np.ones((1, 1, 4), np.float32)
    assert find(labels, p, min_area=2).areas.tolist() == [2]
    assert len(find(labels, p, min_area=3)) == 0


@pytest.mark.parametrize("kind", [float, np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0.2, 0.35, 0.7, 0.9])
def test_a_pixel_at_the_threshold_is_certain(find, threshold, kind):
    labels = np.uint16([[2, 2, 0]])
    p = np.float32([[[0.9, 0.9, 0]], [[0, threshold, 0]]])
    found = find(labels, p, threshold=kind(threshold), min_area=1)
    assert found.labels.tolist() == [[1, 1, 0]]
    # Nor is its class too weak where it is certain of itself at that pixel only.
    p = np.float32([[[0.9, 0.9, 0]], [[0, 0, threshold]]])
    found = find(labels, p, threshold=kind(threshold), min_area=1)
    assert found.labels.tolist() == [[1, 1, 0]]


def test_a_limit_that_is_no_number_is_refused(find):
    maps = np.uint16([[1, 0]]), np.ones((1, 1, 2), np.float32)
    for bad in (float("nan"), np.float32("nan"), "0.2", None, [0.2], 1j):
        with pytest.raises(ValueError, match=r"^threshold is .*; give a number, such"):
            find(*maps, threshold=bad)
        with pytest.raises(ValueError, match=r"^min_area is .*; give a number, such"):
            find(*maps, min_area=bad)
    assert len(find(*maps, threshold=np.inf)) == 0
    assert len(find(*maps, threshold=np.int64(1), min_area=np.uint8(1))) == 1


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.uint8, bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_any_kind_are_probabilities(find, kind, order):
    rng = np.random.default_rng(0)
    p = rng.integers(0, 2, (3, 9, 13)) * (0.5 if np.dtype(kind).kind == "f" else 1)
    labels = p.argmax(0) + 1
    expected = find(labels, p.astype(np.float32), min_area=1)
    given = labels.astype(np.uint8, order), p.astype(kind, order)
    found = find(*given, min_area=1)
    small = half_resolution(*given)
    assert small[1].dtype == np.float32
    halves = half_resolution(labels, p.astype(np.float32))[1]
    np.testing.assert_allclose(small[1], halves, atol=1e-6)
    assert len(found) > 3
    for field in fields(found):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_what_is_no_real_number_is_no_probability(find):
    labels = np.ones((1, 2), int)
    for bad in (np.ones((1, 1, 2), complex), np.full((1, 1, 2), "1")):
        for call in (find, half_resolution):
            with pytest.raises(ValueError, match=r"probabilities are .*; give float32"):
                call(labels, bad)


def test_background_has_the_rest_of_the_probability(find):
    labels = np.uint16([[0, 0, 1]])
    p = np.float32([[[0.25, 0.5, 1.0]]])
    found = find(labels, p, min_area=1, background=True)
    assert found.classes.tolist() == [0, 1]
    assert found.scores[0] == pytest.approx(0.625)
    assert found.points[0].tolist() == [0, 0]


def test_a_class_without_a_pixel_and_one_without_confidence_have_no_region(find):
    labels = np.uint16([[1, 1, 3, 3]])
    p = np.float32([[[0.9, 0.9, 0.3, 0.3]], [[0, 0, 0.5, 0.5]], [[0, 0, 0.1, 0.1]]])
    # The pixels of class 3 are certain (0.5 of class 2), but it is itself nowhere.
    found = find(labels, p, threshold=0.4, min_area=1)
    assert found.classes.tolist() == [1]


def test_of_equal_maxima_the_first_in_reading_order_is_the_point(find):
    labels = np.ones((2, 3), np.uint16)
    p = np.float32([[[0.5, 0.5, 0.9], [0.9, 0.5, 0.9]]])
    assert find(labels, p, min_area=1).points.tolist() == [[2, 0]]


def test_more_labels_than_a_byte_holds(find):
    labels = np.uint16([[0, 300, 299, 300]])
    p = np.zeros((300, 1, 4), np.float32)
    p[299, 0, [1, 3]] = p[298, 0, 2] = 1
    assert find(labels, p, min_area=1).classes.tolist() == [299, 300, 300]


def test_one_region_fills_the_image(find):
    found = find(np.ones((30, 40), np.uint16), np.ones((1, 30, 40), np.float32))
    assert found.boxes.tolist() == [[0, 0, 39, 29]]
    assert found.areas.tolist() == [1200]


def test_maps_that_do_not_fit_are_refused(find):
    with pytest.raises(ValueError, match="do not fit"):
        find(np.zeros((2, 2), int), np.zeros((1, 2, 3), np.float32))
    with pytest.raises(ValueError, match="labels go from 0 to 2"):
        find(np.int32([[0, 2]]), np.zeros((1, 1, 2), np.float32))
    with pytest.raises(ValueError, match="labels go from -1"):
        find(np.int32([[-1, 1]]), np.zeros((1, 1, 2), np.float32))
    with pytest.raises(ValueError, match="at least one class"):
        find(np.zeros((2, 2), int), np.zeros((0, 2, 2), np.float32))
    with pytest.raises(ValueError, match="one pixel"):
        find(np.zeros((0, 2), int), np.zeros((1, 0, 2), np.float32))
    with pytest.raises(ValueError, match="labels are float64"):
        find(np.zeros((2, 2)), np.zeros((1, 2, 2), np.float32))
    with pytest.raises(ValueError, match="labels are bool"):
        find(np.zeros((2, 2), bool), np.zeros((1, 2, 2), np.float32))
    one = np.ones((1, 1, 2), np.float32)
    for bad in (1.1 * one, -0.1 * one, np.nan * one, np.inf * one):
        with pytest.raises(ValueError, match="give values from 0 to 1"):
            find(np.int32([[0, 1]]), bad)
    with pytest.raises(ValueError, match="do not fit"):
        half_resolution(np.zeros((2, 2), int), np.zeros((1, 2, 3), np.float32))
    for bad in (0, -1, 2.5, 2.0, float("nan"), "2", None):
        with pytest.raises(ValueError, match=f"factor is {bad!r}; give a whole number"):
            half_resolution(np.zeros((2, 2), int), np.zeros((1, 2, 2), np.float32), bad)


@given(st.integers(1, 40), st.integers(1, 40))
def test_half_resolution_equals_torch(height, width):
    rng = np.random.default_rng(height * 41 + width)
    labels = rng.integers(0, 4, (height, width)).astype(np.uint16)
    p = rng.random((3, height, width), dtype=np.float32)
    small_labels, small = half_resolution(labels, p)
    size = (max(1, height // 2), max(1, width // 2))
    bilinear = F.interpolate(
        torch.from_numpy(p)[None], size, mode="bilinear", align_corners=False
    )[0]
    nearest = F.interpolate(
        torch.from_numpy(labels.astype(np.float32))[None, None], size, mode="nearest"
    )[0, 0]
    np.testing.assert_allclose(small, bilinear.numpy(), atol=1e-5)
    np.testing.assert_array_equal(small_labels, nearest.numpy())


@settings(deadline=None)
@given(maps(), st.booleans())
def test_planes_of_tensors_are_those_of_arrays(given_maps, background):
    labels, p = given_maps
    expected = planes_of_arrays(labels, p, background)
    given_tensors = torch.from_numpy(labels.astype(np.int32)), torch.from_numpy(p)
    found = planes_of_tensors(*given_tensors, background)
    assert found.labels.dtype == expected.labels.dtype == np.int32
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.best, expected.best, atol=1e-6)
    some = labels >= (0 if background else 1)
    np.testing.assert_allclose(found.own[some], expected.own[some], atol=1e-6)
    for value in np.unique(labels[some]).tolist():
        assert found.most(value) == pytest.approx(expected.most(value), abs=1e-6)


@pytest.mark.parametrize("kind", [np.uint16, np.int64])
def test_tensors_give_what_arrays_give(kind):
    rng = np.random.default_rng(0)
    p = rng.random((4, 61, 46), np.float32) / 4
    labels = (p.argmax(0) + 1).astype(kind)
    tensors = torch.from_numpy(labels), torch.from_numpy(p)
    small, small_tensors = half_resolution(labels, p), half_resolution(*tensors)
    for one, other in zip(small_tensors, small, strict=True):
        assert isinstance(one, torch.Tensor)
        np.testing.assert_allclose(one.numpy(), other, atol=1e-6)
    found = find_regions(*small_tensors, min_area=1)
    expected = find_regions(small[0], small_tensors[1].numpy(), min_area=1)
    assert len(found) > 20
    for field in fields(found):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "float64", "bool"])
@pytest.mark.parametrize("label_kind", ["uint8", "uint16", "int64"])
def test_tensors_of_any_dtype_are_taken(kind, label_kind):
    rng = np.random.default_rng(0)
    p = torch.from_numpy(rng.integers(0, 2, (3, 18, 26)).astype(np.float32))
    labels = (p.numpy().argmax(0) + 1).astype(label_kind)
    expected = half_resolution(labels, p.numpy())
    given = torch.from_numpy(labels), p.to(getattr(torch, kind))
    if given[1].is_floating_point():
        given[1].requires_grad_()
    found = half_resolution(*given)
    assert found[1].dtype == torch.float32
    assert not found[1].requires_grad
    np.testing.assert_array_equal(found[0].numpy(), expected[0])
    np.testing.assert_allclose(found[1].numpy(), expected[1], atol=1e-6)
    of_tensors = find_regions(*given, min_area=1)
    of_arrays = find_regions(labels, p.numpy(), min_area=1)
    assert len(of_arrays) > 3
    np.testing.assert_array_equal(of_tensors.labels, of_arrays.labels)
    np.testing.assert_array_equal(of_tensors.scores, of_arrays.scores)


def test_what_is_no_array_is_refused(find):
    listed = [[1, 1]], [[[1.0, 1.0]]]
    labels, p = np.array(listed[0]), np.array(listed[1], np.float32)
    for call in (find, half_resolution):
        for pair in (listed, (labels, listed[1]), (listed[0], p), (None, p)):
            with pytest.raises(ValueError, match=r"^labels are .*; give two arrays"):
                call(*pair)


def test_the_reference_takes_arrays_only():
    tensors = torch.ones((1, 2), dtype=int), torch.ones((1, 1, 2))
    with pytest.raises(ValueError, match=r"probabilities a Tensor; give two arrays$"):
        find_regions_reference(*tensors)


def test_tensors_that_do_not_fit_are_refused():
    ones = torch.ones((1, 1, 2))
    for labels, p, message in (
        (np.int32([[0, 1]]), ones, "two arrays or two tensors"),
        (torch.ones((1, 2)), ones, "labels are torch.float32"),
        (torch.ones((1, 2), dtype=bool), ones, "labels are torch.bool"),
        (torch.ones((2, 2), dtype=int), ones, "do not fit"),
        (torch.full((1, 2), 2), ones, "labels go from 2 to 2"),
        (torch.full((1, 2), -1), ones, "labels go from -1"),
        (torch.ones((1, 2), dtype=int), ones * 1j, "are torch.complex64; give float32"),
        (torch.ones((1, 2), dtype=int), ones * torch.nan, "from 0 to 1"),
        (torch.ones((1, 2), dtype=int), -ones, "from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            find_regions(labels, p)
        if isinstance(labels, torch.Tensor):
            with pytest.raises(ValueError, match=message):
                planes_of_tensors(labels, p, False)


def test_read_only_maps_are_taken_without_a_warning():
    labels, p = np.ones((9, 9), int), np.ones((1, 9, 9), np.float32)
    for array in (labels, p):
        array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_regions(labels, p).areas.tolist() == []
        assert find_regions(labels, p, min_area=81).areas.tolist() == [81]
    assert labels.min() == 1


def test_minus_zero_is_a_probability(find):
    p = np.float32([[[-0.0, 1.0]]])
    assert find(np.int32([[0, 1]]), p, min_area=1).points.tolist() == [[1, 0]]


def test_full_resolution_keeps_to_the_coarse_labels():
    coarse = np.uint16([[1, 1, 2, 2], [1, 2, 2, 2]])
    small, p = half_resolution(coarse, np.float32([coarse == 1, coarse == 2]))
    found = find_regions(small, p, min_area=1)
    full = full_resolution_regions(found, coarse)
    assert full.tolist() == [[1, 1, 2, 2], [1, 0, 2, 2]]
    assert full.dtype == np.int32


@given(st.integers(1, 30), st.integers(1, 30))
def test_full_resolution_of_any_size(height, width):
    rng = np.random.default_rng(height * 31 + width)
    coarse = rng.integers(0, 3, (height, width)).astype(np.uint16)
    p = np.stack([coarse == 1, coarse == 2]).astype(np.float32)
    small, half = half_resolution(coarse, p)
    found = find_regions(small, half, threshold=0, min_area=1)
    full = full_resolution_regions(found, coarse)
    classes = np.concatenate([[0], found.classes])[full]
    assert (classes[full > 0] == coarse[full > 0]).all()
