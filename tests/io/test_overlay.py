from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_s2clip.classes import ClassEntry, ClassSet
from napari_s2clip.io import overlay as module
from napari_s2clip.io.overlay import Mark, overlay, region_marks

CLASSES = ClassSet(
    [ClassEntry("cat", colour="#c80000"), ClassEntry("dog", colour="#00c800"), "cow"]
)
RED, GREEN = (200, 0, 0), (0, 200, 0)


def halves(size=200):
    """A grey image; background, cat and dog from left to right."""
    image = np.full((size, size, 3), 100, np.uint8)
    labels = np.zeros((size, size), np.uint16)
    labels[:, size // 4 : size // 2] = 1
    labels[:, size // 2 :] = 2
    return image, labels


def has_colour(picture, colour):
    return (picture == np.array(colour, np.uint8)).all(-1)


def test_colours_are_blended_over_the_image_and_background_stays():
    image, labels = halves()
    picture = overlay(image, labels, CLASSES, legend=False, boundaries=False)
    assert picture.shape == (200, 200, 3)
    assert picture.dtype == np.uint8
    assert picture[9, 9].tolist() == [100, 100, 100]
    assert picture[9, 60].tolist() == [150, 50, 50]
    assert picture[9, 160].tolist() == [50, 150, 50]
    # alpha 0.25: 100 + (200 - 100) / 4 and 100 - 100 / 4
    picture = overlay(
        image, labels, CLASSES, alpha=0.25, legend=False, boundaries=False
    )
    assert picture[9, 60].tolist() == [125, 75, 75]
    # The inputs are as they were.
    assert (image == 100).all()
    assert labels[0, 60] == 1


def test_boundaries_are_in_full_colour_at_both_sides():
    image, labels = halves()
    picture = overlay(image, labels, CLASSES, legend=False)
    assert np.flatnonzero(has_colour(picture, RED)[0]).tolist() == [50, 99]
    assert np.flatnonzero(has_colour(picture, GREEN)[0]).tolist() == [100]
    assert picture[9, 49].tolist() == [100, 100, 100]


def test_boundaries_of_another_map():
    image, labels = halves()
    labels[:] = 1
    regions = np.ones((200, 200), np.int32)
    regions[120:] = 7
    picture = overlay(image, labels, CLASSES, legend=False, boundaries=regions)
    assert np.flatnonzero(has_colour(picture, RED)[:, 5]).tolist() == [119, 120]


def test_the_legend_lists_what_is_present_at_the_right():
    image, labels = halves()
    picture = overlay(image, labels, CLASSES)
    assert picture.shape[0] == 200
    assert picture.shape[1] > 230
    strip = picture[:, 200:]
    assert (strip[:, [0, -1]] == 255).all()
    assert (strip[[0, -1]] == 255).all()
    assert has_colour(strip, RED).sum() > 50
    assert has_colour(strip, GREEN).sum() > 50
    cow = bytes.fromhex(CLASSES.colours[2][1:])
    assert not has_colour(strip, list(cow)).any()
    labels[labels == 2] = 3
    strip = overlay(image, labels, CLASSES)[:, 200:]
    assert has_colour(strip, list(cow)).any()
    assert not has_colour(strip, GREEN).any()


def test_label_values_are_ids():
    image, labels = halves()
    gaps = ClassSet(
        [replace(e, id=i) for e, i in zip(CLASSES, (300, 1, 7), strict=True)]
    )
    other = gaps.label_values(labels)
    assert np.unique(other).tolist() == [0, 1, 300]
    picture, plain = overlay(image, other, gaps), overlay(image, labels, CLASSES)
    np.testing.assert_array_equal(picture[:200, :200], plain[:200, :200])
    # The legend has "300 cat" where "1 cat" was.
    strips = picture[:, 200:], plain[:, 200:]
    assert strips[0].shape != strips[1].shape or (strips[0] != strips[1]).any()
    for value in (2, 299, 301):
        with pytest.raises(ValueError, match=f"the value {value}, which no class"):
            overlay(image, np.full((200, 200), value), gaps)


def test_the_legend_follows_the_order_of_the_classes():
    gaps = ClassSet([ClassEntry("cat", id=3), "dog", ClassEntry("cow", id=7), "fox"])
    present = np.bincount([0, 1, 1, 3, 7])
    texts = [entry.text for entry in module._entries(present, gaps, "nothing")]
    assert texts == ["3 cat", "1 dog", "7 cow", "0 nothing"]


def test_an_empty_map_has_a_legend_too():
    image, labels = halves()
    picture = overlay(image, labels * 0, CLASSES)
    assert picture.shape[1] > 220
    assert (picture[:, :200] == 100).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (33, 20)])
