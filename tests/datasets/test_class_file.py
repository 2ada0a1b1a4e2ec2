import json
from pathlib import Path

import pytest

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.datasets import DatasetError
from napari_s2clip.datasets.class_file import (
    read_classes,
    require_classes,
    write_classes,
)


def test_everything_comes_back(tmp_path: Path) -> None:
    entries = [ClassEntry("cat", ("tom",), "#123456", 9, 0.5), ClassEntry("große")]
    classes = ClassSet(entries, ["sky"])
    write_classes(tmp_path, classes, ignore=255)
    assert require_classes(tmp_path) == (classes, {"ignore": 255})
    rows = json.loads((tmp_path / "classes.json").read_text("utf-8"))["classes"]
    assert [row["index"] for row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is no JSON"),
        ("[]", "classes: they are missing"),
        ('{"classes": {}}', "classes: it is no list"),
        ('{"classes": [{"index": 1}]}', r"classes\[0\]: name: it is missing"),
        (
            '{"classes": ["a", {"index": 3, "name": "b"}]}',
            r"classes\[1\].index must be 2, got 3; list the classes in order",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str, tmp_path: Path) -> None:
    assert read_classes(tmp_path) is None
    with pytest.raises(DatasetError, match=r"classes\.json: there is no such file"):
        require_classes(tmp_path)
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(DatasetError, match=rf"^[^\n]*classes\.json: {words}[^\n]*$"):
        read_classes(tmp_path)
