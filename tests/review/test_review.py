from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_s2clip.review import Known, Review, uncertainty

from .conftest import digits

CAT, DOG, FOX = 1, 2, 3
START = ("11100", "11100", "00002", "11102")


def test_nothing_is_decided_at_first(scene: Any) -> None:
    scene.shows(*START)
    assert (scene.review.reviewed, len(scene.review)) == (0, 3)
    state = scene.review.state(2)
    assert (state.class_id, state.shape, state.status) == (DOG, "refined", "open")


def test_uncertain_first_and_refused_masks_before_all(scene: Any) -> None:
    # 1 - 0.9 · 0.9, 1 - 0.6 · 0.95, and 1 - 0.8 · 0.2 of a refused mask.
    expected = [0.19, 0.43, 1.84]
    np.testing.assert_allclose(uncertainty(scene.table), expected)
    assert scene.review.select().tolist() == [3, 2, 1]


def test_where_sam_was_not_asked_the_probability_alone_counts(scene: Any) -> None:
    table = scene.table.assign(sam_score=np.nan, refined=False)
    np.testing.assert_allclose(uncertainty(table), [0.1, 0.4, 0.2])


def test_accepting_changes_no_pixel(scene: Any) -> None:
    edit = scene.write(scene.review.accept(1))
    assert len(edit.index[0]) == 0
    scene.shows(*START)
    assert scene.review.state(1).status == "accepted"
    assert scene.review.reviewed == 1


def test_rejecting_makes_the_pixels_background(scene: Any) -> None:
    scene.write(scene.review.reject(1))
    # Region 3 is a cat too, and stays.
    scene.shows("00000", "00000", "00002", "11102")
    assert scene.review.state(1).status == "rejected"


def test_reassigning_gives_another_class(scene: Any) -> None:
    scene.write(scene.review.reassign(2, FOX))
    scene.shows("11100", "11100", "00003", "11103")
    state = scene.review.state(2)
    assert (state.class_id, state.status) == (FOX, "changed")


def test_back_to_the_proposed_class_is_accepted(scene: Any) -> None:
    scene.write(scene.review.reassign(2, FOX))
    scene.write(scene.review.reassign(2, DOG))
    scene.shows(*START)
    assert scene.review.state(2).status == "accepted"


def test_the_coarse_shape_gives_up_and_wins(scene: Any) -> None:
    scene.write(scene.review.take_shape(1, "coarse"))
    scene.shows("11000", "11000", "00002", "11102")
    scene.write(scene.review.take_shape(2, "coarse"))
    scene.shows("11000", "11002", "00002", "11102")
    assert scene.review.state(2).status == "changed"
    scene.write(scene.review.take_shape(2, "refined"))
    scene.shows("11000", "11000", "00002", "11102")
    assert scene.review.state(2).status == "accepted"


def test_pixels_of_other_classes_are_won_only_on_request(scene: Any) -> None:
    scene.labels[1, 4] = FOX
    scene.write(scene.review.take_shape(2, "coarse"))
    scene.shows("11100", "11103", "00002", "11102")
    scene.write(scene.review.take_shape(2, "coarse", overwrite=True))
    scene.shows("11100", "11102", "00002", "11102")


def test_what_was_painted_by_hand_stays(scene: Any) -> None:
    scene.labels[0, 0] = DOG
    scene.write(scene.review.reassign(1, DOG))
    scene.shows("22200", "22200", "00002", "11102")
    # The pixel that the hand had made a dog is not the region's, though it is one now.
    scene.write(scene.review.reject(1))
    scene.shows("20000", "00000", "00002", "11102")


def test_a_rejected_region_comes_back_with_a_shape_or_a_class(scene: Any) -> None:
    scene.write(scene.review.reject(1))
    scene.labels[0, 0] = DOG
    with pytest.raises(ValueError, match="region 1 was rejected"):
        scene.review.accept(1)
    scene.write(scene.review.take_shape(1, "coarse"))
    scene.shows("21000", "11000", "00002", "11102")
    scene.write(scene.review.reject(1))
    scene.write(scene.review.reassign(1, FOX))
    scene.shows("23000", "33000", "00002", "11102")
    assert scene.review.state(1).status == "changed"


