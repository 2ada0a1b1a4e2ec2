import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.datasets import FORMATS, DatasetError, DatasetWriter, Format, Item

CLASSES = ClassSet(
    [
        ClassEntry("cat", ("kitten", "tom"), "#123456", id=9, threshold=0.25),
        "große Katze",
    ],
    ["sky"],
)
LABELS = np.array([[9, 0, 1], [9, 1, 0]])
ITEM = Item(
    "a b",
    LABELS,
    CLASSES,
    image=np.zeros(LABELS.shape, np.uint8),
    pixel_size=(0.25, 0.5),
    unit="micrometer",
    split="val",
    source="/photos/a b.tif",
    provenance={"model": "ü", "tile": [0, 3]},
    edited=True,
    reviewed=False,
)
KEPT = ("pixel_size", "unit", "split", "source", "provenance", "edited", "reviewed")


def write(folder: Path, form: Format, *items: Item) -> None:
    writer = DatasetWriter(folder, form, CLASSES)
    for item in items:
        writer.add(item)
    writer.finish()


every = pytest.mark.parametrize("name", FORMATS)


@every
def test_what_a_format_does_not_hold_comes_back(name: str, tmp_path: Path) -> None:
    form = FORMATS[name]()
    plain = Item("plain", LABELS, CLASSES, image=ITEM.image)
    write(tmp_path, form, ITEM, plain)
    back = {item.name: item for item in form.read(tmp_path)}
    for field in KEPT:
        assert getattr(back["a b"], field) == getattr(ITEM, field), field
    # Thresholds, synonyms and background words are part of what is compared.
    assert back["a b"].classes == back["plain"].classes == CLASSES
    plain = back["plain"]
    assert (plain.edited, plain.reviewed, plain.pixel_size) == (None, None, None)
    assert plain.split == "train"


def test_an_index_below_the_folder_finds_it_too(tmp_path: Path) -> None:
    form = FORMATS["coco"]()
    write(tmp_path, form, ITEM)
    (back,) = form.read(tmp_path / "annotations" / "instances_val.json")
    assert (back.source, back.classes) == (ITEM.source, CLASSES)


def test_of_other_images_and_classes_nothing_is_known(tmp_path: Path) -> None:
    form = FORMATS["png"]()
    write(tmp_path, form, ITEM)
    # Another program put another image under the name, and renamed a class.
    from PIL import Image

    for folder in ("images", "masks"):
        Image.new("L", (5, 5)).save(tmp_path / folder / "val" / "a b.png")
    content = json.loads((tmp_path / "classes.json").read_text())
    content["classes"][0]["name"] = "dog"
    (tmp_path / "classes.json").write_text(json.dumps(content))
    (back,) = form.read(tmp_path)
    assert (back.edited, back.pixel_size) == (None, None)
    assert back.source == str(tmp_path / "images" / "val" / "a b.png")
    assert back.classes.names[0] == "dog"


def test_the_split_is_that_of_the_record(tmp_path: Path) -> None:
    write(tmp_path, FORMATS["png"](), ITEM, replace(ITEM, name="b", split=None))
    splits = {item.name: item.split for item in FORMATS["png"]().read(tmp_path)}
    assert splits == {"a b": "val", "b": "train"}


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("items/a b.json", "{", "it is damaged"),
        ("items/a b.json", "[]", "it is damaged"),
        ("items/a b.json", '{"record": {}}', "it is damaged .*name"),
        ("dataset.json", "{", "it is damaged"),
        ("dataset.json", "{}", "classes: they are missing"),
    ],
)
def test_a_damaged_file_is_named(
    file: str, text: str, words: str, tmp_path: Path
) -> None:
    write(tmp_path, FORMATS["png"](), ITEM)
    path = tmp_path / ".s2clip" / file
    path.write_text(text)
    with pytest.raises(DatasetError, match=rf"^[^\n]*{path.name}: {words}[^\n]*$"):
        list(FORMATS["png"]().read(tmp_path))


def test_records_of_older_versions_are_read(tmp_path: Path) -> None:
    write(tmp_path, FORMATS["png"](), ITEM)
    path = tmp_path / ".s2clip" / "items" / "a b.json"
    data = json.loads(path.read_text())
    del data["pixel_size"], data["unit"]
    path.write_text(json.dumps(data))
    (back,) = FORMATS["png"]().read(tmp_path)
    assert (back.pixel_size, back.edited) == (None, True)
