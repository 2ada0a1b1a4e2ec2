import numpy as np
import pytest
from hypothesis import assume, given
from pycocotools import mask as coco

from napari_s2clip.datasets.polygons import fill, outlines, rings
from napari_s2clip.datasets.rle import compress, decode, decompress, encode

from .maps import masks


@given(masks)
def test_runs_are_those_of_pycocotools(mask: np.ndarray) -> None:
    assume(mask.any())
    height, width = mask.shape
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    y, x = int(rows[0]), int(columns[0])
    counts = encode(mask[y : rows[-1] + 1, x : columns[-1] + 1], x, y, mask.shape)
    text = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert compress(counts) == text
    assert decompress(text) == counts
    first, found = decode(counts, height, width)
    whole = np.zeros_like(mask)
    whole[:, first : first + found.shape[1]] = found
    np.testing.assert_array_equal(whole, mask)


def test_large_runs_are_compressed_as_pycocotools_does() -> None:
    mask = np.zeros((4000, 3000), np.uint8, order="F")
    mask[17:3999, 5:2990] = 1
    mask[40:50, 3:2999] = 0
    counts = encode(mask.astype(bool), 0, 0, mask.shape)
    assert compress(counts) == coco.encode(mask)["counts"].decode()
    assert decompress(compress(counts)) == counts


@pytest.mark.parametrize(
    "counts", [[3], [5, 5], [-1, 7], [1.5, 4.5], ["6"], [[6]], [], None, [2**62] * 5]
)
def test_wrong_runs_are_refused(counts: object) -> None:
    with pytest.raises(ValueError, match=r"must be|are of"):
        decode(counts, 2, 3)


def test_runs_of_nothing_are_an_empty_mask_and_empty_runs_join() -> None:
    assert decode([6], 2, 3)[1].shape == (2, 0)
    first, found = decode([1, 2, 0, 1, 2], 2, 3)
    assert first == 0
    np.testing.assert_array_equal(found, [[0, 1], [1, 1]])


@pytest.mark.parametrize("text", ["ä", " ", "o", "oooooooooooooo1"])
def test_a_wrong_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="compressed RLE"):
        decompress(text)


@given(masks)
def test_outlines_are_the_mask_for_pycocotools_and_us(mask: np.ndarray) -> None:
    assume(mask.any())
    polygons, cut = outlines(mask)
    runs = coco.frPyObjects([p.ravel().tolist() for p in polygons], *mask.shape)
    np.testing.assert_array_equal(coco.decode(coco.merge(runs)), mask)
    x, y, found = fill([p.astype(float) for p in polygons], mask.shape)
    whole = np.zeros_like(mask)
    whole[y : y + found.shape[0], x : x + found.shape[1]] = found
    np.testing.assert_array_equal(whole, mask)
    assert cut == any(hole for _, hole in rings(mask))
    # The area inside is the number of pixels, so nothing overlaps.
    x, y = np.concatenate([p - np.roll(p, -1, 0) for p in polygons]).T
    middle = np.concatenate([p + np.roll(p, -1, 0) for p in polygons])
    assert (x * middle[:, 1]).sum() / 2 == mask.sum()


def test_rings_of_a_frame_around_two_pixels_that_touch() -> None:
    mask = np.zeros((4, 4), bool)
    mask[0] = mask[-1] = mask[:, 0] = mask[:, -1] = True
    mask[1, 2] = mask[2, 1] = True
    found = list(rings(mask))
    assert [hole for _, hole in found] == [False, True]
    assert found[0][0].tolist() == [[0, 0], [4, 0], [4, 4], [0, 4]]
    # Background joins at corners.
    assert sorted(map(tuple, found[1][0].tolist())) == sorted(
        [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (2, 3), (2, 2), (1, 2)]
    )


def test_polygons_that_leave_the_image_are_cut() -> None:
    triangle = np.array([[-3.0, -3.0], [9.0, -3.0], [-3.0, 9.0]])
    x, y, mask = fill([triangle], (3, 4))
    rows, columns = np.mgrid[:3, :4]
    assert (x, y) == (0, 0)
    np.testing.assert_array_equal(mask, rows + columns + 1 < 6)
    assert fill([triangle - 20], (3, 4))[2].size == 0
