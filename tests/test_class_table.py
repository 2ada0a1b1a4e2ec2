from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.class_table import ClassTable, Pasted, many, shown_colour
from napari_s2clip.classes import (
    MAX_CLASSES,
    SAFE_COLOURS,
    ClassEntry,
    ClassSet,
    default_colour,
)


def table_of(text: str) -> ClassTable:
    table = ClassTable()
    table.replace(text)
    return table


def names(table: ClassTable) -> list[str]:
    return [entry.name for entry in table.rows]


def ids(table: ClassTable) -> dict[str, int | None]:
    return {entry.name: entry.id for entry in table.rows}


def test_names_are_written_one_after_the_other():
    table = ClassTable()
    assert table.add(" red  circle") == 0
    assert table.add("car | automobile|motor car|") == 1
    assert table.add("cat", at=0) == 0
    assert names(table) == ["cat", "red circle", "car"]
    assert ids(table) == {"red circle": 1, "car": 2, "cat": 3}
    assert table.rows[2].synonyms == ("automobile", "motor car")
    assert shown_colour(table.rows[0]) == default_colour(2)
    assert table.class_set().ids == (3, 1, 2)
    assert table.class_set().colours == tuple(default_colour(i) for i in (2, 0, 1))


def test_a_removed_class_takes_its_id_along():
    table = table_of("cat; dog; fox")
    table.remove([0, 2])
    assert ids(table) == {"dog": 2}
    table.add("cow")
    assert ids(table) == {"dog": 2, "cow": 4}
    table.undo()
    table.undo()
    # Back with the same ids; and what the cow had is not given away either.
    assert ids(table) == {"cat": 1, "dog": 2, "fox": 3}
    table.add("owl")
    assert ids(table)["owl"] == 5


def test_another_list_begins_anew():
    table = table_of("cat; dog")
    table.remove([0])
    number = table.number
    table.replace("owl")
    assert ids(table) == {"owl": 1}
    assert table.number != number
    table.undo()
    assert table.number == number
    table.add("fox")
    assert ids(table) == {"dog": 2, "fox": 3}


def test_a_set_keeps_its_ids_and_gaps_are_filled():
    classes = ClassSet(
        [ClassEntry("cat", id=3), "dog", ClassEntry("cow", id=7, threshold=0.5)],
        ["sky"],
    )
    table = ClassTable()
    table.replace(classes)
    assert table.class_set() == classes
    table.add("owl")
    assert ids(table) == {"cat": 3, "dog": 1, "cow": 7, "owl": 2}


@pytest.mark.parametrize(
    ("rows", "to", "order", "where"),
    [
        ([0], 2, "bacd", range(1, 2)),
        ([0], 4, "bcda", range(3, 4)),
        ([3], 0, "dabc", range(1)),
        ([0, 2], 4, "bdac", range(2, 4)),
        ([3, 1], 2, "abdc", range(1, 3)),
        ([1, 2], 2, "abcd", range(1, 3)),
    ],
)
def test_classes_are_moved(rows, to, order, where):
    table = table_of("a;b;c;d")
    assert table.move(rows, to) == where
    assert "".join(names(table)) == order
    assert ids(table) == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert table.class_set().id_of("d") == 4


def test_names_synonyms_colours_and_thresholds_are_edited():
    table = table_of("cat\ndog | hound")
    table.rename(1, " big  dog | Hound | puppy")
    table.set_synonyms(0, " kitten | | tom cat ")
    table.recolour(0, SAFE_COLOURS["orange"])
    table.set_threshold(1, 0.25)
    assert table.rows == (
        ClassEntry("cat", ("kitten", "tom cat"), "#e69f00", 1),
        ClassEntry("big dog", ("hound", "puppy"), "", 2, 0.25),
    )
    table.recolour(0, "")
    assert shown_colour(table.rows[0]) == default_colour(0)
    with pytest.raises(ValueError, match="row 1: colour must be"):
        table.recolour(0, "red")
    with pytest.raises(ValueError, match="row 2: threshold must be from 0 to 1"):
        table.set_threshold(1, 1.5)


def test_what_is_pasted_is_split_and_what_is_known_left_out():
    table = table_of("cat | kitten")
    found = table.paste("dog;car | automobile\tCAT\r\n\n kitten; Dog | puppy; fox|cat")
    assert names(table) == ["cat", "dog", "car", "fox"]
    assert table.rows[2].synonyms == ("automobile",)
    assert found.rows == range(1, 4)
    # The puppy goes with its dog, and may come again.
    assert found.known == ("CAT", "kitten", "Dog", "cat")
    assert found.words.endswith("there already: CAT, kitten, Dog, cat")
    assert table.paste("puppy", at=0).rows == range(1)
    assert names(table)[0] == "puppy"
    assert not table.problems()
    assert table.paste(" ;\n").rows == range(5, 5)


