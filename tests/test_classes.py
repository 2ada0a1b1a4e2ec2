from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.classes import MAX_CLASSES, ClassEntry, ClassSet, default_colour


def test_ids_follow_the_order():
    classes = ClassSet(["cat", "dog"])
    assert classes.names == ("cat", "dog")
    assert len(classes) == 2
    assert [classes.id_of(name) for name in classes.names] == [1, 2]
    assert [classes.name_of(value) for value in range(3)] == [
        "background",
        "cat",
        "dog",
    ]
    assert [entry.name for entry in classes] == ["cat", "dog"]
    with pytest.raises(KeyError):
        classes.id_of("horse")
    for value in (-1, 3):
        with pytest.raises(KeyError):
            classes.name_of(value)


def test_ids_may_have_gaps_and_any_order():
    classes = ClassSet([ClassEntry("cat", id=3), "dog", ClassEntry("cow", id=7)])
    assert classes.ids == (3, 1, 7)
    assert [classes.id_of(name) for name in classes.names] == [3, 1, 7]
    assert [classes.name_of(i) for i in (0, 1, 3, 7)] == [
        "background",
        "dog",
        "cat",
        "cow",
    ]
    # A class keeps its colour wherever it stands.
    assert classes.colours == tuple(default_colour(i) for i in (2, 0, 6))
    assert classes.colour_of(7) == default_colour(6)
    for look_up in (classes.name_of, classes.colour_of):
        with pytest.raises(KeyError):
            look_up(2)
    with pytest.raises(KeyError):
        classes.colour_of(0)
    assert ClassSet(classes) == classes
    assert classes != ClassSet(["cat", "dog", "cow"])


@given(st.lists(st.none() | st.integers(1, 12), min_size=1, max_size=8))
def test_classes_without_an_id_get_the_smallest_free_ones(wanted):
    entries = [ClassEntry(f"c{i}", id=number) for i, number in enumerate(wanted)]
    given_ids = [number for number in wanted if number is not None]
    if len(set(given_ids)) < len(given_ids):
        with pytest.raises(ValueError, match=r"id \d+ is given twice"):
            ClassSet(entries)
        return
    ids = ClassSet(entries).ids
    assert len(set(ids)) == len(ids)
    assert [i for i, w in zip(ids, wanted, strict=True) if w is not None] == given_ids
    new = [i for i, w in zip(ids, wanted, strict=True) if w is None]
    assert new == [i for i in range(1, 30) if i not in given_ids][: len(new)]


def test_positions_become_label_values():
    positions = np.array([[0, 1], [3, 2]], np.uint16)
    classes = ClassSet([ClassEntry("cat", id=3), "dog", ClassEntry("cow", id=7)])
    found = classes.label_values(positions)
    assert found.tolist() == [[0, 3], [7, 1]]
    assert found.dtype == np.uint16
    assert ClassSet(["cat", "dog", "cow"]).label_values(positions) is positions


def test_synonyms_are_separated_by_bars_and_blanks_are_tidied():
    (entry,) = ClassSet(["  sports   car |\tautomobile|motor\ncar "]).entries
    assert entry.name == "sports car"
    assert entry.synonyms == ("automobile", "motor car")
    assert entry.phrases == ("sports car", "automobile", "motor car")


def test_entries_keep_their_colour_and_others_get_one_by_position():
    given_entry = ClassEntry("cat", ("kitten",), "#A0b1C2")
    classes = ClassSet([given_entry, "dog", ClassEntry("cow")])
    assert classes.entries[0] == replace(given_entry, id=1)
    assert classes.colours == ("#A0b1C2", default_colour(1), default_colour(2))


def test_text_is_parsed_by_lines_and_semicolons():
    classes = ClassSet.parse("cat; dog | puppy ;\n\n cow\r\n;", ["sky"])
    assert classes.names == ("cat", "dog", "cow")
    assert classes.entries[1].synonyms == ("puppy",)
    assert classes.background == ("sky",)
    # A comma may be part of a name.
    assert ClassSet.parse("red, round thing").names == ("red, round thing",)


