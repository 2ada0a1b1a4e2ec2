import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_s2clip.image import to_rgb


def grey(values, **options):
    """One row of pixels, its grey levels after conversion."""
    pixels = to_rgb(np.array([values]), **options).pixels
    assert (pixels == pixels[..., :1]).all()
    return pixels[0, :, 0].tolist()


def test_uint8_colour_passes_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    result = to_rgb(image)
    assert np.array_equal(result.pixels, image)
    assert result.notes == ()


def test_grey_is_repeated():
    assert grey(np.array([0, 9, 255], np.uint8)) == [0, 9, 255]
    assert to_rgb(np.zeros((4, 5, 1), np.uint8)).pixels.shape == (4, 5, 3)


def test_bool_is_black_and_white():
    assert grey([False, True]) == [0, 255]


def test_float_colour_in_unit_range_is_multiplied():
    image = np.array([[[0.0, 0.5, 1.0]]])
    assert to_rgb(image).pixels.tolist() == [[[0, 128, 255]]]
    assert to_rgb(image).notes == ()


def test_uint16_is_stretched_between_percentiles_and_says_so():
    values = np.arange(1001, dtype=np.uint16) * 60
    result = to_rgb(values[None])
    row = result.pixels[0, :, 0]
    # The 1st percentile is 600, the 99.8th 59,880.
    assert row[10] == 0
    assert row[998] == 255
    assert row[504] == pytest.approx(255 * (504 - 10) / 988, abs=1)
    assert "600 to 59880" in result.notes[0]


def test_contrast_limits_come_first():
    assert grey(np.uint16([0, 100, 150, 200, 900]), contrast_limits=(100, 200)) == [
        0,
        0,
        128,
        255,
        255,
    ]
    assert grey(np.uint8([0, 50, 100]), contrast_limits=(0, 100)) == [0, 128, 255]
    result = to_rgb(np.uint8([[3]]), contrast_limits=(0, 255))
    assert result.pixels[0, 0, 0] == 3
    assert result.notes == ()


def test_alpha_is_composited_on_black_and_says_so():
    image = np.uint8([[[200, 100, 50, 255], [200, 100, 50, 51], [9, 9, 9, 0]]])
    result = to_rgb(image)
    assert result.pixels.tolist() == [[[200, 100, 50], [40, 20, 10], [0, 0, 0]]]
    assert "alpha" in result.notes[0]
    half = np.array([[[1.0, 0.5, 0.0, 0.5]]])
    assert to_rgb(half).pixels.tolist() == [[[128, 64, 0]]]


def test_values_that_are_not_finite():
    values = np.array([0.0, 1.0, np.nan, np.inf, -np.inf, 0.5])
    assert grey(values, contrast_limits=(0, 1)) == [0, 255, 0, 255, 0, 128]
    assert "3 values" in to_rgb(values[None]).notes[-1]
    assert grey(np.full(3, np.nan)) == [0, 0, 0]
    assert grey(np.full(3, np.inf)) == [255, 255, 255]


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_constant_image_is_grey(value):
    assert grey(np.full(4, value, np.uint16)) == [128] * 4


def test_a_few_bright_pixels_on_a_constant_ground_are_seen():
    values = np.zeros((100, 100), np.float32)
    values[5, 5] = 3
    pixels = to_rgb(values).pixels[..., 0]
    assert pixels[5, 5] == 255
    assert pixels.sum() == 255


def test_lazy_and_non_contiguous_arrays():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    assert np.array_equal(to_rgb(da.from_array(image, chunks=3)).pixels, image)
    flipped = to_rgb(image[::-1, ::2]).pixels
    assert np.array_equal(flipped, image[::-1, ::2])
    assert flipped.flags.c_contiguous
    assert np.array_equal(
        to_rgb([[0, 255], [255, 0]]).pixels[..., 0], [[0, 255], [255, 0]]
    )


def test_huge_floats_do_not_overflow():
    top = np.finfo(np.float32).max
    assert grey(np.float32([-top, 0, top]), contrast_limits=(-top, top)) == [
        0,
        128,
        255,
    ]


@given(
    hnp.arrays(
        st.sampled_from(
            [
                np.uint8,
                np.int8,
                np.uint16,
                np.int32,
                np.uint64,
                np.float16,
                np.float32,
                np.float64,
                np.bool_,
            ]
        ),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    )
)
def test_any_grey_image_becomes_rgb(image):
    pixels = to_rgb(image).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*image.shape, 3)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_brighter_never_becomes_darker(values):
    order = np.argsort(values, kind="stable")
    levels = np.array(grey(np.array(values)))[order]
    assert (np.diff(levels) >= 0).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((0, 4)), "image is empty"),
        (np.zeros((4, 4), complex), "complex numbers"),
        (np.array([["a", "b"]]), "image holds"),
        (np.array([[None, 1]]), "image holds object"),
        (np.zeros(5), "not one plane"),
        (np.zeros((5, 5, 2)), "choose one plane"),
        (np.zeros((5, 5, 5, 3)), "choose one plane"),
        ([[1, 2], [3]], "image cannot be read"),
    ],
)
def test_what_is_no_image_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        to_rgb(data)


def test_the_colour_axis_can_be_said():
    stack = np.zeros((5, 5, 3), np.uint8)
    with pytest.raises(ValueError, match="choose one plane"):
        to_rgb(stack, rgb=False)
    with pytest.raises(ValueError, match="no colour axis"):
        to_rgb(stack[..., 0], rgb=True)


@pytest.mark.parametrize("limits", [(1, 0), (np.nan, 1), (0, np.inf)])
def test_contrast_limits_must_make_sense(limits):
    with pytest.raises(ValueError, match="contrast_limits"):
        to_rgb(np.zeros((2, 2)), contrast_limits=limits)