def test_not_all_that_was_left_out_is_told():
    found = Pasted(range(0), tuple("abcdefghijkl"))
    assert found.words.endswith(": a, b, c, d, e, f, g, h and 4 more")
    assert Pasted(range(2), ()).words == ""
    assert many("cat; dog")
    assert not many("cat | kitten ;")


def test_every_change_is_one_step():
    table = ClassTable()
    steps = [
        lambda: table.add("cat"),
        lambda: table.paste("dog; fox"),
        lambda: table.rename(0, "lynx"),
        lambda: table.set_synonyms(0, "bobcat"),
        lambda: table.recolour(0, "#123456"),
        lambda: table.set_threshold(0, 0.5),
        lambda: table.move([0], 3),
        lambda: table.set_background(["sky"]),
        lambda: table.remove([0, 1]),
        lambda: table.replace("owl", ["sea"]),
    ]
    states = [(table.rows, table.background)]
    for step in steps:
        step()
        states.append((table.rows, table.background))
    assert not table.can_redo
    for state in states[-2::-1]:
        table.undo()
        assert (table.rows, table.background) == state
    assert not table.can_undo
    table.undo()
    for state in states[1:]:
        table.redo()
        assert (table.rows, table.background) == state
    table.undo()
    table.add("cow")
    assert not table.can_redo


def test_what_changes_nothing_is_no_step():
    table = table_of("cat; dog")
    table.rename(0, "cat ")
    table.move([0], 1)
    table.remove([])
    table.paste("cat")
    table.set_threshold(0, 0)
    table.set_background([" "])
    table.undo()
    assert len(table) == 0
    assert not table.can_undo


def test_typing_background_words_is_one_step():
    table = table_of("cat")
    for text in ("s", "sk", "sky"):
        table.set_background([text])
    table.add("dog")
    table.set_background(["sky", "sea"])
    table.undo()
    assert table.background == ("sky",)
    table.undo()
    table.undo()
    assert (names(table), table.background) == (["cat"], ())


def problem_of(table: ClassTable) -> tuple[int | None, str]:
    (problem,) = table.problems()
    with pytest.raises(ValueError, match="^" + problem.text.split("'")[0]) as caught:
        table.class_set()
    assert str(caught.value) == problem.text
    return problem.row, problem.text


def test_what_is_wrong_is_kept_and_named():
    table = table_of("cat; dog | hound")
    table.rename(1, "")
    assert table.rows[1] == ClassEntry("", ("hound",), "", 2)
    assert problem_of(table) == (
        1,
        "row 2: the name is blank; write a word or remove the row",
    )
    table.rename(1, "Cat")
    assert problem_of(table) == (
        1,
        "row 2: 'Cat' is named twice (also in row 1); once is enough",
    )
    table.rename(1, "Hound")
    assert problem_of(table) == (1, "row 2: 'Hound' is named twice; once is enough")
    table.rename(1, "dog")
    table.set_background(["sea", "Hound"])
    assert problem_of(table) == (
        None,
        "background: 'Hound' is named twice (also in row 2); once is enough",
    )
    table.set_background(["sea", "Sea"])
    assert problem_of(table)[1] == "background: 'Sea' is named twice; once is enough"
    table.set_background(["sea"])
    assert not table.problems()
    assert table.class_set() == ClassSet(["cat", "dog | hound"], ["sea"])


def test_an_empty_table_has_no_classes():
    table = ClassTable()
    assert not table.problems()
    with pytest.raises(ValueError, match="classes is empty; name at least one"):
        table.class_set()


def test_a_list_holds_as_many_as_a_label_map():
    table = ClassTable()
    table.replace(ClassSet([f"c{i}" for i in range(MAX_CLASSES)]))
    with pytest.raises(ValueError, match="there would be 65,535 classes"):
        table.add("one more")
    table.remove([0])
    with pytest.raises(ValueError, match="all 65,534 label values have been used"):
        table.add("one more")
    assert len(table) == MAX_CLASSES - 1


acts = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 9)),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("move"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


@given(st.lists(acts, max_size=30))
def test_an_id_means_one_class_for_ever(todo):
    table = ClassTable()
    owner: dict[int | None, str] = {}
    for number, (act, *where) in enumerate(todo):
        place = [min(i, len(table)) for i in where]
        if act == "add":
            table.add(f"class {number}", *place)
        elif act == "remove":
            table.remove(place)
        elif act == "move" and len(table):
            table.move([min(place[0], len(table) - 1)], place[1])
        elif act == "undo":
            table.undo()
        elif act == "redo":
            table.redo()
        for entry in table.rows:
            assert owner.setdefault(entry.id, entry.name) == entry.name
        assert len({entry.id for entry in table.rows}) == len(table)
