from __future__ import annotations

import json
import re
from itertools import pairwise

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


def test_synonyms_are_separated_by_bars_and_blanks_are_tidied():
    (entry,) = ClassSet(["  sports   car |\tautomobile|motor\ncar "]).entries
    assert entry.name == "sports car"
    assert entry.synonyms == ("automobile", "motor car")
    assert entry.phrases == ("sports car", "automobile", "motor car")


def test_entries_keep_their_colour_and_others_get_one_by_position():
    given_entry = ClassEntry("cat", ("kitten",), "#A0b1C2")
    classes = ClassSet([given_entry, "dog", ClassEntry("cow")])
    assert classes.entries[0] == given_entry
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