def test_a_pixel_won_from_a_neighbour_is_no_longer_the_neighbours(scene: Any) -> None:
    # Region 3 claims a pixel of region 1, which has its class.
    scene.regions[1, 2] = 3
    review = Review(
        scene.table.assign(y_min=0.0), scene.regions, scene.owners, scene.labels
    )
    scene.write(review.take_shape(3, "coarse"))
    scene.shows("11100", "11100", "00102", "11102")
    scene.write(review.reject(1))
    scene.shows("00000", "00100", "00102", "11102")
    for _ in range(2):
        scene.write(review.undo()[1])
    scene.shows(*START)
    scene.write(review.reject(1))
    scene.shows("00000", "00000", "00002", "11102")


def test_a_mask_far_outside_the_box_belongs_to_the_region(scene: Any) -> None:
    scene.owners[3, 4] = 1
    scene.labels[3, 4] = CAT
    scene.write(scene.review.reject(1))
    scene.shows("00000", "00000", "00002", "11100")


@pytest.mark.parametrize("class_id", [0, -1, 65_536])
def test_what_is_no_class_is_refused(scene: Any, class_id: int) -> None:
    with pytest.raises(ValueError, match="class_id must be from 1 to 65535"):
        scene.review.reassign(1, class_id)


def test_undo_and_redo_go_through_states_and_pixels(scene: Any) -> None:
    review = scene.review
    scene.write(review.accept(3))
    scene.write(review.reject(1))
    region, edit = review.undo()
    assert region == 1
    scene.write(edit)
    scene.shows(*START)
    assert review.state(1).status == "open"
    region, edit = review.undo()
    assert (region, len(edit.index[0]), review.reviewed) == (3, 0, 0)
    assert review.undo() is None
    for region, _ in ((3, 0), (1, 6)):
        again, edit = review.redo()
        scene.write(edit)
        assert again == region
    assert review.redo() is None
    scene.shows("00000", "00000", "00002", "11102")
    assert review.state(3).status == "accepted"


def test_undo_leaves_what_was_painted_since(scene: Any) -> None:
    scene.write(scene.review.reject(1))
    scene.labels[0, 0] = DOG
    scene.write(scene.review.undo()[1])
    scene.shows("21100", "11100", "00002", "11102")
    # The painting is no part of the act any more, and the rest can be followed.
    scene.labels[scene.owners == 1] = 0
    scene.labels[0, 0] = DOG
    assert followed(scene.review) == {1}


def test_what_does_nothing_is_no_act(scene: Any) -> None:
    scene.review.accept(1)
    scene.review.accept(1)
    scene.write(scene.review.reject(2))
    scene.write(scene.review.reject(2))
    assert [scene.review.undo()[0] for _ in range(2)] == [2, 1]
    assert scene.review.undo() is None


def test_only_so_many_acts_are_kept(scene: Any) -> None:
    review = Review(scene.table, scene.regions, scene.owners, scene.labels, depth=2)
    for region in (1, 2, 3):
        scene.write(review.reject(region))
    assert [review.undo()[0], review.undo()[0], review.undo()] == [3, 2, None]


def followed(review: Review) -> set[int]:
    return {act.region for act in review.follow()}


def test_undo_by_the_layer_is_followed(scene: Any) -> None:
    review, before = scene.review, scene.labels.copy()
    scene.write(review.reject(1))
    rejected = scene.labels.copy()
    scene.write(review.accept(2))
    assert not review.follow()
    scene.labels[:] = before
    assert followed(review) == {1}
    assert review.state(1).status == "open"
    # What was decided of another region since is no step of the layer.
    assert review.state(2).status == "accepted"
    scene.labels[:] = rejected
    assert followed(review) == {1}
    assert review.state(1).status == "rejected"
    assert not review.follow()


def test_several_steps_of_the_layer_are_followed(scene: Any) -> None:
    review, before = scene.review, scene.labels.copy()
    scene.write(review.reassign(1, DOG))
    dogs = scene.labels.copy()
    scene.write(review.accept(1))
    scene.write(review.reject(1))
    scene.labels[:] = dogs
    assert followed(review) == {1}
    assert review.state(1).status == "changed"
    scene.labels[:] = before
    assert followed(review) == {1}
    assert (review.state(1).status, review.last) == ("open", None)
    # Those of different regions also when nobody looked in between.
    scene.write(review.reject(1))
    scene.write(review.reject(2))
    scene.labels[:] = before
    assert followed(review) == {1, 2}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [3, 2, 1]),
        ({"class_id": CAT}, [3]),
        ({"class_id": FOX}, [1]),
        ({"status": "open"}, [3]),
        ({"status": "accepted"}, [2]),
        ({"status": "changed", "class_id": CAT}, []),
        ({"min_area": 4}, [3, 1]),
    ],
)
def test_regions_are_selected(
    scene: Any, wanted: dict[str, Any], expected: list[int]
) -> None:
    scene.write(scene.review.reassign(1, FOX))
    scene.review.accept(2)
    assert scene.review.select(**wanted).tolist() == expected


