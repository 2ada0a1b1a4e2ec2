import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.io.class_lists import read_classes, write_classes

CLASSES = ClassSet(
    [
        ClassEntry("cat", ("kitten",), "#123456", id=9, threshold=0.3),
        "große Katze",
        ClassEntry("no", id=1),
    ],
    ["sky", "yes"],
)


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".YML"])
def test_what_is_written_is_read_again(tmp_path, suffix):
    path = tmp_path / f"classes{suffix}"
    write_classes(path, CLASSES)
    assert read_classes(path) == CLASSES
    with pytest.raises(FileExistsError, match="overwrite it or choose another name"):
        write_classes(path, ClassSet(["dog"]))
    assert read_classes(path) == CLASSES
    write_classes(path, ClassSet(["dog"]), overwrite=True)
    assert read_classes(path) == ClassSet(["dog"])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(st.lists(words, min_size=1, max_size=6, unique_by=str.casefold))
def test_any_name_survives(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("lists")
    classes = ClassSet([ClassEntry(name) for name in names])
    for suffix in (".json", ".yaml"):
        write_classes(folder / f"x{suffix}", classes)
        assert read_classes(folder / f"x{suffix}") == classes


def test_our_own_files_may_leave_things_open(tmp_path):
    path = tmp_path / "x.json"
    entries = [
        {"name": "cat", "id": None, "color": "#123456"},
        {"name": "dog", "id": 1},
        "cow",
    ]
    path.write_text(json.dumps({"classes": entries}))
    classes = read_classes(path)
    assert classes.colours[0] == "#123456"
    assert classes.ids == (2, 1, 3)
    assert classes.thresholds == (0, 0, 0)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        # COCO: ids with gaps, in any order, among much else.
        (
            {
                "images": [],
                "categories": [
                    {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
                    {"id": 1, "name": "person"},
                ],
            },
            ("person", "toothbrush"),
        ),
        # YOLO.
        ({"path": "..", "nc": 2, "names": ["cat", "dog"]}, ("cat", "dog")),
        ({"names": {1: "dog", 0: "cat"}}, ("cat", "dog")),
        # Hugging Face, whose numbers are text, with the background first.
        ({"id2label": {"0": "Background", "10": "b", "2": "a"}}, ("a", "b")),
        (["cat", "dog"], ("cat", "dog")),
        ({"classes": ["cat", "car | automobile"]}, ("cat", "car")),
    ],
)
def test_the_lists_of_others(tmp_path, content, names):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    assert read_classes(tmp_path / "x.yaml").names == names
    assert read_classes(tmp_path / "x.yaml").ids == tuple(range(1, len(names) + 1))
    (tmp_path / "x.json").write_text(json.dumps(content))
    assert read_classes(tmp_path / "x.json").names == names


def test_one_name_a_line(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("\ufeffcat\r\n\n  dog | hound # the big one\n# a remark\n")
    classes = read_classes(path)
    assert classes.names == ("cat", "dog")
    assert classes.entries[1].synonyms == ("hound",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", "{", "it is no JSON"),
        ("x.yaml", "a: [", "it is no YAML"),
        ("x.yaml", "!!python/object/apply:os.system ['true']", "it is no YAML"),
        ("x.json", "3", "the list: it is no list of names"),
        ("x.json", '{"images": []}', "none of classes, categories, names and id2l"),
        ("x.json", '{"categories": {}}', "categories: it is no list"),
        ("x.json", '{"categories": [3]}', r"categories\[0\]: it is no entry"),
        ("x.json", '{"categories": [{"id": 1}]}', r"\[0\]: name: it is missing"),
        ("x.json", '{"categories": [{"name": "a"}]}', r"\[0\]: id: it is missing"),
        ("x.json", '{"categories": [{"id": "x", "name": "a"}]}', "no whole number"),
        (
            "x.json",
            '{"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
            r"categories\[1\]: id: 1 is there twice",
        ),
        ("x.json", '{"names": [1]}', "name of 0: 1 is no text"),
        ("x.yaml", "names: [no, yes]", "name of 0: False is no text"),
        ("x.json", '{"classes": [{"colour": "#123456"}]}', "name: it is missing"),
        ("x.json", '{"classes": [{"name": "a", "synonyms": "b"}]}', "synonyms: they"),
        ("x.json", '{"classes": [{"name": "a", "colour": "red"}]}', "colour must be"),
        ("x.json", '{"classes": ["a"], "background": "sky"}', "background: it is no"),
        ("x.json", '{"classes": []}', "classes is empty"),
        ("x.json", '{"classes": [{"name": "a", "id": "1"}]}', r"\[0\]: id must be"),
        (
            "x.json",
            '{"classes": [{"name": "a", "id": 2}, {"name": "b", "id": 2}]}',
            "id 2 is given twice",
        ),
        ("x.yaml", "classes: [{name: a, threshold: .nan}]", "threshold must be"),
        ("x.txt", "\n", "classes is empty"),
        ("x.txt", "cat\nCat", "is named twice"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_classes(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_lists(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="it is no text; save it as UTF-8"):
        read_classes(tmp_path / "x.txt")
    with pytest.raises(FileNotFoundError):
        read_classes(tmp_path / "none.txt")
    with pytest.raises(ValueError, match=r"name it \.json or \.yaml"):
        write_classes(tmp_path / "x.csv", CLASSES)