def test_tiny_images_are_enlarged(shape):
    image = np.full((*shape, 3), 100, np.uint8)
    picture = overlay(image, np.ones(shape, np.uint8), CLASSES, boundaries=False)
    factor = -(-192 // max(shape))
    height, width = (factor * side for side in shape)
    assert (picture[:height, :width] == [150, 50, 50]).all()
    assert picture.shape[0] >= height
    assert picture.shape[1] > width
    # Below a flat image is paper.
    assert (picture[height:, :width] == 255).all()


def test_a_picture_needs_no_more_than_its_legend():
    image, labels = halves(1000)
    assert overlay(image, labels, CLASSES).shape[0] == 1000


def test_thick_lines_on_large_images():
    image, labels = halves(2400)
    picture = overlay(image, labels, CLASSES, legend=False)
    assert np.flatnonzero(has_colour(picture, GREEN)[0]).tolist() == [1200, 1201]


def test_many_classes_are_counted_instead_of_listed():
    labels = np.arange(1, 401, dtype=np.uint16).reshape(20, 20).repeat(12, 0)
    labels = labels.repeat(12, 1)
    classes = ClassSet([f"class {i}" for i in range(400)])
    image = np.zeros((240, 240, 3), np.uint8)
    picture = overlay(image, labels, classes)
    assert picture.shape[0] < 2000
    assert picture.shape[1] < 2000


def test_marks_are_written_where_they_fit():
    image, labels = halves()
    plain = overlay(image, labels, CLASSES, legend=False)

    def changed(*marks):
        picture = overlay(image, labels, CLASSES, legend=False, marks=marks)
        rows, columns = np.nonzero((picture != plain).any(-1))
        return rows, columns

    rows, columns = changed(Mark(("12",), 150.5, 60.5, (100, 0, 200, 200)))
    assert rows.size
    assert abs(rows.mean() - 60) < 3
    assert abs(columns.mean() - 150) < 3
    # At the corner of the image the text moves inwards.
    rows, columns = changed(Mark(("12",), 199.5, 0.5, (100, 0, 200, 200)))
    assert rows.size
    assert columns.max() < 200
    # Too narrow for the long text, then for both.
    box = (100, 0, 130, 200)
    assert np.ptp(changed(Mark(("1234567890", "12"), 110, 60, box))[1]) < 30
    assert not changed(Mark(("1234567890",), 110, 60, box))[0].size
    assert not changed(Mark(("1",), 110, 60, (100, 0, 103, 3)))[0].size
    # The second of two at one place is left out.
    mark = Mark(("12",), 150, 60, (100, 0, 200, 200))
    assert len(changed(mark)[0]) == len(changed(mark, mark)[0])


@pytest.mark.parametrize(
    ("scores", "refined", "texts", "stars"),
    [
        ((0.9, 0.3), (True, False), ("#1 0.88", "#2 0.88*"), True),
        ((0.9, 0.9), (True, True), ("#1 0.88", "#2 0.88"), False),
        # SAM was not asked, so there is nothing to tell apart.
        ((np.nan, np.nan), (False, False), ("#1 0.88", "#2 0.88"), False),
    ],
)
def test_regions_are_not_written_like_classes(
    make_result, scores, refined, texts, stars
):
    result = make_result()
    result.region_table["sam_score"] = scores
    result.region_table["refined"] = refined
    marks, notes = region_marks(result)
    assert tuple(mark.texts[0] for mark in marks) == texts
    assert [mark.texts[1] for mark in marks] == ["#1", "#2*" if stars else "#2"]
    expected = ["# region, mean probability", "* not refined by SAM"]
    assert notes == expected[: 1 + stars]


def test_without_regions_the_legend_says_nothing_about_them(make_result):
    result = make_result()
    empty = replace(result, region_table=result.region_table[:0])
    assert region_marks(empty) == ([], [])


def test_notes_are_the_last_lines_of_the_legend():
    image, labels = halves()
    plain = overlay(image, labels, CLASSES)[:, 200:]
    noted = overlay(image, labels, CLASSES, notes=["# region"])[:, 200:]
    rows = np.nonzero((plain < 255).any((1, 2)))[0].max() + 1
    width = plain.shape[1]
    np.testing.assert_array_equal(noted[:rows, :width], plain[:rows])
    assert (noted[rows:] < 255).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((200, 200), np.uint8)}, "image must be uint8"),
        ({"image": np.zeros((200, 200, 3))}, "image must be uint8"),
        ({"labels": np.zeros((9, 9), int)}, "labels must be integers of the image's"),
        ({"labels": np.zeros((200, 200))}, "labels must be integers"),
        ({"labels": np.full((200, 200), 4)}, "labels has the value 4, which no class"),
        ({"labels": np.full((200, 200), 70_000)}, "labels has values from 70000"),
        ({"labels": np.full((200, 200), -1)}, "labels has values from -1"),
        ({"boundaries": np.zeros((9, 9), int)}, "boundaries must be integers"),
        ({"alpha": 1.5}, "alpha must be from 0 to 1"),
        (
            {"image": np.zeros((0, 5, 3), np.uint8), "labels": np.zeros((0, 5), int)},
            "image is empty",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    image, labels = halves()
    given = {"image": image, "labels": labels, "classes": CLASSES} | change
    with pytest.raises(ValueError, match=message):
        overlay(given.pop("image"), given.pop("labels"), given.pop("classes"), **given)