def test_decisions_are_kept_as_json(scene: Any) -> None:
    review = scene.review
    scene.write(review.take_shape(2, "coarse"))
    scene.write(review.reject(1))
    review.accept(3)
    data = json.loads(json.dumps(review.to_dict()))
    again = Review(scene.table, scene.regions, scene.owners, scene.labels)
    assert again.restore(data) == []
    assert again.decided == review.decided
    assert again.to_dict() == data
    # What region 2 has won is its own again, and what 1 gave up is not.
    scene.write(again.reject(2))
    scene.shows("00000", "00000", "00000", "11100")
    assert again.undo() is not None
    assert again.undo() is None


@pytest.mark.parametrize(
    ("column", "value"),
    [("class_id", CAT), ("area", 9), ("x_max", 4.0), ("region", 12)],
)
def test_a_decision_is_never_for_another_region(
    scene: Any, column: str, value: float
) -> None:
    scene.review.accept(2)
    table = scene.table.copy()
    table.loc[1, column] = value
    again = Review(table, scene.regions, scene.owners, scene.labels)
    assert again.restore(scene.review.to_dict()) == [
        "Region 2 is another one now; it stays open."
    ]
    assert again.reviewed == 0


def test_a_decision_that_the_labels_do_not_show_is_not_taken_over(scene: Any) -> None:
    before = scene.labels.copy()
    scene.write(scene.review.reject(1))
    scene.write(scene.review.reassign(2, FOX))
    scene.write(scene.review.take_shape(3, "coarse"))
    again = Review(scene.table, scene.regions, scene.owners, before)
    problems = again.restore(scene.review.to_dict())
    assert again.reviewed == 0
    assert [problem[:31] for problem in problems] == [
        "Region 1 was rejected, but the ",
        "Region 2 was changed, but the l",
        "Region 3 was changed, but the l",
    ]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: [], 'expected a mapping with the list "regions"'),
        (lambda data: {**data, "version": 7}, "version 7 is not known"),
        (lambda data: data["regions"][0].pop("box") and data, "damaged.*'box'"),
        (lambda data: data["regions"][0].update(status="odd") or data, "'odd' is none"),
        (lambda data: data["regions"][0].update(region="1") or data, "whole number"),
    ],
)
def test_damaged_data_are_refused(scene: Any, damage: Any, message: str) -> None:
    scene.review.accept(1)
    data = damage(scene.review.to_dict())
    again = Review(scene.table, scene.regions, scene.owners, scene.labels)
    with pytest.raises(ValueError, match=message):
        again.restore(data)
    assert again.reviewed == 0


def test_a_rerun_keeps_the_decisions_on_equal_regions(
    scene: Any, make_table: Any
) -> None:
    known: Known = {}
    scene.review.carry_over(known)
    scene.review.accept(1)
    scene.review.accept(3)
    scene.write(scene.review.reject(2))
    # The new run counts otherwise, and region 3 has lost a pixel.
    new = np.array([0, 3, 1, 2], np.int32)
    regions, owners = new[scene.regions], new[scene.owners]
    regions[3, 0] = 0
    table = make_table(regions, [DOG, CAT, CAT])
    again = Review(table, regions, owners, scene.labels)
    assert again.carry_over(known) == 2
    assert {r: s.status for r, s in again.decided.items()} == {
        3: "accepted",
        1: "rejected",
    }