@pytest.mark.parametrize(
    ("classes", "background", "message"),
    [
        ([], [], "classes is empty; name at least one"),
        ([" "], [], r"classes\[0\] is blank"),
        (["cat", ""], [], r"classes\[1\] is blank"),
        (["cat |"], [], r"a synonym in classes\[0\] is blank"),
        (["cat", "Cat"], [], "'Cat' is named twice"),
        (["cat", "dog | CAT"], [], "'CAT' is named twice"),
        (["cat | cat"], [], "'cat' is named twice"),
        (["straße", "STRASSE"], [], "named twice"),
        (["cat"], ["cat"], r"named twice \(class 'cat' and background\)"),
        (["cat"], ["sky", "Sky"], "'Sky' is named twice"),
        (["cat"], ["  "], r"background\[0\] is blank"),
        (["cat"], "sky", "background must be a list"),
        ("cat; dog", [], r"ClassSet\.parse"),
        ([3], [], r"classes\[0\] must be a name or a ClassEntry, got int"),
        (["cat"], [3], r"background\[0\] must be text, got int"),
        ([ClassEntry("cat", "kitten")], [], r"synonyms in classes\[0\] must be a list"),
        ([ClassEntry("cat", (1,))], [], r"a synonym in classes\[0\] must be text"),
        ([ClassEntry("cat", colour="red")], [], r"classes\[0\]: colour must be"),
        ([ClassEntry("cat", colour="#12345")], [], "got '#12345'"),
        ([ClassEntry("cat", colour="#1234567")], [], "colour must be"),
        (
            [ClassEntry("cat", id=0)],
            [],
            r"classes\[0\]: id must be .* 1 to 65534, got 0",
        ),
        ([ClassEntry("cat", id=65_535)], [], "id must be a whole number"),
        ([ClassEntry("cat", id=1.0)], [], "id must be a whole number"),
        ([ClassEntry("cat", id=True)], [], "id must be a whole number"),
        (
            [ClassEntry("cat", id=3), "cow", ClassEntry("dog", id=3)],
            [],
            "id 3 is given twice \\('cat' and 'dog'\\)",
        ),
        ([ClassEntry("a", threshold=1.5)], [], r"\[0\]: threshold must be from 0 to 1"),
        ([ClassEntry("a", threshold=float("nan"))], [], "threshold must be.*got nan"),
        ([ClassEntry("a", threshold="0.5")], [], "threshold must be"),
    ],
)
def test_what_cannot_be_classes_is_refused(classes, background, message):
    with pytest.raises(ValueError, match=message):
        ClassSet(classes, background)


def test_as_many_classes_as_a_label_map_holds():
    names = [f"class {i}" for i in range(MAX_CLASSES + 1)]
    with pytest.raises(ValueError, match=r"65,535 names.*65,534"):
        ClassSet(names)
    assert len(ClassSet(names[:-1])) == MAX_CLASSES


def test_plain_data_goes_through_json():
    classes = ClassSet(["cat | kitten", "dog"], ["sky"])
    data = json.loads(json.dumps(classes.to_dict()))
    assert data == {
        "classes": [
            {
                "id": 1,
                "name": "cat",
                "synonyms": ["kitten"],
                "colour": default_colour(0),
            },
            {"id": 2, "name": "dog", "synonyms": [], "colour": default_colour(1)},
        ],
        "background": ["sky"],
    }


def test_plain_data_has_thresholds_where_there_are_any():
    classes = ClassSet([ClassEntry("cat", id=9, threshold=0.25), "dog"])
    assert classes.thresholds == (0.25, 0.0)
    cat, dog = classes.to_dict()["classes"]
    assert (cat["id"], cat["threshold"]) == (9, 0.25)
    assert (dog["id"], "threshold" in dog) == (1, False)


def test_equal_sets_are_equal():
    one, two = (ClassSet(["cat | kitten", "dog"], ["sky"]) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != ClassSet(["cat | kitten", "dog"])
    assert one != ClassSet(["dog", "cat | kitten"], ["sky"])
    assert one != ["cat", "dog"]
    assert repr(one) == "ClassSet(['cat', 'dog'], background=['sky'])"


def test_colours_are_valid_and_neighbours_differ():
    colours = [default_colour(i) for i in range(2000)]
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    assert colours[:2] == ["#56b4e9", "#d55e00"]
    assert len(set(colours[:100])) == 100

    def distance(pair):
        a, b = (bytes.fromhex(colour[1:]) for colour in pair)
        return max(abs(x - y) for x, y in zip(a, b, strict=True))

    assert min(map(distance, pairwise(colours))) > 40


@given(
    st.lists(st.text("abcdefg |;\n\t", min_size=1, max_size=6), min_size=1, max_size=4)
)
def test_names_are_accepted_tidy_or_refused(names):
    try:
        classes = ClassSet(names)
    except ValueError:
        return
    phrases = [p for entry in classes for p in entry.phrases]
    assert all(p == " ".join(p.split()) and p and "|" not in p for p in phrases)
    assert len(set(phrases)) == len(phrases)