def test_decisions_wait_while_a_region_is_gone(scene: Any, make_table: Any) -> None:
    known: Known = {}

    def rerun(regions: np.ndarray[Any, Any]) -> Review:
        table = make_table(regions, [CAT, DOG, CAT])
        review = Review(table, regions, regions, scene.labels)
        review.carry_over(known)
        return review

    whole, cut = scene.regions, scene.regions.copy()
    cut[3, 0] = 0
    first = rerun(whole)
    first.accept(1)
    first.accept(3)
    second = rerun(cut)
    assert second.decided.keys() == {1}
    assert rerun(whole).decided.keys() == {1, 3}
    # The last word counts, whichever result it was on.
    first.undo()
    scene.write(second.reject(1))
    third = rerun(whole)
    assert {r: s.status for r, s in third.decided.items()} == {1: "rejected"}


def test_regions_that_look_the_same_keep_nothing(make_table: Any) -> None:
    # Two diagonals: equal box, area and class.
    regions = digits("12", "21").astype(np.int32)
    known: Known = {}
    for reviewed in (1, 0):
        review = Review(make_table(regions, [CAT, CAT]), regions, regions, regions)
        review.carry_over(known)
        if reviewed:
            review.accept(1)
        assert review.reviewed == reviewed
    assert known == {}


def test_arrays_must_fit(scene: Any) -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        Review(scene.table, scene.regions[:2], scene.owners, scene.labels)
    table = scene.table.assign(position=[(0,)] * 3)
    with pytest.raises(ValueError, match="position: the labels have 0 axes"):
        Review(table, scene.regions, scene.owners, scene.labels)
    with pytest.raises(ValueError, match="an id is twice"):
        Review(scene.table.assign(region=1), scene.regions, scene.owners, scene.labels)
    with pytest.raises(ValueError, match="segment the image again"):
        scene.review.labels = scene.labels[1:]


ACTS = st.one_of(
    st.tuples(
        st.sampled_from(["accept", "reject", "coarse", "refined", "over"]),
        st.integers(1, 4),
    ),
    st.tuples(st.integers(1, 3), st.integers(1, 4)),
    st.sampled_from([("undo", 0), ("redo", 0)]),
)


def run(review: Review, act: tuple[Any, int]) -> Any:
    kind, region = act
    if kind in ("undo", "redo"):
        found = getattr(review, kind)()
        return found[1] if found else None
    if isinstance(kind, int):
        return review.reassign(region, kind)
    if kind in ("coarse", "refined", "over"):
        shape = "coarse" if kind == "over" else kind
        return review.take_shape(region, shape, overwrite=kind == "over")
    if kind == "accept" and review.state(region).status == "rejected":
        return None
    return getattr(review, kind)(region)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    regions=arrays(np.int32, (5, 6), elements=st.integers(0, 4)),
    owners=arrays(np.int32, (5, 6), elements=st.integers(0, 4)),
    classes=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    by_hand=arrays(np.int32, (5, 6), elements=st.integers(-9, 3)),
    acts=st.lists(ACTS, max_size=25),
)
def test_undoing_everything_gives_the_original(
    make_table: Any,
    regions: np.ndarray[Any, Any],
    owners: np.ndarray[Any, Any],
    classes: list[int],
    by_hand: np.ndarray[Any, Any],
    acts: list[tuple[Any, int]],
) -> None:
    regions.ravel()[:4] = [1, 2, 3, 4]
    labels = np.array([0, *classes], np.uint16)[owners]
    labels = np.where(by_hand >= 0, by_hand, labels).astype(np.uint16)
    original = labels.copy()
    review = Review(make_table(regions, classes), regions, owners, labels)
    held = review._pixels._holdings
    whole = review._pixels.place(1, (), (0, 0, 5, 6))
    for act in acts:
        before, state = labels.copy(), dict(review.decided)
        edit = run(review, act)
        if edit is None:
            continue
        assert (labels[edit.index] != edit.values).all()
        labels[edit.index] = edit.values
        if act[0] == "accept":
            assert np.array_equal(before, labels)
        if act[0] not in ("over", "undo", "redo", "accept"):
            # Only the region's own class or background has changed.
            was = state.get(act[1]) or review.proposal(act[1])
            now = review.state(act[1])
            changed = before != labels
            assert np.isin(before[changed], (0, was.class_id)).all()
            assert np.isin(labels[changed], (0, now.class_id)).all()
    while (found := review.undo()) is not None:
        labels[found[1].index] = found[1].values
    np.testing.assert_array_equal(labels, original)
    np.testing.assert_array_equal(held.read(whole), owners)
    assert review.reviewed == 0
